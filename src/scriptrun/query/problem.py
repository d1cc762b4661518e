"""What is wrong with a query: sentences, each with the place in the query that it is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.text_width import width
from scriptrun.spec.values import Value


class Problem(Value):
    """One problem, about the characters from ``start`` to ``end`` of the query."""

    message: str
    start: int
    end: int
    hint: str = ""


class QueryException(UserErrorException):
    """An invalid query; ``problems`` lists what is wrong with it."""

    def __init__(self, text: str, problems: Sequence[Problem], label: str = "query") -> None:
        self.problems = tuple(problems)
        marked = f"{_cleaned(text)}\n    {_carets(text, problems)}"
        if len(problems) == 1:
            only = problems[0]
            message = f"Invalid {label}: {only.message}\n    {marked}"
            super().__init__(message, only.hint)
            return
        lines = [f"  - {each.message} {each.hint}".rstrip() for each in problems]
        message = "\n".join(
            [f"Invalid {label} ({len(problems)} problems):", f"    {marked}", *lines]
        )
        super().__init__(message)


def refuse(text: str, problems: Iterable[Problem], label: str = "query") -> None:
    """Raise one QueryException for all ``problems``; return if there are none."""
    ordered = sorted(problems, key=lambda problem: (problem.start, problem.end))
    if ordered:
        raise QueryException(text, ordered, label)


def _carets(text: str, problems: Iterable[Problem]) -> str:
    """A line with ``^`` below what the problems are about."""
    marks = [" "] * (len(text) + 1)
    for problem in problems:
        for index in range(problem.start, max(problem.end, problem.start + 1)):
            marks[min(index, len(text))] = "^"
    cleaned = _cleaned(text)
    wide = [mark * width(char) for mark, char in zip(marks, cleaned, strict=False)]
    return "".join([*wide, marks[len(text)]]).rstrip()


def _cleaned(text: str) -> str:
    """``text`` in one line of as many characters, without any that controls the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)
