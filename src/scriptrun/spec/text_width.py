"""The number of terminal columns that a text occupies."""

from __future__ import annotations

import importlib


def width(text: str) -> int:
    """Return the number of terminal columns that ``text`` occupies."""
    if text.isascii():
        return len(text)
    unicodedata = importlib.import_module("unicodedata")
    return sum(
        0
        if unicodedata.combining(c) or unicodedata.category(c) == "Cf"
        else 2
        if unicodedata.east_asian_width(c) in "WF"
        else 1
        for c in text
    )
