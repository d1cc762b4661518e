"""Replace ``azureml`` imports with ``scriptrun`` for the names that scriptrun has."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import libcst as cst

import scriptrun
from scriptrun import exceptions
from scriptrun.migration import submissions, workspace_usage
from scriptrun.migration.code import dotted_names, imports, star_imports
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators import class_references
from scriptrun.migration.findings import LEFT_ALONE, NEEDS_REVIEW, REWRITTEN
from scriptrun.migration.rewrite_program import ProgramFinding, RewriteResult

#: azureml names that differ from scriptrun's exports of the same name
_HOMONYMS = {
    ("azureml.core.runconfig", "Dataset"),
    ("azureml.core.runconfig", "DataPath"),
    ("azureml.core.runconfig", "Datastore"),
}
_ESTIMATORS = "it submits Estimators, which only the drop-in does"
#: a program that a person runs, rather than one that others import
_RUNS_ITSELF = re.compile(r"^if __name__ ==|^\S.*\.(submit|deploy)\(", re.M)
#: what services give their entry scripts, by these names only
_OF_SERVICES = ("azureml.contrib.services", "azureml.monitoring")
_ENTRY_SCRIPT = (re.compile(r"^def init\(", re.M), re.compile(r"^(async )?def run\(", re.M))
_DROPIN = "import scriptrun.dropin  # for the names of azureml that are left"


def scriptrun_module(module: str, name: str) -> str:
    """The scriptrun module that provides azureml's ``module.name``, or ""."""
    if module.startswith("azureml.train.hyperdrive"):
        return "scriptrun" if name in scriptrun.__all__ else ""
    if not module.startswith(("azureml.core", "azureml.data", "azureml.exceptions", "azureml._")):
        return ""
    if (module, name) in _HOMONYMS:
        return ""
    if name in exceptions.__all__:
        return "scriptrun.exceptions"
    return "scriptrun" if name in scriptrun.__all__ and name[0].isupper() else ""


def move(program: Program, alternative: Callable[[str, str], str | None]) -> RewriteResult:
    """Replace azureml imports with scriptrun's, and report what stays and why."""
    result = RewriteResult()
    dotted = dotted_names.move(program, scriptrun_module, _class_problem)
    result.edits += dotted.edits
    result.findings += dotted.findings
    remaining = dotted.remaining
    for statement in program.nodes(cst.ImportFrom):
        if _module_name(program, statement).split(".")[0] == "azureml":
            _move_statement(program, statement, result, remaining, alternative)
    if result.edits:
        completed = submissions.rewrite(program, class_references.needs_estimators(program))
        result.edits += completed.edits
        result.findings += completed.findings
    if remaining and not _has_dropin(program):
        first = min(remaining, key=program.span)
        start = program.span(first)[0]
        indent = program.indent(first) or ""
        result.edits.append(Edit(start, start, f"{_DROPIN}{program.newline}{indent}"))
    return result


def _module_name(program: Program, statement: cst.ImportFrom) -> str:
    if statement.module is None or statement.relative:
        return ""
    return program.source(statement.module)


def is_entry_script(text: str) -> bool:
    """Whether the code is the entry script of a service: it defines ``init`` and ``run``."""
    return all(pattern.search(text) for pattern in _ENTRY_SCRIPT)


def _has_dropin(program: Program) -> bool:
    names = [alias for statement in program.nodes(cst.Import) for alias in statement.names]
    return any(name.evaluated_name == "scriptrun.dropin" for name in names)


