"""A file as one program: a script is one piece, a notebook has one per code cell."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from scriptrun.dropin.notebook import syntax
from scriptrun.migration.code import files, notebooks
from scriptrun.migration.code.edits import Edit, Lines, apply
from scriptrun.migration.code.program import Program


class Document:
    """The file ``path`` with the bytes ``raw``. Raises CannotRewrite if they are not text."""

    def __init__(self, path: str, raw: bytes) -> None:
        self.path = path
        self.is_notebook = path.endswith(".ipynb")
        self.file = files.decode(raw, self.is_notebook)
        self._cells = notebooks.cells(self.file.text) if self.is_notebook else []
        self.pieces = [cell.text for cell in self._cells] if self.is_notebook else [self.file.text]
        self.invalid_cells: list[int] = []
        self._masked: dict[str, tuple[str, bool]] = {}
        #: names that masked lines may use
        self.hidden: set[str] = set()

    def program_text(self) -> str:
        """The text to parse: all pieces, in order."""
        if not self.is_notebook:
            return self.pieces[0]
        texts, self.invalid_cells = [], []
        for number, piece in enumerate(self.pieces):
            if piece not in self._masked:
                self._masked[piece] = syntax.mask(piece)
            text, is_valid = self._masked[piece]
            texts.append(text + "\n")
            self.hidden |= notebooks.hidden_names(piece, text)
            if not is_valid:
                self.invalid_cells.append(number)
        return "".join(texts)

    @property
    def is_changed(self) -> bool:
        """Whether an edit has changed any of its pieces."""
        return self.pieces != self.original_pieces()

    def parse(self, text: str) -> Program:
        """Parse ``text``, a result of ``program_text()``."""
        return Program(text, self.hidden, self.is_notebook)

    def apply_edits(self, edits: Iterable[Edit]) -> None:
        """Apply edits of ``program_text()`` to the pieces."""
        all_edits, base, new_pieces = list(edits), 0, []
        for piece in self.pieces:
            end = base + len(piece) + int(self.is_notebook)
            piece_edits = [
                _clip_to_piece(edit, base, piece) for edit in all_edits if base <= edit.start < end
            ]
            if not self.is_notebook:
                piece_edits = all_edits
            new_pieces.append(apply(piece, piece_edits, base))
            base = end
        self.pieces = new_pieces

    def trim(self) -> None:
        """Remove the empty lines at the ends of changed pieces that their author did not write."""
        self.pieces = [
            piece if piece == old else _trimmed(piece, old)
            for piece, old in zip(self.pieces, self.original_pieces(), strict=True)
        ]

    def boundaries(self) -> list[int]:
        """The offsets at which the pieces begin, but for the first."""
        lengths = [len(piece) + 1 for piece in self.pieces[:-1]]
        return list(itertools.accumulate(lengths))

    def to_bytes(self) -> bytes:
        """The file's new content. Raises CannotRewrite if its encoding cannot represent it."""
        if not self.is_notebook:
            return self.file.encode(self.pieces[0])
        text = notebooks.with_cells(self.file.text, self._cells, self.pieces)
        return self.file.encode(text)

    def locate(self, line: int, pieces: list[str]) -> tuple[int, int]:
        """Convert a line of the program of ``pieces`` to a cell (0 in a script) and its line."""
        if not self.is_notebook:
            return 0, line
        for number, piece in enumerate(pieces, 1):
            count = len(Lines(piece + "\n").starts) - 1
            if line <= count:
                return number, line
            line -= count
        return len(pieces), line

    def original_pieces(self) -> list[str]:
        """The pieces as they were read."""
        return [cell.text for cell in self._cells] if self.is_notebook else [self.file.text]


def _trimmed(piece: str, old: str) -> str:
    if not old.startswith(("\r", "\n")):
        piece = piece.lstrip("\r\n")
    if not old.endswith("\n"):
        piece = piece.rstrip("\r\n")
    return piece


def _clip_to_piece(edit: Edit, base: int, piece: str) -> Edit:
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
