"""Values of numpy, pandas, tensor libraries and enums as Python's own; none is imported."""

from __future__ import annotations

from scriptrun.runtime.injob import values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def plain_value(value: object) -> Any:
    """A scalar, or an array without dimensions, as Python's own; an array or series as a list.

    Anything else is returned unchanged.
    """
    if not hasattr(type(value), "dtype"):
        return value
    if getattr(value, "shape", None) == ():
        return values.scalar(value)
    inner = values.nested(value)
    return inner if isinstance(inner, list) else value


def text_of(value: object) -> str:
    """``value`` as text; a member of an enum that is a text or a number is that."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__repr__(value)
    return float.__repr__(value) if isinstance(value, float) else str(value)
