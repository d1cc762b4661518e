"""Values that static analysis can be sure of: constants, and names bound once."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

import libcst as cst
from libcst import metadata

from scriptrun.migration.code.program import Program

#: the value is uncertain
UNKNOWN: Any = object()


def follow(program: Program, node: cst.BaseExpression) -> cst.BaseExpression:
    """Replace a name by its value where that is certain (see ``bound_value``)."""
    for _ in range(20):
        if not isinstance(node, cst.Name):
            break
        value = bound(program, node)
        if value is None:
            break
        node = value
    return node


def bound(program: Program, name: cst.Name) -> cst.BaseExpression | None:
    """The value that a plain assignment certainly gives ``name`` at this point, else None.

    A name with several bindings has the value of the last one before it, provided that all the
    bindings and the name are in the same block.
    """
    target = _definition(program, name)
    above = program.parent(target) if target is not None else None
    if isinstance(above, cst.AnnAssign):
        return above.value
    if isinstance(above, cst.Element):
        return _element_value(program, above)
    whole = program.parent(above) if isinstance(above, cst.AssignTarget) else None
    return whole.value if isinstance(whole, cst.Assign) and len(whole.targets) == 1 else None


def _definition(program: Program, name: cst.Name) -> cst.CSTNode | None:
    """The node that binds ``name`` for this use, or None."""
    found = program.assignments(name.value, name)
    nodes = [each.node for each in found if isinstance(each, metadata.Assignment)]
    if len(nodes) < len(found) or not nodes:
        return None
    if len(nodes) == 1:
        return nodes[0]
    blocks = {id(_block(program, each)) for each in nodes}
    user = _part_of(program, name, _block(program, nodes[0]))
    if len(blocks) > 1 or user is None:
        return None
    before = [each for each in nodes if program.span(each)[0] < program.span(user)[0]]
    return max(before, key=lambda each: program.span(each)[0], default=None)


_BLOCKS = (cst.IndentedBlock, cst.Module, cst.SimpleStatementSuite)
#: code that runs later than its position suggests
_LATER = (cst.FunctionDef, cst.Lambda, cst.ClassDef, cst.GeneratorExp)


def _block(program: Program, node: cst.CSTNode) -> cst.CSTNode | None:
    return next((each for each in program.above(node) if isinstance(each, _BLOCKS)), None)


def _part_of(program: Program, node: cst.CSTNode, block: cst.CSTNode | None) -> cst.CSTNode | None:
    """The statement of ``block`` that contains ``node`` and runs it immediately, or None."""
    last = node
    for each in program.above(node):
        if each is block:
            return last
        if isinstance(each, _LATER):
            return None
        last = each
    return None


def _element_value(program: Program, element: cst.Element) -> cst.BaseExpression | None:
    """The value of one target of ``a, b = 1, 2``: the element at the same position."""
    listed = program.parent(element)
    target = program.parent(listed) if listed is not None else None
    whole = program.parent(target) if isinstance(target, cst.AssignTarget) else None
    if not isinstance(whole, cst.Assign) or len(whole.targets) > 1:
        return None
    assert isinstance(listed, cst.Tuple | cst.List)
    right = whole.value
    if not isinstance(right, cst.Tuple | cst.List) or len(right.elements) != len(listed.elements):
        return None
    if any(isinstance(each, cst.StarredElement) for each in (*listed.elements, *right.elements)):
        return None
    return right.elements[next(at for at, e in enumerate(listed.elements) if e is element)].value


def binding(program: Program, name: cst.Name) -> cst.Assign | None:
    """The only assignment of ``name``, if it has no other target; else None."""
    found = program.assignments(name.value, name)
    target = _definition(program, name)
    above = program.parent(target) if target is not None and len(found) == 1 else None
    whole = program.parent(above) if isinstance(above, cst.AssignTarget) else None
    return whole if isinstance(whole, cst.Assign) and len(whole.targets) == 1 else None


def constant(program: Program, node: cst.BaseExpression) -> Any:
    """The value of ``node`` if it is a literal or a list of literals, else UNKNOWN."""
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
    """Whether any use of ``name`` may modify its value.

    Every use counts, except as an argument of one of the calls ``by``.
    """
    if name.value in program.hidden:
        return True
    allowed = list(by)
    for each in program.references(name.value, name):
        above = program.parent(each)
        call = program.parent(above) if isinstance(above, cst.Arg) else None
        if each is name or any(call is one for one in allowed):
            continue
        return True
    return False


def is_steady(program: Program, node: cst.BaseExpression) -> bool:
    """Whether ``node`` has the same value everywhere: only literals, and names bound once."""
    for each in _names(node):
        if len(program.assignments(each.value, each)) != 1:
            return False
    calm = (cst.Call, cst.Await, cst.Yield, cst.NamedExpr, cst.Lambda, cst.ListComp, cst.DictComp)
    return not any(isinstance(each, calm) for each in _all(node))


def is_pure(node: cst.BaseExpression) -> bool:
    """Whether ``node`` may be evaluated twice: a name, an attribute, an item or a literal."""
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
