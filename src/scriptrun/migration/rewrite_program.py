"""Rewrite the Estimators of one program, and everything that depends on them."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from scriptrun.migration import loaded_runconfigs, runconfigs
from scriptrun.migration.code import alignment, constants, dict_building, subclasses
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.imports import Imports
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators import call as estimator_call
from scriptrun.migration.estimators import class_references, helper_placement, script_params
from scriptrun.migration.estimators import usages as estimator_usages
from scriptrun.migration.estimators.call import CannotRewrite
from scriptrun.migration.estimators.conversion import CallRewrite, ConfigWriter
from scriptrun.migration.findings import LEFT_ALONE, NEEDS_REVIEW, REWRITTEN
from scriptrun.spec.values import Value, fresh


class ProgramFinding(Value):
    """A finding in a program; ``line`` is a line of its text."""

    line: int
    kind: str
    what: str
    reason: str
    advice: str = ""


class RewriteResult(Value, frozen=False):
    """Edits of a program's text, and the findings."""

    edits: list[Edit] = fresh(default_factory=list)
    findings: list[ProgramFinding] = fresh(default_factory=list)


def rewrite(program: Program, for_scriptrun: bool = False, folder: str = ".") -> RewriteResult:
    """Rewrite the Estimators of ``program`` (to scriptrun's classes with ``for_scriptrun``).

    ``folder`` is the program's directory, in which it runs.
    """
    calls = estimator_call.estimator_calls(program)
    rewrites, problems = _rewrite_calls(program, calls, for_scriptrun)
    result = RewriteResult()
    for call, problem in problems.items():
        _add_finding(result, program, call, problem.kind, problem.reason, problem.advice)
    _report_star_imports(program, result)
    imports = Imports(program)
    annotated = _annotations(program, bool(rewrites and not problems), result)
    rewritten = [item.call for item in rewrites]
    usages = estimator_usages.Usages(program, rewritten, list(problems))
    conflicts = imports.find_conflicts({name for item in rewrites for name in item.needs})
    if conflicts:
        for call_rewrite in rewrites:
            reason = f"the program uses the name {', '.join(conflicts)} for something else"
            _add_finding(result, program, call_rewrite.call, NEEDS_REVIEW, reason)
        return result
    for call_rewrite in rewrites:
        result.edits += call_rewrite.edits
        result.edits += _list_edits(program, call_rewrite, calls)
        for name in sorted(call_rewrite.needs):
            imports.need(name, call_rewrite.call, _anchor(program, call_rewrite.call))
        notes = "; ".join(["is now a ScriptRunConfig", *call_rewrite.notes])
        _add_finding(result, program, call_rewrite.call, REWRITTEN, notes)
    users = [item.call for item in rewrites if item.needs_helper]
    result.edits = list(dict.fromkeys([*helper_placement.edits(program, users), *result.edits]))
    _remove_unused(program, rewrites, result)
    removed = _remove_run_configurations(program, result, imports, folder, for_scriptrun)
    for name, node in usages.needs:
        imports.need(name, node, _anchor(program, node))
    result.edits += usages.edits
    result.edits += [Edit(*program.span(node), "ScriptRunConfig") for node in annotated]
    result.findings += [
        ProgramFinding(program.line(node), NEEDS_REVIEW, *rest)
        for node, *rest in usages.review_notes
    ]
    result.findings += [
        ProgramFinding(program.line(node), REWRITTEN, *rest) for node, *rest in usages.changes
    ]
    calls = [*rewritten, *usages.steps, *usages.sweeps, *removed]
    _drop_imports(program, calls, imports, {id(node) for node in annotated})
    _drop_distribution_imports(program, rewrites, result, imports)
    result.edits += imports.edits()
    result.edits += alignment.edits(program, result.edits)
    return result


def _report_star_imports(program: Program, result: RewriteResult) -> None:
    for call in estimator_call.star_imported_calls(program):
        reason = "the names of an import * are uncertain"
        _add_finding(result, program, call, NEEDS_REVIEW, reason, "Import it explicitly.")


