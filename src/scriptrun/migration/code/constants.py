"""Values that static analysis can be sure of: constants, and names bound once."""

from __future__ import annotations

import ast
from collections.abc import Iterable

import libcst as cst
from libcst import metadata

from scriptrun.migration.code.program import Program

#: the value is uncertain
UNKNOWN = object()


def resolve(program: Program, node: cst.BaseExpression) -> cst.BaseExpression:
    """Replace a name by its value where that is certain (see ``bound_value``)."""
    for _ in range(20):
        if not isinstance(node, cst.Name):
            break
        value = bound_value(program, node)
        if value is None:
            break
        node = value
    return node


def bound_value(program: Program, name: cst.Name) -> cst.BaseExpression | None:
    """The value that a plain assignment certainly gives ``name`` at this point, else None.

    A name with several bindings has the value of the last one before it, provided that all the
    bindings and the name are in the same block.
    """
    target = _definition(program, name)
    parent = program.parent(target) if target is not None else None
    if isinstance(parent, cst.AnnAssign):
        return parent.value
    if isinstance(parent, cst.Element):
        return _element_value(program, parent)
    assignment = program.parent(parent) if isinstance(parent, cst.AssignTarget) else None
    return (
        assignment.value
        if isinstance(assignment, cst.Assign) and len(assignment.targets) == 1
        else None
    )


def _definition(program: Program, name: cst.Name) -> cst.CSTNode | None:
    """The node that binds ``name`` for this use, or None."""
    assignments = program.assignments(name.value, name)
    nodes = [
        assignment.node for assignment in assignments if isinstance(assignment, metadata.Assignment)
    ]
    if len(nodes) < len(assignments) or not nodes:
        return None
    if len(nodes) == 1:
        return nodes[0]
    blocks = {id(_enclosing_block(program, node)) for node in nodes}
    statement = _statement_in_block(program, name, _enclosing_block(program, nodes[0]))
    if len(blocks) > 1 or statement is None:
        return None
    before = [
        candidate for candidate in nodes if program.span(candidate)[0] < program.span(statement)[0]
    ]
    return max(before, key=lambda item: program.span(item)[0], default=None)


_BLOCKS = (cst.IndentedBlock, cst.Module, cst.SimpleStatementSuite)
#: code that runs later than its position suggests
_DEFERRED = (cst.FunctionDef, cst.Lambda, cst.ClassDef, cst.GeneratorExp)


def _enclosing_block(program: Program, node: cst.CSTNode) -> cst.CSTNode | None:
    return next(
        (ancestor for ancestor in program.ancestors(node) if isinstance(ancestor, _BLOCKS)), None
    )


def _statement_in_block(
    program: Program, node: cst.CSTNode, block: cst.CSTNode | None
) -> cst.CSTNode | None:
    """The statement of ``block`` that contains ``node`` and runs it immediately, or None."""
    statement = node
    for ancestor in program.ancestors(node):
        if ancestor is block:
            return statement
        if isinstance(ancestor, _DEFERRED):
            return None
        statement = ancestor
    return None


def _element_value(program: Program, element: cst.Element) -> cst.BaseExpression | None:
    """The value of one target of ``a, b = 1, 2``: the element at the same position."""
    sequence = program.parent(element)
    assign_target = program.parent(sequence) if sequence is not None else None
    assignment = (
        program.parent(assign_target) if isinstance(assign_target, cst.AssignTarget) else None
    )
    if not isinstance(assignment, cst.Assign) or len(assignment.targets) > 1:
        return None
    assert isinstance(sequence, cst.Tuple | cst.List)
    values = assignment.value
    if not isinstance(values, cst.Tuple | cst.List) or len(values.elements) != len(
        sequence.elements
    ):
        return None
    if any(isinstance(item, cst.StarredElement) for item in (*sequence.elements, *values.elements)):
        return None
    return values.elements[
        next(index for index, e in enumerate(sequence.elements) if e is element)
    ].value


def binding_statement(program: Program, name: cst.Name) -> cst.Assign | None:
    """The only assignment of ``name``, if it has no other target; else None."""
    assignments = program.assignments(name.value, name)
    target = _definition(program, name)
    parent = program.parent(target) if target is not None and len(assignments) == 1 else None
    assignment = program.parent(parent) if isinstance(parent, cst.AssignTarget) else None
    return (
        assignment if isinstance(assignment, cst.Assign) and len(assignment.targets) == 1 else None
    )


def constant(program: Program, node: cst.BaseExpression) -> object:
    """The value of ``node`` if it is a literal or a list of literals, else UNKNOWN."""
    node = resolve(program, node)
    if isinstance(node, cst.List | cst.Tuple):
        values = [constant(program, item.value) for item in node.elements]
        has_no_stars = all(isinstance(element, cst.Element) for element in node.elements)
        return values if has_no_stars and UNKNOWN not in values else UNKNOWN
    try:
        return ast.literal_eval(program.source(node).strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return UNKNOWN


def may_change(program: Program, name: cst.Name, exempt_calls: Iterable[cst.CSTNode] = ()) -> bool:
    """Whether any use of ``name`` may modify its value.

    Every use counts, except as an argument of one of the calls ``exempt_calls``.
    """
    if name.value in program.hidden:
        return True
    exempt = list(exempt_calls)
    for use in program.references(name.value, name):
        parent = program.parent(use)
        call = program.parent(parent) if isinstance(parent, cst.Arg) else None
        if use is name or any(call is exempt_call for exempt_call in exempt):
            continue
        return True
    return False


def is_stable(program: Program, node: cst.BaseExpression) -> bool:
    """Whether ``node`` has the same value everywhere: only literals, and names bound once."""
    for name in _name_nodes(node):
        if len(program.assignments(name.value, name)) != 1:
            return False
    unstable_kinds = (
        cst.Call,
        cst.Await,
        cst.Yield,
        cst.NamedExpr,
        cst.Lambda,
        cst.ListComp,
        cst.DictComp,
    )
    return not any(isinstance(part, unstable_kinds) for part in _descendants(node))


def is_pure(node: cst.BaseExpression) -> bool:
    """Whether ``node`` may be evaluated twice: a name, an attribute, an item or a literal."""
    if isinstance(node, cst.Name | cst.SimpleString | cst.Integer | cst.Float):
        return True
    if isinstance(node, cst.Attribute):
        return is_pure(node.value)
    if isinstance(node, cst.Subscript):
        slices = [element.slice for element in node.slice]
        plain = all(isinstance(index, cst.Index) and is_pure(index.value) for index in slices)
        return plain and is_pure(node.value)
    return False


def _descendants(node: cst.CSTNode) -> Iterable[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _descendants(child)


def _name_nodes(node: cst.CSTNode) -> Iterable[cst.Name]:
    if isinstance(node, cst.Name):
        yield node
    elif isinstance(node, cst.Attribute | cst.Arg):
        yield from _name_nodes(node.value)
    else:
        for child in node.children:
            yield from _name_nodes(child)
