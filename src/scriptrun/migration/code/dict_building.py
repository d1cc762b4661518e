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
_ELSEWHEN = (cst.For, cst.While, cst.FunctionDef, cst.Lambda, cst.ClassDef, cst.BaseComp)


class Step(NamedTuple):
    """A statement ``name[key] = value``."""

    statement: cst.Assign
    name: cst.Name
    key: cst.BaseExpression


def steps(
    program: Program, name: cst.Name, calls: list[cst.Call], spread: bool = False
) -> list[Step] | None:
    """The statements that fill the dictionary ``name`` before one of the ``calls`` takes it.

    The calls take it as script_params, or as ``**name`` with ``spread``. None if anything else may
    use it, or unless each key is set exactly once, in the block that creates it.
    """
    literal = constants.bound(program, name)
    made = _keys(program, literal, spread) if literal is not None else None
    if literal is None or made is None or name.value in program.hidden:
        return None
    found, first = [], len(program.text)
    for each in program.references(name.value, name):
        if _is_given(program, each, calls, spread):
            first = min(first, program.span(each)[0])
            continue
        step = _step(program, each)
        if step is None:
            return None
        found.append(step)
    if not found:
        return []
    if len(program.assignments(name.value, name)) != 1:
        return None
    keys = [*made, *[constants.constant(program, each.key) for each in found]]
    if len(set(keys)) < len(keys) or not all(isinstance(key, str) for key in keys):
        return None
    certain = all(_runs_so(program, literal, each, first, spread) for each in found)
    return found if certain else None


def _keys(program: Program, literal: cst.BaseExpression, spread: bool) -> list[object] | None:
    """The keys with which the dictionary is created, or None if it is not a plain one."""
    if isinstance(literal, cst.Dict):
        pairs = [each for each in literal.elements if isinstance(each, cst.DictElement)]
        return [constants.constant(program, each.key) for each in pairs]
    is_call = isinstance(literal, cst.Call) and program.source(literal.func) == "dict"
    if not spread or not is_call or not isinstance(literal, cst.Call):
        return None
    return [arg.keyword.value if arg.keyword else constants.UNKNOWN for arg in literal.args]


def _is_given(program: Program, node: cst.CSTNode, calls: list[cst.Call], spread: bool) -> bool:
    arg = program.parent(node)
    if spread:
        return isinstance(arg, cst.Arg) and arg.star == "**" and program.parent(arg) in calls
    if not isinstance(arg, cst.Arg) or arg.keyword is None:
        return False
    return arg.keyword.value == "script_params" and program.parent(arg) in calls


def _step(program: Program, name: cst.CSTNode) -> Step | None:
    """The ``name[key] = value`` statement that contains ``name``, or None."""
    item = program.parent(name)
    above = program.parent(item) if isinstance(item, cst.Subscript) else None
    whole = program.parent(above) if isinstance(above, cst.AssignTarget) else None
    if not isinstance(item, cst.Subscript) or not isinstance(whole, cst.Assign):
        return None
    index = item.slice[0].slice
    one = len(item.slice) == len(whole.targets) == 1 and isinstance(index, cst.Index)
    if not one or not isinstance(name, cst.Name) or item.value is not name:
        return None
    assert isinstance(index, cst.Index)
    return Step(whole, name, index.value)


def _runs_so(
    program: Program, literal: cst.BaseExpression, step: Step, first: int, always: bool
) -> bool:
    """Whether the step runs at most once per created dictionary, and before its use.

    With ``always``, it must also run unconditionally.
    """
    made, taken = program.span(literal)[1], program.span(step.statement)
    if not made <= taken[0] or taken[1] > first:
        return False
    value = step.statement.value
    if datastores.reference(program, value) is not None:
        return False
    is_list = isinstance(value, cst.Name) and isinstance(constants.follow(program, value), cst.List)
    if is_list and isinstance(value, cst.Name) and constants.is_changed(program, value):
        return False
    block = next(each for each in program.above(literal) if isinstance(each, _BLOCKS))
    for each in program.above(step.statement):
        if each is block:
            return True
        if isinstance(each, _ELSEWHEN) or (always and isinstance(each, _BLOCKS)):
            return False
    return False


_BLOCKS = (cst.IndentedBlock, cst.Module, cst.SimpleStatementSuite)


def edits(program: Program, step: Step) -> list[Edit]:
    """The edits that make the step append to a list."""
    start, end = program.span(step.statement)
    value = step.statement.value
    lead = f"{step.name.value} += [{program.source(step.key)}"
    text = script_params.word(program, value)
    if text is not None:
        return [Edit(start, end, f"{lead}, {text}]" if text else f"{lead}]")]
    return [Edit(start, end - len(program.source(value)), f"{lead}, "), Edit(end, end, "]")]