def _move_statement(
    program: Program,
    statement: cst.ImportFrom,
    result: RewriteResult,
    remaining: list[cst.CSTNode],
    alternative: Callable[[str, str], str | None],
) -> None:
    module, line = _module_name(program, statement), program.line(statement)
    if isinstance(statement.names, cst.ImportStar):
        result.findings.append(_star_finding(program, module, line))
        remaining.append(statement)
        return
    if _move_module(program, statement, statement.names, result):
        return
    aliases_by_module: dict[str, list[cst.ImportAlias]] = {}
    dropped: list[cst.ImportAlias] = []
    for alias in statement.names:
        name = alias.evaluated_name
        new_module = "scriptrun" if _is_version(program, alias) else scriptrun_module(module, name)
        reason = _alias_problem(program, alias) if new_module else ""
        if new_module and not reason:
            aliases_by_module.setdefault(new_module, []).append(alias)
            continue
        if _is_unused(program, alias):
            dropped.append(alias)
            message = "removed: the program does not use it, and scriptrun has no such name"
            result.findings.append(ProgramFinding(line, REWRITTEN, f"{module}.{name}", message))
            continue
        message = reason or f"scriptrun has no {name}; it works through scriptrun.dropin"
        replacement = alternative(module, name)
        if replacement and not reason:
            message = "scriptrun has no equivalent"
        kind = NEEDS_REVIEW if replacement and not reason else LEFT_ALONE
        result.findings.append(
            ProgramFinding(line, kind, f"{module}.{name}", message, replacement or "")
        )
    if sum(map(len, aliases_by_module.values())) + len(dropped) < len(statement.names):
        remaining.append(statement)
    for new_module, aliases in aliases_by_module.items():
        names = ", ".join(imported.evaluated_name for imported in aliases)
        result.findings.append(
            ProgramFinding(line, REWRITTEN, f"{module}: {names}", f"now from {new_module}")
        )
    if aliases_by_module or dropped:
        result.edits += _edits(program, statement, aliases_by_module, dropped)


def _move_module(
    program: Program,
    statement: cst.ImportFrom,
    names: Sequence[cst.ImportAlias],
    result: RewriteResult,
) -> bool:
    """Whether the statement is done as a whole: a module of services, or ``hyperdrive``."""
    module, line = _module_name(program, statement), program.line(statement)
    if module.startswith(_OF_SERVICES) and is_entry_script(program.text):
        reason = "services provide it to their entry scripts"
        result.findings.append(ProgramFinding(line, LEFT_ALONE, module, reason))
        return True
    if _is_hyperdrive(program, module, list(names)):
        local_name = imports.local_name(names[0])
        result.edits.append(Edit(*program.span(statement), f"import scriptrun as {local_name}"))
        message = f"now scriptrun, which has all names that the program uses from {local_name}"
        result.findings.append(ProgramFinding(line, REWRITTEN, f"{module}.hyperdrive", message))
        return True
    return False


def _star_finding(program: Program, module: str, line: int) -> ProgramFinding:
    kind, reason = NEEDS_REVIEW, "the names that it imports are uncertain"
    if not star_imports.free_names(program):
        kind, reason = LEFT_ALONE, "the program uses none of its names"
    advice = "Import the names explicitly." if kind == NEEDS_REVIEW else ""
    return ProgramFinding(line, kind, f"from {module} import *", reason, advice)


def _is_unused(program: Program, alias: cst.ImportAlias) -> bool:
    """Whether nothing uses the name: not this program, nor another that imports it from here."""
    local_name = imports.local_name(alias)
    is_program = program.in_cells or _RUNS_ITSELF.search(program.text) is not None
    if not is_program or local_name in program.hidden or "__all__" in program.text:
        return False
    return not program.references(local_name, alias)


def _is_hyperdrive(program: Program, module: str, aliases: list[cst.ImportAlias]) -> bool:
    """Whether it imports ``azureml.train.hyperdrive``, and scriptrun has all names used of it."""
    if module != "azureml.train" or [alias.evaluated_name for alias in aliases] != ["hyperdrive"]:
        return False
    local_name = imports.local_name(aliases[0])
    parents = [program.parent(user) for user in program.references(local_name, aliases[0])]
    return bool(parents) and all(
        isinstance(parent, cst.Attribute)
        and scriptrun_module(f"{module}.hyperdrive", parent.attr.value)
        for parent in parents
    )


def _is_version(program: Program, alias: cst.ImportAlias) -> bool:
    """Whether it is the SDK's version and only displayed, so scriptrun's can replace it."""
    return alias.evaluated_name == "VERSION" and all(
        dotted_names.is_displayed_version(program, use)
        for use in program.references(imports.local_name(alias), alias)
    )


