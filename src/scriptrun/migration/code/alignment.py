"""Move continuation lines with the bracket that they are aligned with."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program

_OPENING, _CLOSING = "([{", ")]}"


class _Continuation(NamedTuple):
    """A line that continues a bracket: its number, the bracket's offset, what it begins with."""

    line: int
    bracket: int
    begins_with: str


def edits(program: Program, changes: list[Edit]) -> list[Edit]:
    """The edits that keep lines aligned with their brackets, which the edits ``changes`` move."""
    result: list[Edit] = []
    moved: dict[int, int] = {}
    for continuation in _continuations(program) if changes else ():
        edit = _realign(program, continuation, [*changes, *result], moved)
        if edit is not None:
            result.append(edit)
            moved[continuation.line] = len(edit.text) - (edit.end - edit.start)
    return result


def _realign(
    program: Program, continuation: _Continuation, changes: list[Edit], moved: dict[int, int]
) -> Edit | None:
    lines, text = program.lines, program.text
    start = lines.starts[continuation.line - 1]
    line = text[start:].partition("\n")[0]
    indent = len(line) - len(line.lstrip())
    if "\t" in line[:indent]:
        return None
    if any(change.start < start + indent and change.end > start for change in changes):
        return None  # the line is joined to another one
    distance = _distance(program, continuation, indent, changes, moved)
    if not distance or indent + distance < 0:
        return None
    return Edit(start, start + indent, " " * (indent + distance))


def _distance(
    program: Program,
    continuation: _Continuation,
    indent: int,
    changes: list[Edit],
    moved: dict[int, int],
) -> int:
    """How far the line moves: as its bracket does, or as the line of a bracket that ends one."""
    bracket, starts = continuation.bracket, program.lines.starts
    number = program.lines.line(bracket)
    column = bracket - starts[number - 1]
    behind = program.text[bracket + 1 :].partition("\n")[0].strip()
    beside = 0 if continuation.begins_with in _CLOSING else 1
    new_column = _new_column(program.text, bracket, changes)
    hangs = not behind or behind.startswith("#") or indent < column + beside
    if hangs or new_column is None:
        return moved.get(number, 0)
    return new_column - column


def _new_column(text: str, offset: int, changes: list[Edit]) -> int | None:
    """The column of the character at ``offset`` after the changes; None if it is removed."""
    column, position = 0, offset
    for change in sorted(changes, key=lambda item: item[:2], reverse=True):
        if change.start > offset or (change.start == offset and change.end > offset):
            if change.start == offset and change.text[:1] not in tuple(_OPENING):
                return None
            continue
        if change.end > offset:
            return None
        for part in (text[change.end : position], change.text):
            _, newline, last_line = part.rpartition("\n")
            column += len(last_line)
            if newline:
                return column
        position = change.start
    return column + len(text[:position].rpartition("\n")[2])


def _continuations(program: Program) -> Iterator[_Continuation]:
    """The lines inside brackets, without those inside strings."""
    starts = program.lines.starts
    brackets: list[int] = []
    last_line = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(program.text, newline="").readline):
            number = token.start[0]
            if number > last_line and brackets and token.string.strip():
                yield _Continuation(number, brackets[-1], token.string[0])
            if token.type == tokenize.OP and token.string in _OPENING:
                brackets.append(starts[number - 1] + token.start[1])
            elif token.type == tokenize.OP and token.string in _CLOSING and brackets:
                brackets.pop()
            last_line = max(last_line, token.end[0] if token.string.strip() else number - 1)
    except (tokenize.TokenError, SyntaxError, IndexError):
        return
