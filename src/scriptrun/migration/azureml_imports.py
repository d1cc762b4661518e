"""Replace ``azureml`` imports with ``scriptrun`` for the names that scriptrun has."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst

import scriptrun
from scriptrun import exceptions
from scriptrun.migration import workspace_usage
from scriptrun.migration.code import constants, dotted_names, imports, star_imports
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program
from scriptrun.migration.findings import LEFT, LOOK, REWRITTEN
from scriptrun.migration.rewrite_program import Result, Told

#: azureml names that differ from scriptrun's exports of the same name
_OTHERS = {
    ("azureml.core.runconfig", "Dataset"),
    ("azureml.core.runconfig", "DataPath"),
    ("azureml.core.runconfig", "Datastore"),
}
_DROPIN = "import scriptrun.dropin  # for the names of azureml that are left"


def home(module: str, name: str) -> str:
    """The scriptrun module that provides azureml's ``module.name``, or ""."""
    if module.startswith("azureml.train.hyperdrive"):
        return "scriptrun" if name in scriptrun.__all__ else ""
    if not module.startswith(("azureml.core", "azureml.data", "azureml.exceptions", "azureml._")):
        return ""
    if (module, name) in _OTHERS:
        return ""
    if name in exceptions.__all__:
        return "scriptrun.exceptions"
    return "scriptrun" if name in scriptrun.__all__ and name[0].isupper() else ""


def move(program: Program, alternative: Callable[[str, str], str | None]) -> Result:
    """Replace azureml imports with scriptrun's, and report what stays and why."""
    result = Result()
    written = dotted_names.move(program, home, _beyond)
    result.edits += written.edits
    result.told += written.told
    left = written.left
    for statement in program.nodes(cst.ImportFrom):
        if _module(program, statement).split(".")[0] == "azureml":
            _from(program, statement, result, left, alternative)
    if result.edits:
        result.told += _targets(program)
    if left and not _has_dropin(program):
        first = min(left, key=program.span)
        start = program.span(first)[0]
        indent = program.indent(first) or ""
        result.edits.append(Edit(start, start, f"{_DROPIN}{program.newline}{indent}"))
    return result


def _targets(program: Program) -> list[Told]:
    """Findings for compute targets that must exist in scriptrun (the drop-in adopts them)."""
    if "ComputeTarget" in program.text:
        return []  # the program creates its targets
    found: dict[str, int] = {}
    for node in program.nodes(cst.Arg, cst.Subscript):
        name: object = None
        if isinstance(node, cst.Arg):
            if node.keyword is not None and node.keyword.value == "compute_target":
                name = constants.constant(program, node.value)
        elif isinstance(node.value, cst.Attribute) and node.value.attr.value == "compute_targets":
            inner = node.slice[0].slice
            name = (
                constants.constant(program, inner.value) if isinstance(inner, cst.Index) else None
            )
        if isinstance(name, str) and name not in ("local", "amlcompute"):
            found.setdefault(name, program.line(node))
    advice = "Add it with scriptrun compute add or scriptrun compute alias."
    return [
        Told(line, LOOK, f"compute target {name}", "must exist in scriptrun", advice)
        for name, line in found.items()
    ]


def _module(program: Program, statement: cst.ImportFrom) -> str:
    if statement.module is None or statement.relative:
        return ""
    return program.source(statement.module)


def _has_dropin(program: Program) -> bool:
    names = [alias for each in program.nodes(cst.Import) for alias in each.names]
    return any(each.evaluated_name == "scriptrun.dropin" for each in names)


