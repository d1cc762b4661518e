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
        self.starts = [0, *(match.end() for match in _END.finditer(text))]

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
    parts, position = [], 0
    inside = [edit for edit in edits if base <= edit.start and edit.end <= base + len(text)]
    for start, end, new in sorted(inside, key=lambda item: item[:2]):
        if start - base < position:
            raise ValueError(f"two edits overlap at {start}")
        parts += [text[position : start - base], new]
        position = end - base
    return "".join([*parts, text[position:]])
