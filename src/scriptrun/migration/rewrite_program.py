"""Rewrite the Estimators of one program, and everything that depends on them."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration import loaded_runconfigs, runconfigs
from scriptrun.migration.code import constants, dict_building, subclasses
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.imports import Imports
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators import call as estimator_call
from scriptrun.migration.estimators import class_references, script_params
from scriptrun.migration.estimators import usages as estimator_usages
from scriptrun.migration.estimators.call import Refused
from scriptrun.migration.estimators.conversion import Rewriting, Writer
from scriptrun.migration.findings import LEFT, LOOK, REWRITTEN
from scriptrun.spec.values import Value, fresh


class Told(Value):
    """A finding in a program; ``line`` is a line of its text."""

    line: int
    kind: str
    what: str
    reason: str
    advice: str = ""


class Result(Value, frozen=False):
    """Edits of a program's text, and the findings."""

    edits: list[Edit] = fresh(default_factory=list)
    told: list[Told] = fresh(default_factory=list)


def rewrite(program: Program, ours: bool = False, folder: str = ".") -> Result:
    """Rewrite the Estimators of ``program`` to ScriptRunConfigs (scriptrun's with ``ours``).

    ``folder`` is the program's directory, in which it runs.
    """
    calls = estimator_call.estimator_calls(program)
    done, refused = _write_all(program, calls, ours)
    result = Result()
    for call, problem in refused.items():
        _tell(result, program, call, problem.kind, problem.reason, problem.advice)
    for call in estimator_call.unnamed(program):
        reason = "the names of an import * are uncertain"
        _tell(result, program, call, LOOK, reason, "Import it explicitly.")
    imports = Imports(program)
    for place in class_references.places(program):
        result.told.append(Told(program.line(place.node), *place[1:]))
    used = estimator_usages.Usages(program, [each.call for each in done], list(refused))
    taken = imports.taken({name for each in done for name in each.needs})
    if taken:
        for each in done:
            reason = f"the program uses the name {', '.join(taken)} for something else"
            _tell(result, program, each.call, LOOK, reason)
        return result
    for each in done:
        result.edits += each.edits
        result.edits += _lists(program, each, calls)
        for name in sorted(each.needs):
            imports.need(name, each.call, _anchor(program, each.call))
        notes = "; ".join(["is now a ScriptRunConfig", *each.notes])
        _tell(result, program, each.call, REWRITTEN, notes)
    result.edits = list(dict.fromkeys(result.edits))
    _free(program, done, result)
    taken_apart = _run_configurations(program, result, imports, folder, ours)
    for name, node in used.needs:
        imports.need(name, node, _anchor(program, node))
    result.edits += used.edits
    result.told += [Told(program.line(node), LOOK, *rest) for node, *rest in used.looks]
    result.told += [Told(program.line(node), REWRITTEN, *rest) for node, *rest in used.done]
    _drop_imports(program, [*(each.call for each in done), *used.steps, *taken_apart], imports)
    _drop_kinds(program, done, result, imports)
    result.edits += imports.edits()
    return result


def _run_configurations(
    program: Program, result: Result, imports: Imports, folder: str, ours: bool
) -> list[cst.Call]:
    """Remove the RunConfigurations that are not needed; return the removed calls."""
    gone = []
    for call in runconfigs.calls(program):
        try:
            taken = runconfigs.take_apart(program, call, folder, ours)
            for name in imports.taken(sorted(taken.needs)):
                raise Refused(f"the program uses the name {name} for something else")
        except Refused as problem:
            advice = problem.advice
            if loaded_runconfigs.is_load(program, call) and not advice:
                advice = "To show it as code, run: scriptrun import FILE"
            _tell(result, program, call, LEFT, problem.reason, advice)
            continue
        result.edits += taken.edits
        for name in sorted(taken.needs):
            imports.need(name, call, _anchor(program, call))
        what = f"the settings of {taken.file}" if taken.file else "its settings"
        _tell(result, program, call, REWRITTEN, f"the ScriptRunConfig now has {what}")
        gone.append(call)
    return gone


def _tell(
    result: Result, program: Program, call: cst.Call, kind: str, reason: str, advice: str = ""
) -> None:
    what = program.source(call.func)
    result.told.append(Told(program.line(call), kind, what, reason, advice))


def _write_all(
    program: Program, calls: list[cst.Call], ours: bool
) -> tuple[list[Rewriting], dict[cst.Call, Refused]]:
    """Rewrite all calls; return the rewrites and the problems of the other calls.

    A dictionary becomes a list only if every call that takes it is rewritten.
    """
    lists = _shared(program, calls)
    for _ in range(len(calls) + 1):
        done, refused = [], {}
        for call in calls:
            try:
                done.append(Writer(program, call, lists, "ScriptRunConfig", ours).write())
            except Refused as problem:
                refused[call] = problem
        keep = {each for each in lists if not _takes(program, each, refused)}
        if keep == lists:
            break
        lists = keep
    return done, refused