def _from(
    program: Program,
    statement: cst.ImportFrom,
    result: Result,
    left: list[cst.CSTNode],
    alternative: Callable[[str, str], str | None],
) -> None:
    module, line = _module(program, statement), program.line(statement)
    if isinstance(statement.names, cst.ImportStar):
        kind, reason = LOOK, "the names that it imports are uncertain"
        if not star_imports.free_names(program):
            kind, reason = LEFT, "the program uses none of its names"
        advice = "Import the names explicitly." if kind == LOOK else ""
        result.told.append(Told(line, kind, f"from {module} import *", reason, advice))
        left.append(statement)
        return
    if _is_hyperdrive(program, module, list(statement.names)):
        local = imports.local(statement.names[0])
        result.edits.append(Edit(*program.span(statement), f"import scriptrun as {local}"))
        told = f"now scriptrun, which has all names that the program uses from {local}"
        result.told.append(Told(line, REWRITTEN, f"{module}.hyperdrive", told))
        return
    homes: dict[str, list[cst.ImportAlias]] = {}
    for alias in statement.names:
        name = alias.evaluated_name
        new = "scriptrun" if _is_version(program, alias) else home(module, name)
        reason = _in_the_way(program, alias) if new else ""
        if new and not reason:
            homes.setdefault(new, []).append(alias)
            continue
        told = reason or f"scriptrun has no {name}; it works through scriptrun.dropin"
        instead = alternative(module, name)
        if instead and not reason:
            told = "scriptrun has no equivalent"
        kind = LOOK if instead and not reason else LEFT
        result.told.append(Told(line, kind, f"{module}.{name}", told, instead or ""))
    if sum(map(len, homes.values())) < len(statement.names):
        left.append(statement)
    for new, aliases in homes.items():
        names = ", ".join(each.evaluated_name for each in aliases)
        result.told.append(Told(line, REWRITTEN, f"{module}: {names}", f"now from {new}"))
    if homes:
        result.edits += _edits(program, statement, homes)


def _is_hyperdrive(program: Program, module: str, aliases: list[cst.ImportAlias]) -> bool:
    """Whether it imports ``azureml.train.hyperdrive``, and scriptrun has all names used of it."""
    if module != "azureml.train" or [each.evaluated_name for each in aliases] != ["hyperdrive"]:
        return False
    local = imports.local(aliases[0])
    users = [program.parent(user) for user in program.references(local, aliases[0])]
    return bool(users) and all(
        isinstance(each, cst.Attribute) and home(f"{module}.hyperdrive", each.attr.value)
        for each in users
    )


def _is_version(program: Program, alias: cst.ImportAlias) -> bool:
    """Whether it is the SDK's version and only displayed, so scriptrun's can replace it."""
    users = program.references(imports.local(alias), alias)
    return alias.evaluated_name == "VERSION" and all(
        dotted_names.is_shown(program, u) for u in users
    )


def _in_the_way(program: Program, alias: cst.ImportAlias) -> str:
    """Why scriptrun's class cannot replace this import, or ""."""
    if alias.evaluated_name != "Workspace":
        return ""
    local = imports.local(alias)
    return _asked(program, program.references(local, alias), local)


def _beyond(program: Program, users: list[cst.CSTNode], local: str) -> str:
    """Why scriptrun's class cannot replace these uses, or ""."""
    if not users or program.qualified(users[0]).rpartition(".")[2] != "Workspace":
        return ""
    return _asked(program, users, local)


def _asked(program: Program, users: list[cst.CSTNode], local: str) -> str:
    """Why these uses of ``Workspace`` (locally named ``local``) require the drop-in, or ""."""
    for user in users:
        above = program.parent(user)
        if isinstance(above, cst.Call) and above.func is user:
            return "Workspace(...) uses Azure's names, which only the drop-in accepts"
        if isinstance(above, cst.Attribute) and above.attr.value != "from_config":
            return (
                f"Workspace.{above.attr.value} uses Azure's names, which only the drop-in accepts"
            )
    return workspace_usage.beyond(program, local)


def _edits(
    program: Program, statement: cst.ImportFrom, homes: dict[str, list[cst.ImportAlias]]
) -> list[Edit]:
    assert not isinstance(statement.names, cst.ImportStar) and statement.module is not None
    moved = [alias for aliases in homes.values() for alias in aliases]
    renamed = any(_is_version(program, each) for each in moved)
    if len(homes) == 1 and len(moved) == len(statement.names) and not renamed:
        return [Edit(*program.span(statement.module), next(iter(homes)))]
    lines = [
        f"from {new} import {', '.join(_said(program, each) for each in aliases)}"
        for new, aliases in sorted(homes.items())
    ]
    between = f"{program.newline}{program.indent(statement) or ''}"
    start, end = program.span(statement)
    if len(moved) == len(statement.names):
        return [Edit(start, end, between.join(lines))]
    gone = {imports.local(alias) for alias in moved}
    stay = imports.without(program, statement, gone)
    return [*stay, Edit(start, start, between.join([*lines, ""]))]


def _said(program: Program, alias: cst.ImportAlias) -> str:
    local = imports.local(alias)
    name = dotted_names.VERSION if _is_version(program, alias) else alias.evaluated_name
    return name if local == name else f"{name} as {local}"
