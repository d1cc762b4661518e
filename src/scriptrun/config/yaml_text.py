"""Load and dump YAML: readable errors, scalars with their original text, the SDK's layout."""

from __future__ import annotations

import functools
import json
import os

from scriptrun.runtime import files
from scriptrun.spec.errors import RunConfigurationException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class PlainScalar(str):
    """An unquoted number, date or boolean: its text as written, and its value.

    A string field gets "3.10" from ``3.10``, not "3.1".
    """

    value: object

    @classmethod
    def from_yaml(cls, text: str, value: object) -> PlainScalar:
        """The scalar ``text``, which YAML parses as ``value``."""
        scalar = cls(text)
        scalar.value = value
        return scalar


def plain(value: object) -> Any:
    """``value`` with all plain scalars replaced by their values."""
    if isinstance(value, PlainScalar):
        return value.value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(element) for element in value] if isinstance(value, list) else value


def load(text: str, where: str) -> Any:
    """Load YAML or JSON ``text``. Raises RunConfigurationException with the invalid position."""
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            pass  # YAML flow syntax, or malformed: the YAML parser reports where
    import yaml

    try:
        return yaml.load(text, Loader=_loader())
    except yaml.YAMLError as error:
        raise RunConfigurationException(
            f"{where}: {_error_text(error)}", "Check the YAML's colons, quotes and indentation."
        ) from None


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


def _error_text(error: object) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    position = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{position}invalid YAML ({problem})."


@functools.cache
def _loader() -> Any:
    import yaml

    class ScalarLoader(yaml.SafeLoader):
        """Preserves the text of numbers, dates and booleans."""

    def keep_text(construct: Any) -> Any:
        return lambda self, node: PlainScalar.from_yaml(node.value, construct(self, node))

    for kind in ("int", "float", "bool", "timestamp"):
        tag = f"tag:yaml.org,2002:{kind}"
        ScalarLoader.add_constructor(tag, keep_text(yaml.SafeLoader.yaml_constructors[tag]))
    return ScalarLoader


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
