"""Convert sections to and from the camelCase values of ``.runconfig`` files."""

from __future__ import annotations

import functools
import os
import types

from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.section_base import Section
from scriptrun.config.yaml_text import (
    as_text,
    is_null,
    plain,
    without_nulls,
    written_text,
)
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.later import later
from scriptrun.spec.suggestion import did_you_mean
from scriptrun.store.yaml_reader import PlainScalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from typing import Any, TypeVar

    S = TypeVar("S", bound=Section)
else:
    typing = later("typing")


def camel(name: str) -> str:
    """``node_count`` to ``nodeCount``."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


@functools.cache
def names_by_key(kind: Any) -> dict[str, str]:
    """The field names by their keys in the file, in the file's order."""
    return {kind.wire_names.get(name, camel(name)): name for name in kind.fields}


def to_wire(value: Any) -> Any:
    """``value`` as a file stores it: sections as dicts with camelCase keys, objects by name."""
    if isinstance(value, Section):
        kind: Any = type(value)
        return {
            key: to_wire(written_text(item) if name in kind.texts else item)
            for key, name in names_by_key(kind).items()
            if name not in value.unwritten
            for item in [getattr(value, name)]
        }
    if isinstance(value, dict):
        return {str(key): to_wire(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_wire(element) for element in value]
    if value is None or isinstance(value, bool | int | float | str):
        return _without_subclass(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    name = getattr(value, "name", None)
    return name if isinstance(name, str) else str(value)


def _without_subclass(value: bool | int | float | str | None) -> object:
    """``value`` as one of Python's own types: numpy's numbers are subclasses of them."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    return int(value) if isinstance(value, int) else float(value)


def from_wire(section: S, data: object, where: str, problems: list[str]) -> S:
    """Set the fields of ``section`` from ``data``; add a sentence to ``problems`` for each misfit.

    ``where`` is the path of this section, e.g. ``environment.docker.``. Keys that are missing, or
    null where the field does not allow it, keep their default.
    """
    if is_null(data):
        return section
    if not isinstance(data, dict):
        problems.append(f"{where.rstrip('.')}: {_mismatch('a mapping', data)}")
        return section
    kind: object = type(section)
    keys, field_types = names_by_key(kind), _field_types(kind)
    for key, value in data.items():
        name = keys.get(str(key))
        if name is not None:
            converted = convert_field(kind, name, value, f"{where}{key}", problems)
            if converted is not None or _allows_none(field_types[name]):
                section.__dict__[name] = converted
        elif key not in section.ignored_keys:
            problems.append(f"{where}{key}: unknown key{did_you_mean(str(key), keys)}")
    return section


def convert_field(kind: Any, name: str, value: object, where: str, problems: list[str]) -> object:
    """Convert ``value`` for the field ``name`` of the section ``kind``, like ``convert``."""
    if name in kind.texts and not is_null(value):
        value = str(value) if isinstance(value, PlainScalar) else as_text(value)
    return convert(value, _field_types(kind)[name], where, problems)


def convert(value: Any, kind: Any, where: str, problems: list[str]) -> Any:  # noqa: PLR0911
    """Convert ``value`` to ``kind``; None, with a sentence in ``problems``, if it cannot be."""
    if is_null(value) or kind in (typing.Any, object):
        return plain(value)
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return convert(value, _union_member(kind, value), where, problems)
    if origin is dict:
        return _convert_dict(value, typing.get_args(kind)[1], where, problems)
    if origin is list:
        return _convert_list(value, typing.get_args(kind)[0], where, problems)
    if kind is CondaDependencies:
        return _convert_conda(value, where, problems)
    if isinstance(kind, type) and issubclass(kind, Section):
        return from_wire(kind(), value, f"{where}.", problems)
    return _convert_scalar(value, kind, where, problems)


def _convert_dict(value: Any, kind: Any, where: str, problems: list[str]) -> Any:
    if not isinstance(value, dict):
        problems.append(f"{where}: {_mismatch('a mapping', value)}")
        return None
    if isinstance(kind, type) and issubclass(kind, Section):
        empty = [str(key) for key, item in value.items() if is_null(item)]
        problems += [f"{where}.{key}: {_mismatch('a mapping', None)}" for key in empty]
    return {str(k): convert(item, kind, f"{where}.{k}", problems) for k, item in value.items()}


def _convert_list(value: object, kind: object, where: str, problems: list[str]) -> Any:
    if not isinstance(value, list):
        problems.append(f"{where}: {_mismatch('a list', value)}")
        return None
    items = map(_null_as_text, value) if kind is str else value
    return [convert(item, kind, f"{where}[{i}]", problems) for i, item in enumerate(items)]


def _null_as_text(value: object) -> object:
    """An item of a list of texts, where a null is its own text."""
    return ("null" if value is None else str(value)) if is_null(value) else value


def _convert_conda(value: Any, where: str, problems: list[str]) -> Any:
    try:
        return CondaDependencies.from_dict(without_nulls(value))
    except UserErrorException as error:
        problems.append(f"{where}: {error.message.partition(': ')[2] or error.message}")
        return None


def _convert_scalar(value: object, kind: type, where: str, problems: list[str]) -> Any:
    scalar = value.value if isinstance(value, PlainScalar) else value
    if kind is str and isinstance(scalar, bool) and not isinstance(value, PlainScalar):
        return "true" if scalar else "false"
    if kind is str and not isinstance(value, dict | list):
        return str(value)
    if type(scalar) is kind or (kind is float and type(scalar) is int):
        return scalar
    problems.append(f"{where}: {_mismatch(_NAMES[kind], value)}")
    return None


_NAMES = {str: "a string", int: "an integer", float: "a number", bool: "true or false"}


def _mismatch(expected: str, value: object) -> str:
    names = {"dict": "a mapping", "list": "a list"}
    shown = names.get(type(value).__name__) or repr(plain(value))
    return f"expected {expected}, not {shown}"


@functools.cache
def _field_types(kind: object) -> dict[str, Any]:
    return typing.get_type_hints(kind, localns={"Any": typing.Any, "ClassVar": typing.ClassVar})


def _union_member(kind: object, value: object) -> Any:
    """The member of a union to convert to: the list or dict if ``value`` is one, else the first."""
    members = [member for member in typing.get_args(kind) if member is not type(None)]
    matching = [candidate for candidate in members if typing.get_origin(candidate) is type(value)]
    return (matching or members)[0]


def _allows_none(kind: object) -> bool:
    return kind in (typing.Any, object) or type(None) in typing.get_args(kind)
