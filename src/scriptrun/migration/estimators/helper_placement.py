"""Where the function goes that converts script_params at run time."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators import script_params


def edits(program: Program, calls: list[cst.Call]) -> list[Edit]:
    """The edit that defines the function once, before the first of the ``calls`` that need it."""
    if not calls:
        return []
    first = min(program.span(call)[0] for call in calls)
    user = max(
        (item for item in program.module.body if _start(program, item) <= first),
        key=lambda item: _start(program, item),
    )
    imports = [
        item
        for item in program.module.body
        if _is_import(item) and program.span(item)[0] < program.span(user)[0]
    ]
    newline = program.newline
    lines = newline.join(script_params.helper_lines(program)) + newline
    if program.in_cells or not imports:
        start = _start(program, user)
        gap = newline if program.text[:start].endswith(newline * 2) else ""
        return [Edit(start, start, f"{gap}{lines}{newline * 2}")]
    start = _next_line(program, imports[-1])
    rest = program.text[start:]
    blank = rest[: len(rest) - len(rest.lstrip())].count("\n")
    text = f"{newline * 2}{lines}{newline * max(2 - blank, 0)}"
    return [Edit(start, start, text)]


def _start(program: Program, statement: cst.CSTNode) -> int:
    """The offset of the statement's first line, with the decorators and comments right above."""
    decorators = getattr(statement, "decorators", ())
    line = program.line(decorators[0] if decorators else statement)
    starts = program.lines.starts
    while line > 1 and program.text[starts[line - 2] : starts[line - 1]].startswith("#"):
        line -= 1
    return starts[line - 1]


def _is_import(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and all(
        isinstance(part, cst.Import | cst.ImportFrom) for part in statement.body
    )


def _next_line(program: Program, statement: cst.CSTNode) -> int:
    number = program.lines.line(program.span(statement)[1])
    starts = program.lines.starts
    return starts[number] if number < len(starts) else len(program.text)
