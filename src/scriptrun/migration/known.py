"""What is certain about a value: constants, and names that are bound once and never changed."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

import libcst as cst
from libcst import metadata

from scriptrun.migration.program import Program

#: nothing certain is known
UNKNOWN: Any = object()


def follow(program: Program, node: cst.BaseExpression) -> cst.BaseExpression:
    """What ``node`` stands for: a name's value where it is bound once, by a plain assignment."""
    for _ in range(20):
        if not isinstance(node, cst.Name):
            break
        value = bound(program, node)
        if value is None:
            break
        node = value
    return node


def bound(program: Program, name: cst.Name) -> cst.BaseExpression | None:
    """The value of the one plain assignment that binds ``name``; None where that is not certain."""
    found = program.assignments(name.value, name)
    if len(found) != 1 or not isinstance(found[0], metadata.Assignment):
        return None
    target = program.parent(found[0].node)
    whole = program.parent(target) if target is not None else None
    if isinstance(target, cst.AnnAssign):
        return target.value
    if isinstance(target, cst.AssignTarget) and isinstance(whole, cst.Assign):
        return whole.value if len(whole.targets) == 1 else None
    return None


def binding(program: Program, name: cst.Name) -> cst.Assign | None:
    """The one plain assignment that binds ``name``, or None."""
    found = program.assignments(name.value, name)
    if bound(program, name) is None:
        return None
    assert isinstance(found[0], metadata.Assignment)
    return next(
        (each for each in program.above(found[0].node) if isinstance(each, cst.Assign)), None
    )


def constant(program: Program, node: cst.BaseExpression) -> Any:
    """The value of ``node`` where it is certain (literals, and lists of them), else UNKNOWN."""
    node = follow(program, node)
    if isinstance(node, cst.List | cst.Tuple):
        listed = [constant(program, each.value) for each in node.elements]
        plain = all(isinstance(each, cst.Element) for each in node.elements)
        return listed if plain and UNKNOWN not in listed else UNKNOWN
    try:
        return ast.literal_eval(program.source(node).strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return UNKNOWN


def is_changed(program: Program, name: cst.Name, by: Iterable[cst.CSTNode] = ()) -> bool:
    """Whether what ``name`` holds may be changed anywhere: it is handed on, written to or called.

    Being an argument of one of the calls ``by`` is no change.
    """
    allowed = list(by)
    for each in program.references(name.value, name):
        above = program.parent(each)
        call = program.parent(above) if isinstance(above, cst.Arg) else None
        if each is name or any(call is one for one in allowed):
            continue
        return True
    return False


def is_steady(program: Program, node: cst.BaseExpression) -> bool:
    """Whether ``node`` means the same wherever it stands: literals, and names bound just once."""
    for each in _names(node):
        if len(program.assignments(each.value, each)) != 1:
            return False
    calm = (cst.Call, cst.Await, cst.Yield, cst.NamedExpr, cst.Lambda, cst.ListComp, cst.DictComp)
    return not any(isinstance(each, calm) for each in _all(node))


def is_pure(node: cst.BaseExpression) -> bool:
    """Whether ``node`` may be written twice: a name, an attribute or an item of one."""
    if isinstance(node, cst.Name | cst.SimpleString | cst.Integer | cst.Float):
        return True
    if isinstance(node, cst.Attribute):
        return is_pure(node.value)
    if isinstance(node, cst.Subscript):
        inner = [each.slice for each in node.slice]
        plain = all(isinstance(each, cst.Index) and is_pure(each.value) for each in inner)
        return plain and is_pure(node.value)
    return False


def _all(node: cst.CSTNode) -> Iterable[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _all(child)


def _names(node: cst.CSTNode) -> Iterable[cst.Name]:
    if isinstance(node, cst.Name):
        yield node
    elif isinstance(node, cst.Attribute | cst.Arg):
        yield from _names(node.value)
    else:
        for child in node.children:
            yield from _names(child)
