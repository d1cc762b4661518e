"""Load and dump YAML: readable errors, scalars with their original text, the SDK's layout."""

from __future__ import annotations

import functools
import os

from scriptrun.runtime import files
from scriptrun.spec.errors import RunConfigurationException
from scriptrun.store import json_reader, yaml_reader
from scriptrun.store.document_limits import (
    CONFIGURATION,
    LimitExceeded,
    Limits,
    MalformedDocument,
)
from scriptrun.store.yaml_reader import PlainScalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def plain(value: object) -> Any:
    """``value`` with all plain scalars replaced by their values."""
    if isinstance(value, PlainScalar):
        return value.value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(element) for element in value] if isinstance(value, list) else value


def load(text: str, where: str, limits: Limits = CONFIGURATION) -> Any:
    """Load YAML or JSON ``text``. Raises RunConfigurationException with the invalid position."""
    try:
        return _parse(text, limits)
    except LimitExceeded as error:
        raise RunConfigurationException(f"{where}: {error}.") from None
    except MalformedDocument as error:
        raise RunConfigurationException(
            f"{where}: {error}.", "Check the YAML's colons, quotes and indentation."
        ) from None


def _parse(text: str, limits: Limits) -> object:
    if text.lstrip().startswith("{"):
        try:
            return json_reader.parse(text, limits)
        except LimitExceeded:
            raise
        except MalformedDocument:
            pass  # YAML flow syntax, or malformed: the YAML parser reports where
    return yaml_reader.parse(text, keep_text=True, limits=limits)


def dump(value: object) -> str:
    """``value`` as YAML: keys in order, empty for null, lists not indented."""
    import yaml

    text: str = yaml.dump(
        value,
        Dumper=_dumper(),
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=10**6,
    )
    return text


def write(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` atomically, creating its directory if necessary."""
    file_path = os.fspath(path)
    os.makedirs(os.path.dirname(file_path) or ".", exist_ok=True)
    files.write_atomic(file_path, text.encode("utf-8"))


@functools.cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes null as an empty scalar, and no anchors."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    def represent_none(dumper: yaml.SafeDumper, _: None) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:null", "")

    def represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
        # PyYAML writes a next-line character unescaped, but reads it as a space
        style = '"' if "\x85" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(type(None), represent_none)
    Dumper.add_representer(str, represent_text)
    return Dumper
