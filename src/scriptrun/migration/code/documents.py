"""A file as one program: a script is one piece, a notebook has one per code cell."""

from __future__ import annotations

from collections.abc import Iterable

from scriptrun.migration.code import files, notebooks
from scriptrun.migration.code.edits import Edit, Lines, apply
from scriptrun.migration.code.program import Program


class Document:
    """The file ``path`` with the bytes ``raw``. Raises CannotRewrite if they are not text."""

    def __init__(self, path: str, raw: bytes) -> None:
        self.path = path
        self.is_notebook = path.endswith(".ipynb")
        self.file = files.decoded(raw, self.is_notebook)
        self._cells = notebooks.cells(self.file.text) if self.is_notebook else []
        self.pieces = [cell.text for cell in self._cells] if self.is_notebook else [self.file.text]
        self.broken: list[int] = []
        #: names that masked lines may use
        self.hidden: set[str] = set()

    def program(self) -> str:
        """The text to parse: all pieces, in order."""
        if not self.is_notebook:
            return self.pieces[0]
        made, self.broken = [], []
        for number, piece in enumerate(self.pieces):
            text, good = notebooks.masked(piece)
            made.append(text + "\n")
            self.hidden |= notebooks.hidden(piece, text)
            if not good:
                self.broken.append(number)
        return "".join(made)

    def parsed(self, text: str) -> Program:
        """Parse ``text``, a result of ``program_text()``."""
        return Program(text, self.hidden)

    def apply(self, edits: Iterable[Edit]) -> None:
        """Apply edits of ``program_text()`` to the pieces."""
        listed, base, made = list(edits), 0, []
        for piece in self.pieces:
            end = base + len(piece) + int(self.is_notebook)
            mine = [_within(each, base, piece) for each in listed if base <= each.start < end]
            if not self.is_notebook:
                mine = listed
            made.append(apply(piece, mine, base))
            base = end
        self.pieces = made

    def bytes(self) -> bytes:
        """The file's new content. Raises CannotRewrite if its encoding cannot represent it."""
        if not self.is_notebook:
            return self.file.encoded(self.pieces[0])
        text = notebooks.with_cells(self.file.text, self._cells, self.pieces)
        return self.file.encoded(text)

    def place(self, line: int, pieces: list[str]) -> tuple[int, int]:
        """Convert a line of the program of ``pieces`` to a cell (0 in a script) and its line."""
        if not self.is_notebook:
            return 0, line
        for number, piece in enumerate(pieces, 1):
            count = len(Lines(piece + "\n").starts) - 1
            if line <= count:
                return number, line
            line -= count
        return len(pieces), line

    def original(self) -> list[str]:
        """The pieces as they were read."""
        return [cell.text for cell in self._cells] if self.is_notebook else [self.file.text]


def _within(edit: Edit, base: int, piece: str) -> Edit:
    """Clip the edit to its cell; text added after the last line starts a new line."""
    end = base + len(piece)
    if edit.start >= end:  # after the cell's last character
        text = edit.text.rstrip("\r\n")
        return Edit(
            end, end, text if piece.endswith("\n") or not text else "\n" + text.lstrip("\n")
        )
    if edit.end > end:
        return Edit(edit.start, end, edit.text)
    return edit
