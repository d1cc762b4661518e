"""Values of numpy, pandas and tensor libraries as Python's own; none of them is imported."""

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