def _alias_problem(program: Program, alias: cst.ImportAlias) -> str:
    """Why scriptrun's class cannot replace this import, or ""."""
    name, local_name = alias.evaluated_name, imports.local_name(alias)
    uses = program.references(local_name, alias)
    if name == "Experiment" and class_references.needs_estimators(program):
        return _ESTIMATORS
    if name == "Workspace":
        return _workspace_problem(program, uses, local_name)
    provided = getattr(scriptrun, name, None)
    for use in uses if isinstance(provided, type) else ():
        parent = program.parent(use)
        if isinstance(parent, cst.Attribute) and not hasattr(provided, parent.attr.value):
            return f"{name}.{parent.attr.value} exists only in the drop-in"
    return ""


def _class_problem(program: Program, uses: list[cst.CSTNode], local_name: str) -> str:
    """Why scriptrun's class cannot replace these uses, or ""."""
    name = program.qualified_name(uses[0]).rpartition(".")[2] if uses else ""
    if name == "Experiment" and class_references.needs_estimators(program):
        return _ESTIMATORS
    if name != "Workspace":
        return ""
    return _workspace_problem(program, uses, local_name)


def _workspace_problem(program: Program, uses: list[cst.CSTNode], local_name: str) -> str:
    """Why these uses of ``Workspace`` (locally named ``local_name``) require the drop-in, or ""."""
    for use in uses:
        parent = program.parent(use)
        if isinstance(parent, cst.Call) and parent.func is use:
            return "Workspace(...) uses Azure's names, which only the drop-in accepts"
        if isinstance(parent, cst.Attribute) and parent.attr.value != "from_config":
            return (
                f"Workspace.{parent.attr.value} uses Azure's names, which only the drop-in accepts"
            )
        if isinstance(parent, cst.Attribute) and _names_config_file(program, parent):
            return "Workspace.from_config(_file_name=...) exists only in the drop-in"
    return workspace_usage.find_dropin_use(program, local_name)


def _names_config_file(program: Program, method: cst.Attribute) -> bool:
    """Whether the call of ``method`` names a file of Azure's by its private argument."""
    call = program.parent(method)
    arguments = call.args if isinstance(call, cst.Call) else ()
    return any(arg.keyword is not None and arg.keyword.value == "_file_name" for arg in arguments)


def _edits(
    program: Program,
    statement: cst.ImportFrom,
    aliases_by_module: dict[str, list[cst.ImportAlias]],
    dropped: list[cst.ImportAlias],
) -> list[Edit]:
    assert not isinstance(statement.names, cst.ImportStar) and statement.module is not None
    moved = [alias for aliases in aliases_by_module.values() for alias in aliases]
    renamed = any(_is_version(program, moved_alias) for moved_alias in moved)
    if (
        len(aliases_by_module) == 1
        and not dropped
        and len(moved) == len(statement.names)
        and not renamed
    ):
        return [Edit(*program.span(statement.module), next(iter(aliases_by_module)))]
    lines = [
        f"from {new_module} import "
        + ", ".join(_import_item(program, imported) for imported in aliases)
        for new_module, aliases in sorted(aliases_by_module.items())
    ]
    separator = f"{program.newline}{program.indent(statement) or ''}"
    start, end = program.span(statement)
    if len(moved) + len(dropped) == len(statement.names):
        if not lines:
            return [imports.remove_import(program, statement)]
        return [Edit(start, end, separator.join(lines))]
    names = {imports.local_name(alias) for alias in [*moved, *dropped]}
    edits = imports.remove_names(program, statement, names)
    return [*edits, Edit(start, start, separator.join([*lines, ""]))] if lines else edits


def _import_item(program: Program, alias: cst.ImportAlias) -> str:
    local_name = imports.local_name(alias)
    name = dotted_names.VERSION if _is_version(program, alias) else alias.evaluated_name
    return name if local_name == name else f"{name} as {local_name}"
