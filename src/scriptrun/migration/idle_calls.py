"""Remove what does nothing here: logins of Azure, and settings of its telemetry."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from scriptrun.migration.code import constants, removals
from scriptrun.migration.code.call_layout import Arguments
from scriptrun.migration.code.imports import Imports
from scriptrun.migration.code.program import Program
from scriptrun.migration.findings import REWRITTEN
from scriptrun.migration.rewrite_program import ProgramFinding, RewriteResult

_LOGINS = "azureml.core.authentication."
_TELEMETRY = "azureml.telemetry.set_diagnostics_collection"


def rewrite(program: Program) -> RewriteResult:
    """Remove logins that only ``Workspace.from_config`` takes, and settings of telemetry."""
    result, imports = RewriteResult(), Imports(program)
    removed: list[tuple[int, int]] = []
    statements: list[tuple[cst.SimpleStatementLine, str]] = []
    for call in program.calls:
        name = program.qualified_name(call.func)
        if name == _TELEMETRY and (line := _whole_line(program, call)) is not None:
            statements.append((line, "no telemetry is ever sent"))
        elif name.startswith("azureml.core.") and name.endswith("Workspace.from_config"):
            for arg in _logins(program, call):
                _drop(program, call, arg, result, removed)
    for assignment in program.nodes(cst.Assign):
        line = _unused_login(program, assignment, removed)
        if line is not None:
            statements.append((line, "a workspace here needs no login"))
    for line, why in statements:
        edit = removals.line(program, line)
        result.edits.append(edit)
        removed.append((edit.start, edit.end))
        what = program.source(line.body[0]).partition("(")[0]
        result.findings.append(
            ProgramFinding(program.line(line), REWRITTEN, what, f"removed: {why}")
        )
    if removed:
        result.edits += removals.unused(program, removed, imports)
    result.edits += imports.edits()
    return result


def _drop(
    program: Program,
    call: cst.Call,
    arg: cst.Arg,
    result: RewriteResult,
    removed: list[tuple[int, int]],
) -> None:
    layout = Arguments(program, call)
    layout.drop(arg)
    edits = layout.edits(program.source(call.func), call.func)
    result.edits += [edit for edit in edits if program.text[edit.start : edit.end] != edit.text]
    removed.append(program.span(arg))
    reason = "its auth is gone: a workspace here needs no login"
    what = program.source(call.func)
    result.findings.append(ProgramFinding(program.line(arg), REWRITTEN, what, reason))


def _logins(program: Program, call: cst.Call) -> Iterator[cst.Arg]:
    """The ``auth`` argument of the call, if evaluating it does nothing but make a login."""
    for arg in call.args:
        if arg.keyword is None or arg.keyword.value != "auth":
            continue
        value = constants.resolve(program, arg.value)
        is_none = isinstance(value, cst.Name) and value.value == "None"
        if is_none or (isinstance(value, cst.Call) and _is_login(program, value)):
            yield arg


def _is_login(program: Program, call: cst.Call) -> bool:
    is_login = program.qualified_name(call.func).startswith(_LOGINS)
    return is_login and all(_is_plain(program, arg.value) for arg in call.args)


def _is_plain(program: Program, value: cst.BaseExpression) -> bool:
    if removals.is_setting(program, value) or constants.is_pure(value):
        return True
    return (
        isinstance(value, cst.Call)
        and isinstance(value.func, cst.Attribute)
        and program.source(value.func).endswith((".get_secret", "getpass.getpass"))
    )


def _unused_login(
    program: Program, assignment: cst.Assign, removed: list[tuple[int, int]]
) -> cst.SimpleStatementLine | None:
    """The line of a login that only removed arguments use."""
    line, value = program.statement(assignment), assignment.value
    is_login = isinstance(value, cst.Call) and _is_login(program, value)
    if line is None or not is_login or not removals.is_unused(program, assignment, removed):
        return None
    return line


def _whole_line(program: Program, call: cst.Call) -> cst.SimpleStatementLine | None:
    line = program.statement(call)
    if line is None or len(line.body) > 1 or not isinstance(program.parent(call), cst.Expr):
        return None
    block = program.parent(line)
    is_alone = isinstance(block, cst.IndentedBlock) and len(block.body) == 1
    return None if is_alone else line
