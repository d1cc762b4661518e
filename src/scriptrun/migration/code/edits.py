"""Text edits as spans: text outside every span stays unchanged, byte for byte."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable
from typing import NamedTuple

#: line endings as LibCST counts them, so that its positions match
_END = re.compile(r"\r\n?|\n")


class Edit(NamedTuple):
    """Replace the characters from ``start`` up to ``end`` with ``text``."""

    start: int
    end: int
    text: str


class Lines:
    """Convert lines (from 1) and columns (from 0) to offsets, and back."""

    def __init__(self, text: str) -> None:
        self.starts = [0, *(found.end() for found in _END.finditer(text))]

    def offset(self, line: int, column: int) -> int:
        """The offset of a position."""
        return self.starts[line - 1] + column

    def line(self, offset: int) -> int:
        """The number of the line that contains ``offset``."""
        return bisect.bisect_right(self.starts, offset)


def apply(text: str, edits: Iterable[Edit], base: int = 0) -> str:
    """Apply to ``text``, whose first character has the offset ``base``, the edits inside it.

    Raises ValueError if edits overlap.
    """
    made, at = [], 0
    inside = [each for each in edits if base <= each.start and each.end <= base + len(text)]
    for start, end, new in sorted(inside, key=lambda each: each[:2]):
        if start - base < at:
            raise ValueError(f"two edits overlap at {start}")
        made += [text[at : start - base], new]
        at = end - base
    return "".join([*made, text[at:]])