def _shared(program: Program, calls: list[cst.Call]) -> set[cst.Dict]:
    """Named dictionaries that are used only as script_params of the calls.

    Statements ``name[key] = value`` may also fill them.
    """
    found = set()
    for call in calls:
        for arg in call.args:
            if arg.keyword is None or arg.keyword.value != "script_params":
                continue
            if not isinstance(arg.value, cst.Name):
                continue
            literal = constants.bound(program, arg.value)
            if (
                not isinstance(literal, cst.Dict)
                or script_params.of_literal(program, literal) is None
            ):
                continue
            if dict_building.steps(program, arg.value, calls) is not None:
                found.add(literal)
    return found


def _takes(program: Program, literal: cst.Dict, calls: dict[cst.Call, Refused]) -> bool:
    for call in calls:
        for arg in call.args:
            if isinstance(arg.value, cst.Name) and constants.bound(program, arg.value) is literal:
                return True
    return False


def _lists(program: Program, made: Rewriting, calls: list[cst.Call]) -> list[Edit]:
    """The edits that turn the named dictionary of a call into a list."""
    if made.list is None:
        return []
    changed = script_params.of_literal(program, made.list)
    added = [
        edit
        for arg in made.call.args
        if isinstance(arg.value, cst.Name) and constants.bound(program, arg.value) is made.list
        for step in dict_building.steps(program, arg.value, calls) or ()
        for edit in dict_building.edits(program, step)
    ]
    return [*(changed.edits if changed is not None else []), *added]


def _free(program: Program, done: list[Rewriting], result: Result) -> None:
    """Remove dictionaries of settings that are no longer used."""
    calls = [each.call for each in done]
    for name in {each.value: each for made in done for each in made.freed}.values():
        users = program.references(name.value, name)
        kept = [
            each
            for each in users
            if not any(call is above for above in program.above(each) for call in calls)
        ]
        statement = constants.binding(program, name)
        line = program.parent(statement) if statement is not None else None
        if (
            kept
            or name.value in program.hidden
            or statement is None
            or not isinstance(line, cst.SimpleStatementLine)
        ):
            continue
        if (
            len(line.body) == 1
            and program.indent(line) is not None
            and "#" not in program.source(statement)
        ):
            start, end = program.line_start(line), program.span(line)[1]
            result.edits.append(Edit(start, _next_line(program, end), ""))


def _next_line(program: Program, offset: int) -> int:
    starts, number = program.lines.starts, program.lines.line(offset)
    return starts[number] if number < len(starts) else len(program.text)


def _root(node: cst.BaseExpression) -> cst.Name | None:
    while isinstance(node, cst.Attribute):
        node = node.value
    return node if isinstance(node, cst.Name) else None


def _anchor(program: Program, call: cst.Call) -> cst.CSTNode:
    """The import that binds the called class."""
    root = _root(estimator_call.called(program, call))
    assert root is not None, "its name comes from an import"
    found = program.assignments(root.value, root)
    anchor: cst.CSTNode = getattr(found[0], "node")  # noqa: B009
    return anchor


def _drop_imports(program: Program, calls: list[cst.Call], imports: Imports) -> None:
    """Drop the imports of the rewritten classes, unless they are still used."""
    gone = {id(subclasses.base(program, each) or _root(each.func)) for each in calls}
    for call in calls:
        base = subclasses.base(program, call)
        root = base or _root(call.func)
        is_plain = (
            base or isinstance(call.func, cst.Name) or loaded_runconfigs.is_load(program, call)
        )
        if root is None or not is_plain:
            continue
        if all(id(user) in gone for user in program.references(root.value, root)):
            for each in program.assignments(root.value, root):
                anchor = getattr(each, "node", None)
                if isinstance(anchor, cst.ImportFrom):
                    imports.drop(anchor, root.value)


def _drop_kinds(program: Program, done: list[Rewriting], result: Result, imports: Imports) -> None:
    """Drop the imports of Mpi, Nccl etc. if all their uses are rewritten."""
    spans = [program.span(each.call) for each in done]
    spans += [(each.start, each.end) for each in result.edits if not each.text]
    scope = program.scope(program.module)
    for each in scope.assignments if scope is not None else ():
        node = getattr(each, "node", None)
        homes = {found.name for found in each.get_qualified_names_for(each.name)}
        if not isinstance(node, cst.ImportFrom) or not homes & _KINDS:
            continue
        places = [program.span(access.node) for access in each.references]
        inside = [any(a <= start and end <= b for a, b in spans) for start, end in places]
        if inside and all(inside):
            imports.drop(node, each.name)


_KINDS = {
    f"azureml.train.{module}.{name}"
    for module in ("dnn", "estimator", "_distributed_training")
    for name in ("Mpi", "Gloo", "Nccl", "ParameterServer")
}
