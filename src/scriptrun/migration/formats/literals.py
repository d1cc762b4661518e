"""Values as Python source that makes them again."""

from __future__ import annotations

import math


def literal(value: object) -> str:
    """The source of ``value``: as ``repr``, but for numbers that have no literal."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    if type(value) is list:
        return f"[{', '.join(map(literal, value))}]"
    if type(value) is tuple:
        return f"({''.join(literal(each) + ', ' for each in value).removesuffix(' ')})"
    if type(value) is dict:
        items = (f"{literal(key)}: {literal(each)}" for key, each in value.items())
        return f"{{{', '.join(items)}}}"
    return repr(value)
