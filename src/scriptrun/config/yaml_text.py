"""Load and dump YAML: readable errors, scalars with their original text, the SDK's layout."""

from __future__ import annotations

import os
import re

from scriptrun.runtime import files
from scriptrun.spec.errors import RunConfigurationException
from scriptrun.store import json_reader, yaml_reader, yaml_writer
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


def as_text(value: object) -> object:
    """``value`` of a field that ends as text: a number stays one if its text says the same.

    Of a value that is not a scalar, the scalars in it; a null among them is text as well.
    """
    if isinstance(value, PlainScalar):
        return value.value if str(value.value) == value else str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return {str(key): as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return ["null" if element is None else as_text(element) for element in value]
    return value


def written_text(value: object) -> object:
    """``value`` as it is written where it ends as text, so that ``as_text`` says the same."""
    if isinstance(value, dict):
        return {key: written_text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [str(item) if item is None else written_text(item) for item in value]
    if isinstance(value, bool):
        return str(value)
    is_other = isinstance(value, float) and not re.fullmatch(r"-?\d+\.\d+", str(value))
    return str(value) if is_other else value


def is_null(value: object) -> bool:
    """Whether ``value`` is null, with or without its text."""
    return value is None or (isinstance(value, PlainScalar) and value.value is None)


def without_nulls(value: object) -> object:
    """``value`` with None for each null, and all other scalars as they are."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nulls(element) for element in value]
    return None if is_null(value) else value


def load(text: str, where: str, limits: Limits = CONFIGURATION, keep_nulls: bool = False) -> Any:
    """Load YAML or JSON ``text``; with ``keep_nulls``, unquoted nulls keep their text.

    Raises RunConfigurationException with the invalid position."""
    try:
        return _parse(text, limits, keep_nulls)
    except LimitExceeded as error:
        raise RunConfigurationException(f"{where}: {error}.") from None
    except MalformedDocument as error:
        is_tab = "'\\t'" in error.problem
        hint = "spaces instead of tabs" if is_tab else "colons, quotes and indentation"
        verb = "Use" if is_tab else "Check the YAML's"
        raise RunConfigurationException(f"{where}: {error}.", f"{verb} {hint}.") from None


def _parse(text: str, limits: Limits, keep_nulls: bool) -> object:
    if text.lstrip().startswith("{"):
        try:
            return json_reader.parse(text, limits, number=PlainScalar.from_yaml)
        except LimitExceeded:
            raise
        except MalformedDocument:
            pass  # YAML flow syntax, or malformed: the YAML parser reports where
    return yaml_reader.parse(text, keep_text=True, limits=limits, keep_nulls=keep_nulls)


def dump(value: object) -> str:
    """``value`` as YAML: keys in order, empty for null, one line for each text."""
    return yaml_writer.dump(value, empty_nulls=True, width=10**6)


def write(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` atomically, creating its directory if necessary."""
    file_path = os.fspath(path)
    os.makedirs(os.path.dirname(file_path) or ".", exist_ok=True)
    files.write_atomic(file_path, text.encode("utf-8"))
