"""Subclasses that only call ``super().__init__`` with settings."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration.code.program import Program


def base(program: Program, call: cst.Call) -> cst.Name | None:
    """The base class whose ``__init__`` ``call`` invokes through ``super()``, else None.

    The subclass has one base and only this call, and the program uses it only by calling it.
    """
    if not isinstance(call.func, cst.Attribute) or call.func.attr.value != "__init__":
        return None
    around = next((a for a in program.above(call) if isinstance(a, cst.ClassDef)), None)
    if around is None or made(program, around) is not call or not _is_only_called(program, around):
        return None
    found = around.bases[0].value
    return found if isinstance(found, cst.Name) else None


def made(program: Program, kind: cst.ClassDef) -> cst.Call | None:
    """The ``super().__init__`` call if the class ``kind`` contains nothing else, or None."""
    plain = len(kind.bases) == 1 and not (kind.keywords or kind.decorators or kind.bases[0].star)
    methods = _without_text(kind.body)
    if not plain or len(methods) != 1 or not isinstance(methods[0], cst.FunctionDef):
        return None
    function = methods[0]
    if function.name.value != "__init__" or function.decorators or not function.params.params:
        return None
    lines = _without_text(function.body)
    line = lines[0] if len(lines) == 1 else None
    small = list(line.body) if isinstance(line, cst.SimpleStatementLine) else []
    call = small[0].value if len(small) == 1 and isinstance(small[0], cst.Expr) else None
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
        return None
    whole = (f"super({kind.name.value}, {function.params.params[0].name.value})", "super()")
    is_super = program.source(call.func.value) in whole and call.func.attr.value == "__init__"
    return call if is_super else None


def own_name(program: Program, call: cst.Call) -> str:
    """The name of the first parameter (``self``) of the method that contains ``call``."""
    function = next(a for a in program.above(call) if isinstance(a, cst.FunctionDef))
    return function.params.params[0].name.value


def of(program: Program, name: cst.BaseExpression) -> cst.Call | None:
    """The ``super().__init__`` call of the class ``name``, or None."""
    if not isinstance(name, cst.Name):
        return None
    found = [getattr(a, "node", None) for a in program.assignments(name.value, name)]
    kind = found[0] if len(found) == 1 else None
    call = made(program, kind) if isinstance(kind, cst.ClassDef) else None
    return call if call is not None and base(program, call) is not None else None


def _is_only_called(program: Program, kind: cst.ClassDef) -> bool:
    name = kind.name
    if name.value in program.hidden or len(program.assignments(name.value, kind)) != 1:
        return False
    for each in program.references(name.value, kind):
        above = program.parent(each)
        own = any(around is kind for around in program.above(each))
        if not own and not (isinstance(above, cst.Call) and above.func is each):
            return False
    return True


def _without_text(body: cst.BaseSuite) -> list[cst.CSTNode]:
    """The statements of ``body`` without its docstring."""
    lines = list(body.body)
    first = lines[0] if lines else None
    small = first.body[0] if isinstance(first, cst.SimpleStatementLine) else None
    if isinstance(small, cst.Expr) and isinstance(small.value, cst.SimpleString):
        return list(lines[1:])
    return lines
