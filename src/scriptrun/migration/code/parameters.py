"""The values that a program passes to its own functions."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration.code.program import Program


def given(program: Program, param: cst.Param) -> list[cst.BaseExpression | None]:
    """The value that each call passes for ``param``, None where it is uncertain.

    The list is empty if nothing in the program calls the function.
    """
    function = next((a for a in program.above(param) if isinstance(a, cst.FunctionDef)), None)
    if function is None or param in (function.params.star_arg, function.params.star_kwarg):
        return [None]
    is_method = _is_method(program, function)
    place = _place(function, param)
    if place is not None and is_method:
        place -= 1
    return [_argument(call, param, place) for call in _calls(program, function, is_method)]


def _is_method(program: Program, function: cst.FunctionDef) -> bool:
    around = next(
        (a for a in program.above(function) if isinstance(a, cst.ClassDef | cst.FunctionDef)), None
    )
    plain = any(program.source(each.decorator) == "staticmethod" for each in function.decorators)
    return isinstance(around, cst.ClassDef) and not plain


def _place(function: cst.FunctionDef, param: cst.Param) -> int | None:
    """Its index among the positional parameters, or None."""
    listed = [*function.params.posonly_params, *function.params.params]
    return next((at for at, each in enumerate(listed) if each is param), None)


def _calls(program: Program, function: cst.FunctionDef, is_method: bool) -> list[cst.Call]:
    name = function.name.value
    found = []
    for call in program.calls:
        if isinstance(call.func, cst.Name) and call.func.value == name and not is_method:
            bound = program.assignments(name, call)
            if any(getattr(each, "node", None) is function for each in bound):
                found.append(call)
        elif isinstance(call.func, cst.Attribute) and call.func.attr.value == name and is_method:
            found.append(call)
    return found


def _argument(call: cst.Call, param: cst.Param, place: int | None) -> cst.BaseExpression | None:
    if any(arg.star for arg in call.args):
        return None
    for at, arg in enumerate(call.args):
        named = arg.keyword.value if arg.keyword is not None else None
        if named == param.name.value or (named is None and at == place):
            return arg.value
    return param.default
