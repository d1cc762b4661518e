"""Dictionaries built by ``name[key] = value`` statements that each add a new key."""

from __future__ import annotations

from typing import NamedTuple

import libcst as cst

from scriptrun.migration import datastores
from scriptrun.migration.code import constants
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators import script_params

#: code that runs later than its position suggests, or repeatedly
_DEFERRED_OR_REPEATED = (
    cst.For,
    cst.While,
    cst.FunctionDef,
    cst.Lambda,
    cst.ClassDef,
    cst.BaseComp,
)


class BuildingStep(NamedTuple):
    """A statement ``name[key] = value``."""

    statement: cst.Assign
    name: cst.Name
    key: cst.BaseExpression


def building_steps(
    program: Program, name: cst.Name, calls: list[cst.Call], spread: bool = False
) -> list[BuildingStep] | None:
    """The statements that fill the dictionary ``name`` before one of the ``calls`` takes it.

    The calls take it as script_params, or as ``**name`` with ``spread``. None if anything else may
    use it, or unless each key is set exactly once, in the block that creates it.
    """
    literal = constants.bound_value(program, name)
    initial_keys = _keys(program, literal, spread) if literal is not None else None
    if literal is None or initial_keys is None or name.value in program.hidden:
        return None
    steps, first_use = [], len(program.text)
    for use in program.references(name.value, name):
        if _is_passed(program, use, calls, spread):
            first_use = min(first_use, program.span(use)[0])
            continue
        step = _step(program, use)
        if step is None:
            return None
        steps.append(step)
    if not steps:
        return []
    if len(program.assignments(name.value, name)) != 1:
        return None
    keys = [*initial_keys, *[constants.constant(program, item.key) for item in steps]]
    if len(set(keys)) < len(keys) or not all(isinstance(key, str) for key in keys):
        return None
    certain = all(
        _runs_once_before(program, literal, candidate, first_use, spread) for candidate in steps
    )
    return steps if certain else None


def has_uncertain_values(program: Program, steps: list[BuildingStep]) -> bool:
    """Whether a step may add None, "" or a list, which become arguments in different ways."""
    return any(script_params.is_uncertain(program, step.statement.value) for step in steps)


def _keys(program: Program, literal: cst.BaseExpression, spread: bool) -> list[object] | None:
    """The keys with which the dictionary is created, or None if it is not a plain one."""
    if isinstance(literal, cst.Dict):
        pairs = [element for element in literal.elements if isinstance(element, cst.DictElement)]
        return [constants.constant(program, pair.key) for pair in pairs]
    is_call = isinstance(literal, cst.Call) and program.source(literal.func) == "dict"
    if not spread or not is_call or not isinstance(literal, cst.Call):
        return None
    return [arg.keyword.value if arg.keyword else constants.UNKNOWN for arg in literal.args]


def _is_passed(program: Program, node: cst.CSTNode, calls: list[cst.Call], spread: bool) -> bool:
    arg = program.parent(node)
    if spread:
        return isinstance(arg, cst.Arg) and arg.star == "**" and program.parent(arg) in calls
    if not isinstance(arg, cst.Arg) or arg.keyword is None:
        return False
    return arg.keyword.value == "script_params" and program.parent(arg) in calls


def _step(program: Program, name: cst.CSTNode) -> BuildingStep | None:
    """The ``name[key] = value`` statement that contains ``name``, or None."""
    item = program.parent(name)
    target = program.parent(item) if isinstance(item, cst.Subscript) else None
    assignment = program.parent(target) if isinstance(target, cst.AssignTarget) else None
    if not isinstance(item, cst.Subscript) or not isinstance(assignment, cst.Assign):
        return None
    index = item.slice[0].slice
    is_single = len(item.slice) == len(assignment.targets) == 1 and isinstance(index, cst.Index)
    if not is_single or not isinstance(name, cst.Name) or item.value is not name:
        return None
    assert isinstance(index, cst.Index)
    return BuildingStep(assignment, name, index.value)


def _runs_once_before(
    program: Program,
    literal: cst.BaseExpression,
    step: BuildingStep,
    first_use: int,
    unconditionally: bool,
) -> bool:
    """Whether the step runs at most once per created dictionary, and before its use.

    With ``unconditionally``, it must also run unconditionally.
    """
    creation_end, step_span = program.span(literal)[1], program.span(step.statement)
    if not creation_end <= step_span[0] or step_span[1] > first_use:
        return False
    value = step.statement.value
    if datastores.find_reference(program, value) is not None:
        return False
    is_list = isinstance(value, cst.Name) and isinstance(
        constants.resolve(program, value), cst.List
    )
    if is_list and isinstance(value, cst.Name) and constants.may_change(program, value):
        return False
    block = next(outer for outer in program.ancestors(literal) if isinstance(outer, _BLOCKS))
    for ancestor in program.ancestors(step.statement):
        if ancestor is block:
            return True
        if isinstance(ancestor, _DEFERRED_OR_REPEATED) or (
            unconditionally and isinstance(ancestor, _BLOCKS)
        ):
            return False
    return False


_BLOCKS = (cst.IndentedBlock, cst.Module, cst.SimpleStatementSuite)


def edits(program: Program, step: BuildingStep) -> list[Edit]:
    """The edits that make the step append to a list."""
    start, end = program.span(step.statement)
    value = step.statement.value
    prefix = f"{step.name.value} += [{program.source(step.key)}"
    text = script_params.argument_code(program, value)
    if text is not None:
        return [Edit(start, end, f"{prefix}, {text}]" if text else f"{prefix}]")]
    return [Edit(start, end - len(program.source(value)), f"{prefix}, "), Edit(end, end, "]")]
