"""Numbers in queries, parameters and tags: ``0.001`` and ``1e-3`` are equal."""

from __future__ import annotations

import math
import re

_NUMBER = r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|inf|infinity)"
_BOOLEANS = ("true", "false")


def parse_number(text: str) -> float | None:
    """The number that ``text`` is; None if it is none, or is not a number (NaN)."""
    if not re.fullmatch(_NUMBER, text, re.IGNORECASE | re.ASCII):
        return None
    number = float(text)
    return number if math.isfinite(number) or "inf" in text.lower() else None


def comparable(text: str) -> str:
    """``text`` as values are compared: ``True`` is ``true``, ``NaN`` is ``nan``."""
    lower = text.lower()
    return lower if lower in (*_BOOLEANS, "nan") else text
