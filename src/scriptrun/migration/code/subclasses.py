"""Subclasses that only call ``super().__init__`` with settings."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration.code.program import Program


def base_class(program: Program, call: cst.Call) -> cst.Name | None:
    """The base class whose ``__init__`` ``call`` invokes through ``super()``, else None.

    The subclass has one base and only this call, and the program uses it only by calling it.
    """
    if not isinstance(call.func, cst.Attribute) or call.func.attr.value != "__init__":
        return None
    owner = program.enclosing(call, cst.ClassDef)
    if (
        owner is None
        or super_call(program, owner) is not call
        or not _is_only_called(program, owner)
    ):
        return None
    base_name = owner.bases[0].value
    return base_name if isinstance(base_name, cst.Name) else None


def super_call(program: Program, class_node: cst.ClassDef) -> cst.Call | None:
    """The ``super().__init__`` call if the class ``class_node`` contains nothing else, or None."""
    plain = len(class_node.bases) == 1 and not (
        class_node.keywords or class_node.decorators or class_node.bases[0].star
    )
    methods = _without_docstring(class_node.body)
    if not plain or len(methods) != 1 or not isinstance(methods[0], cst.FunctionDef):
        return None
    function = methods[0]
    if function.name.value != "__init__" or function.decorators or not function.params.params:
        return None
    lines = _without_docstring(function.body)
    line = lines[0] if len(lines) == 1 else None
    statements = list(line.body) if isinstance(line, cst.SimpleStatementLine) else []
    call = (
        statements[0].value
        if len(statements) == 1 and isinstance(statements[0], cst.Expr)
        else None
    )
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
        return None
    super_forms = (
        f"super({class_node.name.value}, {function.params.params[0].name.value})",
        "super()",
    )
    is_super = program.source(call.func.value) in super_forms and call.func.attr.value == "__init__"
    return call if is_super else None


def self_name(program: Program, call: cst.Call) -> str:
    """The name of the first parameter (``self``) of the method that contains ``call``."""
    function = next(
        ancestor for ancestor in program.ancestors(call) if isinstance(ancestor, cst.FunctionDef)
    )
    return function.params.params[0].name.value


def find_super_call(program: Program, name: cst.BaseExpression) -> cst.Call | None:
    """The ``super().__init__`` call of the class ``name``, or None."""
    if not isinstance(name, cst.Name):
        return None
    nodes = [
        getattr(assignment, "node", None) for assignment in program.assignments(name.value, name)
    ]
    class_node = nodes[0] if len(nodes) == 1 else None
    call = super_call(program, class_node) if isinstance(class_node, cst.ClassDef) else None
    return call if call is not None and base_class(program, call) is not None else None


def _is_only_called(program: Program, class_node: cst.ClassDef) -> bool:
    name = class_node.name
    if name.value in program.hidden or len(program.assignments(name.value, class_node)) != 1:
        return False
    for use in program.references(name.value, class_node):
        parent = program.parent(use)
        is_inside = any(ancestor is class_node for ancestor in program.ancestors(use))
        if not is_inside and not (isinstance(parent, cst.Call) and parent.func is use):
            return False
    return True


def _without_docstring(body: cst.BaseSuite) -> list[cst.CSTNode]:
    """The statements of ``body`` without its docstring."""
    lines = list(body.body)
    first = lines[0] if lines else None
    statement = first.body[0] if isinstance(first, cst.SimpleStatementLine) else None
    if isinstance(statement, cst.Expr) and isinstance(statement.value, cst.SimpleString):
        return list(lines[1:])
    return lines
