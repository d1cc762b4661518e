"""Check values that were read from a file against the types of a class's fields.

Only what readers rely on is checked: texts, numbers, lists of texts, and that an object is one.
"""

from __future__ import annotations

import functools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from scriptrun.runtime.hints import Json

_SCALARS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "None": (type(None),),
    "Json": (dict,),
}
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "None": "null",
    "Json": "an object",
    "dict": "an object",
    "tuple": "a list",
    "list": "a list",
}


def check(types: dict[str, str], data: Json) -> None:
    """Raise ValueError, naming the field, if a value in ``data`` is not of its type.

    ``types`` are annotations by field; those of other classes are not checked.
    """
    for name, value in data.items():
        kind = types.get(name)
        if kind is not None and not _predicate(kind)(value):
            raise ValueError(
                f"expected {_describe(kind)} in the field {name!r}, not {_name(value)}"
            )


@functools.cache
def _predicate(kind: str) -> Callable[[object], bool]:
    choices = [_one(each) for each in _alternatives(kind)]
    return choices[0] if len(choices) == 1 else lambda value: any(each(value) for each in choices)


def _one(kind: str) -> Callable[[object], bool]:
    base, _, inner = kind.partition("[")
    if base in ("tuple", "list"):
        item = _predicate(inner.rstrip("]").removesuffix(", ..."))
        return lambda value: isinstance(value, list | tuple) and all(map(item, value))
    if base == "dict":
        return lambda value: isinstance(value, dict)
    types = _SCALARS.get(kind)
    if types is None:
        return lambda value: True
    if bool in types:
        return lambda value: isinstance(value, bool)
    return lambda value: isinstance(value, types) and not isinstance(value, bool)


def _alternatives(kind: str) -> list[str]:
    """The members of a union, as ``dict[str, str | None] | None``."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(kind):
        depth += (character == "[") - (character == "]")
        if character == "|" and depth == 0:
            parts.append(kind[start:position].strip())
            start = position + 1
    return [*parts, kind[start:].strip()]


def _describe(kind: str) -> str:
    words = [_WORDS.get(each.partition("[")[0], each) for each in _alternatives(kind)]
    return " or ".join(words)


def _name(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return kinds.get(type(value), "null" if value is None else f"{value!r:.40}")