def _annotations(program: Program, is_rewritten: bool, result: RewriteResult) -> list[cst.CSTNode]:
    """The annotations to rewrite, if all Estimators are; other uses of classes are reported."""
    annotations = []
    references = [*class_references.find_references(program)]
    is_rewritten = is_rewritten and all(reference.is_annotation for reference in references)
    for reference in references:
        if is_rewritten:
            annotations.append(reference.node)
            continue
        result.findings.append(ProgramFinding(program.line(reference.node), *reference.finding))
    return annotations


def _remove_run_configurations(
    program: Program, result: RewriteResult, imports: Imports, folder: str, for_scriptrun: bool
) -> list[cst.Call]:
    """Remove the RunConfigurations that are not needed; return the removed calls."""
    removed = []
    for call in runconfigs.calls(program):
        try:
            removal = runconfigs.remove_run_config(program, call, folder, for_scriptrun)
            for name in imports.find_conflicts(sorted(removal.needs)):
                raise CannotRewrite(f"the program uses the name {name} for something else")
        except CannotRewrite as problem:
            advice = problem.advice
            if loaded_runconfigs.is_load(program, call) and not advice:
                advice = "To show it as code, run: scriptrun import FILE"
            _add_finding(result, program, call, LEFT_ALONE, problem.reason, advice)
            continue
        result.edits += removal.edits
        for name in sorted(removal.needs):
            imports.need(name, call, _anchor(program, call))
        source = f"the settings of {removal.file}" if removal.file else "its settings"
        _add_finding(result, program, call, REWRITTEN, f"the ScriptRunConfig now has {source}")
        removed.append(call)
    return removed


def _add_finding(
    result: RewriteResult,
    program: Program,
    call: cst.Call,
    kind: str,
    reason: str,
    advice: str = "",
) -> None:
    subject = program.source(call.func)
    result.findings.append(ProgramFinding(program.line(call), kind, subject, reason, advice))


def _rewrite_calls(
    program: Program, calls: list[cst.Call], for_scriptrun: bool
) -> tuple[list[CallRewrite], dict[cst.Call, CannotRewrite]]:
    """Rewrite all calls; return the rewrites and the problems of the other calls.

    A dictionary becomes a list only if every call that takes it is rewritten.
    """
    lists = _shared_dictionaries(program, calls)
    kept = frozenset(_kept_dictionaries(program, calls))
    for _ in range(len(calls) + 1):
        rewrites, problems = [], {}
        for call in calls:
            try:
                rewrites.append(
                    ConfigWriter(
                        program, call, lists, "ScriptRunConfig", for_scriptrun, kept
                    ).write()
                )
            except CannotRewrite as problem:
                problems[call] = problem
        remaining = {literal for literal in lists if not _takes_literal(program, literal, problems)}
        if remaining == lists:
            break
        lists = remaining
    return rewrites, problems


def _shared_dictionaries(program: Program, calls: list[cst.Call]) -> set[cst.Dict]:
    """Named dictionaries that are used only as script_params of the calls.

    Statements ``name[key] = value`` may also fill them.
    """
    shared = set()
    for call in calls:
        for arg in call.args:
            if arg.keyword is None or arg.keyword.value != "script_params":
                continue
            if not isinstance(arg.value, cst.Name):
                continue
            literal = constants.bound_value(program, arg.value)
            if (
                not isinstance(literal, cst.Dict)
                or script_params.convert_literal(program, literal) is None
            ):
                continue
            if dict_building.building_steps(program, arg.value, calls) is not None:
                shared.add(literal)
    return shared


def _kept_dictionaries(program: Program, calls: list[cst.Call]) -> Iterator[cst.Dict]:
    """The named dictionaries to which a statement adds a value that is uncertain."""
    for call in calls:
        for arg in call.args:
            if isinstance(arg.value, cst.Name):
                literal = constants.bound_value(program, arg.value)
                steps = dict_building.building_steps(program, arg.value, calls)
                if (
                    isinstance(literal, cst.Dict)
                    and steps
                    and dict_building.has_uncertain_values(program, steps)
                ):
                    yield literal


