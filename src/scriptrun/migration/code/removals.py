"""Remove statements, with the comments that speak of them and what only they used."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import libcst as cst

from scriptrun.migration.code import imports
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.imports import Imports
from scriptrun.migration.code.program import Program, Span

_ANY = re.compile("")
_READS_VARIABLE = re.compile(r"os\.(environ\.get|getenv)$")


def line(program: Program, statement: cst.SimpleStatementLine) -> Edit:
    """Remove the line, the comments directly above it, and one of two empty lines around it."""
    begin = comments_above(program, statement, _ANY)
    starts, number = program.lines.starts, program.lines.line(program.span(statement)[1])
    end = starts[number] if number < len(starts) else len(program.text)
    first = program.lines.line(begin)
    is_after_gap = first == 1 or not _line(program, first - 1).strip()
    if is_after_gap and number < len(starts) and not _line(program, number + 1).strip():
        end = starts[number + 1] if number + 1 < len(starts) else len(program.text)
    return Edit(begin, end, "")


def _line(program: Program, number: int) -> str:
    starts = program.lines.starts
    return program.text[starts[number - 1] : starts[number] if number < len(starts) else None]


def comments_above(program: Program, statement: cst.CSTNode, speak: re.Pattern[str]) -> int:
    """Where the comments directly above begin, if they ``speak`` of the statement."""
    number = program.line(statement)
    indent = program.indent(statement) or ""
    first = number
    while first > 1 and _line(program, first - 1).startswith(f"{indent}#"):
        first -= 1
    starts = program.lines.starts
    if not speak.search(program.text[starts[first - 1] : starts[number - 1]]):
        first = number
    return starts[first - 1]


def unused(
    program: Program, removed: Sequence[Span], names: Imports, kept: Collection[str] = ()
) -> list[Edit]:
    """The edits that remove settings that only the ``removed`` code used; its imports, too.

    The names ``kept`` are used by what replaces that code.
    """
    edits: list[Edit] = []
    gone = list(removed)
    for assignment in program.nodes(cst.Assign):
        edit = _unused_setting(program, assignment, gone, kept)
        if edit is not None and not any(a < edit.end and edit.start < b for a, b in gone):
            edits.append(edit)
            gone.append((edit.start, edit.end))
    for alias in program.nodes(cst.ImportAlias):
        statement = program.parent(alias)
        if isinstance(statement, cst.Import | cst.ImportFrom):
            local_name = imports.local_name(alias).split(".")[0]
            if local_name in kept or not _is_only_used_in(program, local_name, alias, gone):
                continue
            if isinstance(statement, cst.ImportFrom):
                names.drop(statement, local_name)
            elif len(statement.names) == 1 and local_name not in program.hidden:
                edits.append(imports.remove_import(program, statement))
    return edits


def _unused_setting(
    program: Program, assignment: cst.Assign, gone: Sequence[Span], kept: Collection[str]
) -> Edit | None:
    """The removal of ``NAME = setting`` if only removed code uses the name."""
    statement = program.statement(assignment)
    if statement is None or not is_setting(program, assignment.value):
        return None
    if not is_unused(program, assignment, gone, kept):
        return None
    return line(program, statement)


def is_unused(
    program: Program, assignment: cst.Assign, gone: Sequence[Span], kept: Collection[str] = ()
) -> bool:
    """Whether the line only binds a name that only removed code uses."""
    target, statement = assignment.targets[0].target, program.statement(assignment)
    if (
        len(assignment.targets) > 1
        or not isinstance(target, cst.Name)
        or statement is None
        or len(statement.body) > 1
        or target.value in program.hidden
        or target.value in kept
        or len(program.assignments(target.value, target)) > 1
    ):
        return False
    block = program.parent(statement)
    if isinstance(block, cst.IndentedBlock) and len(block.body) == 1:
        return False
    return _is_only_used_in(program, target.value, target, gone)


def is_setting(program: Program, value: cst.BaseExpression) -> bool:
    """Whether it is a literal, or read from the process's variables."""
    if isinstance(value, cst.Call):
        name = program.qualified_name(value.func)
        return bool(_READS_VARIABLE.match(name)) and all(
            is_setting(program, arg.value) for arg in value.args
        )
    return isinstance(value, cst.SimpleString | cst.Integer | cst.Float) or (
        isinstance(value, cst.Name) and value.value in ("True", "False", "None")
    )


def _is_only_used_in(program: Program, name: str, node: cst.CSTNode, gone: Sequence[Span]) -> bool:
    """Whether ``name``, bound at ``node``, is used, and only in the spans ``gone``."""
    spans = [program.span(use) for use in program.references(name, node) if use is not node]
    return bool(spans) and all(
        any(start <= begin and end <= stop for start, stop in gone) for begin, end in spans
    )
