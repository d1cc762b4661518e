"""The values that a program passes to its own functions."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration.code.program import Program


def passed_values(program: Program, param: cst.Param) -> list[cst.BaseExpression | None]:
    """The value that each call passes for ``param``, None where it is uncertain.

    The list is empty if nothing in the program calls the function.
    """
    function = program.enclosing(param, cst.FunctionDef)
    if function is None or param in (function.params.star_arg, function.params.star_kwarg):
        return [None]
    is_method = _is_method(program, function)
    position = _position(function, param)
    if position is not None and is_method:
        position -= 1
    return [_argument(call, param, position) for call in _calls(program, function, is_method)]


def _is_method(program: Program, function: cst.FunctionDef) -> bool:
    owner = program.enclosing(function, cst.ClassDef, cst.FunctionDef)
    is_static = any(
        program.source(decorator.decorator) == "staticmethod" for decorator in function.decorators
    )
    return isinstance(owner, cst.ClassDef) and not is_static


def _position(function: cst.FunctionDef, param: cst.Param) -> int | None:
    """Its index among the positional parameters, or None."""
    params = [*function.params.posonly_params, *function.params.params]
    return next((index for index, candidate in enumerate(params) if candidate is param), None)


def _calls(program: Program, function: cst.FunctionDef, is_method: bool) -> list[cst.Call]:
    name = function.name.value
    calls = []
    for call in program.calls:
        if isinstance(call.func, cst.Name) and call.func.value == name and not is_method:
            assignments = program.assignments(name, call)
            if any(getattr(assignment, "node", None) is function for assignment in assignments):
                calls.append(call)
        elif isinstance(call.func, cst.Attribute) and call.func.attr.value == name and is_method:
            calls.append(call)
    return calls


def _argument(call: cst.Call, param: cst.Param, position: int | None) -> cst.BaseExpression | None:
    if any(arg.star for arg in call.args):
        return None
    for index, arg in enumerate(call.args):
        keyword = arg.keyword.value if arg.keyword is not None else None
        if keyword == param.name.value or (keyword is None and index == position):
            return arg.value
    return param.default
