"""What the tool says of each place: rewritten, left alone, or in need of a look."""

from __future__ import annotations

from typing import Any

from scriptrun.spec.values import Value

REWRITTEN, LEFT, LOOK = "rewritten", "left alone", "needs a look"


class Finding(Value):
    """One place: ``line`` (from 1) of the file, or of the notebook's code cell ``cell`` (from 1).

    ``what`` names the code, ``reason`` says what was done or why nothing was, ``advice`` what the
    reader can do.
    """

    path: str
    cell: int
    line: int
    kind: str
    what: str
    reason: str
    advice: str = ""

    @property
    def place(self) -> str:
        """``file:line``, or ``file, cell 3, line 2``."""
        if self.cell:
            return f"{self.path}, cell {self.cell}, line {self.line}"
        return f"{self.path}:{self.line}"

    def __lt__(self, other: Finding) -> bool:
        return self._values() < other._values()

    def __str__(self) -> str:
        told = f"{self.place}: {self.kind}: {self.what}: {self.reason}"
        return f"{told}\n    {self.advice}" if self.advice else told

    def as_dict(self) -> dict[str, Any]:
        """A JSON value; ``cell`` is None in a script."""
        return {**super().as_dict(), "cell": self.cell or None}