def _takes_literal(
    program: Program, literal: cst.Dict, calls: dict[cst.Call, CannotRewrite]
) -> bool:
    for call in calls:
        for arg in call.args:
            if (
                isinstance(arg.value, cst.Name)
                and constants.bound_value(program, arg.value) is literal
            ):
                return True
    return False


def _list_edits(program: Program, call_rewrite: CallRewrite, calls: list[cst.Call]) -> list[Edit]:
    """The edits that turn the named dictionary of a call into a list."""
    if call_rewrite.list is None:
        return []
    is_kept = call_rewrite.list in _kept_dictionaries(program, calls)
    conversion = script_params.convert_literal(program, call_rewrite.list, is_kept)
    if conversion is not None and conversion.uncertain:
        return conversion.edits
    added = [
        edit
        for arg in call_rewrite.call.args
        if isinstance(arg.value, cst.Name)
        and constants.bound_value(program, arg.value) is call_rewrite.list
        for step in dict_building.building_steps(program, arg.value, calls) or ()
        for edit in dict_building.edits(program, step)
    ]
    return [*(conversion.edits if conversion is not None else []), *added]


def _remove_unused(program: Program, rewrites: list[CallRewrite], result: RewriteResult) -> None:
    """Remove dictionaries of settings that are no longer used."""
    calls = [rewritten.call for rewritten in rewrites]
    for name in {
        freed_name.value: freed_name
        for call_rewrite in rewrites
        for freed_name in call_rewrite.freed
    }.values():
        uses = program.references(name.value, name)
        remaining = [
            use
            for use in uses
            if not any(call is ancestor for ancestor in program.ancestors(use) for call in calls)
        ]
        statement = constants.binding_statement(program, name)
        line = program.parent(statement) if statement is not None else None
        if (
            remaining
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
    root = _root(estimator_call.called_class(program, call))
    assert root is not None, "its name comes from an import"
    assignments = program.assignments(root.value, root)
    anchor: cst.CSTNode = getattr(assignments[0], "node")  # noqa: B009
    return anchor


def _drop_imports(
    program: Program, calls: list[cst.Call], imports: Imports, annotations: set[int]
) -> None:
    """Drop the imports of the rewritten classes, unless they are still used.

    ``annotations`` are the ids of the names that are rewritten, too.
    """
    rewritten_names = annotations | {
        id(subclasses.base_class(program, rewritten) or _root(rewritten.func))
        for rewritten in calls
    }
    for call in calls:
        base = subclasses.base_class(program, call)
        root = base or _root(call.func)
        is_plain = (
            base or isinstance(call.func, cst.Name) or loaded_runconfigs.is_load(program, call)
        )
        if root is None or not is_plain:
            continue
        if all(id(user) in rewritten_names for user in program.references(root.value, root)):
            for assignment in program.assignments(root.value, root):
                anchor = getattr(assignment, "node", None)
                if isinstance(anchor, cst.ImportFrom):
                    imports.drop(anchor, root.value)


def _drop_distribution_imports(
    program: Program, rewrites: list[CallRewrite], result: RewriteResult, imports: Imports
) -> None:
    """Drop the imports of Mpi, Nccl etc. if all their uses are rewritten."""
    spans = [program.span(rewritten.call) for rewritten in rewrites]
    spans += [(edit.start, edit.end) for edit in result.edits if not edit.text]
    scope = program.scope(program.module)
    for assignment in scope.assignments if scope is not None else ():
        node = getattr(assignment, "node", None)
        qualified_names = {
            qualified.name for qualified in assignment.get_qualified_names_for(assignment.name)
        }
        if not isinstance(node, cst.ImportFrom) or not qualified_names & _DISTRIBUTION_CLASSES:
            continue
        if not assignment.references and not imports.is_dropped_from(node):
            continue  # it may be there for another module
        use_spans = [program.span(access.node) for access in assignment.references]
        inside = [any(a <= start and end <= b for a, b in spans) for start, end in use_spans]
        if all(inside):
            imports.drop(node, assignment.name)


_DISTRIBUTION_CLASSES = {
    f"azureml.train.{module}.{name}"
    for module in ("dnn", "estimator", "_distributed_training")
    for name in ("Mpi", "Gloo", "Nccl", "ParameterServer")
}
