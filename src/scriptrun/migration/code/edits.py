"""Changes of a text, as spans of it: what no span touches stays as it is, byte for byte."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable
from typing import NamedTuple

#: where a line ends for LibCST, and so for every position that it gives
_END = re.compile(r"\r\n?|\n")


class Edit(NamedTuple):
    """Put ``text`` in place of the characters from ``start`` up to ``end``."""

    start: int
    end: int
    text: str


class Lines:
    """From lines (from 1) and columns (from 0) to offsets, and back."""

    def __init__(self, text: str) -> None:
        self.starts = [0, *(found.end() for found in _END.finditer(text))]

    def offset(self, line: int, column: int) -> int:
        """The offset of a position."""
        return self.starts[line - 1] + column

    def line(self, offset: int) -> int:
        """The line that ``offset`` stands in."""
        return bisect.bisect_right(self.starts, offset)


def apply(text: str, edits: Iterable[Edit], base: int = 0) -> str:
    """``text`` (whose first character has the offset ``base``) with the edits that lie in it.

    Raises ValueError for edits that overlap.
    """
    made, at = [], 0
    inside = [each for each in edits if base <= each.start and each.end <= base + len(text)]
    for start, end, new in sorted(inside, key=lambda each: each[:2]):
        if start - base < at:
            raise ValueError(f"two edits overlap at {start}")
        made += [text[at : start - base], new]
        at = end - base
    return "".join([*made, text[at:]])
