"""Findings: code that was rewritten, left alone, or needs a look."""

from __future__ import annotations

from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

REWRITTEN, LEFT_ALONE, NEEDS_REVIEW = "rewritten", "left alone", "needs a look"


class Finding(Value):
    """A finding on ``line`` (from 1) of a file, or of code cell ``cell`` (from 1) of a notebook.

    ``what`` is the code in question, ``reason`` says what was done or why nothing was, and
    ``advice`` is a suggestion for the user.
    """

    path: str
    cell: int
    line: int
    kind: str
    what: str
    reason: str
    advice: str = ""

    @property
    def location(self) -> str:
        """``file:line``, or ``file, cell 3, line 2``."""
        if self.cell:
            return f"{self.path}, cell {self.cell}, line {self.line}"
        return f"{self.path}:{self.line}"

    def __lt__(self, other: Finding) -> bool:
        return self._values() < other._values()

    def __str__(self) -> str:
        text = f"{self.location}: {self.kind}: {self.what}: {self.reason}"
        return f"{text}\n    {self.advice}" if self.advice else text

    def as_dict(self) -> Json:
        """The finding as a JSON value; ``cell`` is None in a script."""
        return {**super().as_dict(), "cell": self.cell or None}
