"""What a program's own argparse says of the values of its options."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration.code import constants, parameters
from scriptrun.migration.code.program import Program

_PARSING = ("parse_args", "parse_known_args")
_ONE_VALUE_ACTIONS = ("store", "store_true", "store_false")
_ONE_VALUE_TYPES = ("int", "float", "str")


def is_single_value(program: Program, node: cst.Attribute) -> bool:
    """Whether ``node`` is an option of argparse that is certainly one value: no list, not None."""
    if not isinstance(node.value, cst.Name) or not _is_namespace(program, node.value):
        return False
    text = program.source(node)
    assigned = (target for item in program.nodes(cst.Assign) for target in item.targets)
    if any(program.source(target.target) == text for target in assigned):
        return False
    options = [call for call in program.calls if _destination(program, call) == node.attr.value]
    return len(options) == 1 and _has_one_value(program, options[0])


def _is_namespace(program: Program, name: cst.Name, depth: int = 0) -> bool:
    """Whether the variable holds what an ArgumentParser returned, also as a parameter."""
    nodes = [getattr(item, "node", None) for item in program.assignments(name.value, name)]
    return (
        bool(nodes) and depth < 5 and all(_binds_namespace(program, node, depth) for node in nodes)
    )


def _binds_namespace(program: Program, node: cst.CSTNode | None, depth: int) -> bool:
    if node is None:
        return False
    param = node if isinstance(node, cst.Param) else program.parent(node)
    if isinstance(param, cst.Param):
        values = parameters.passed_values(program, param)
        return bool(values) and all(
            isinstance(value, cst.Name) and _is_namespace(program, value, depth + 1)
            for value in values
        )
    assignment = program.enclosing(node, cst.Assign)
    call = assignment.value if assignment is not None else None
    func = call.func if isinstance(call, cst.Call) else None
    return isinstance(func, cst.Attribute) and func.attr.value in _PARSING


def _destination(program: Program, call: cst.Call) -> str:
    """The name of the attribute that ``call`` of add_argument makes, or ""."""
    if not isinstance(call.func, cst.Attribute) or call.func.attr.value != "add_argument":
        return ""
    explicit = _keyword(call, "dest")
    if explicit is not None:
        return str(constants.constant(program, explicit))
    flags = [constants.constant(program, arg.value) for arg in call.args if arg.keyword is None]
    names = [flag for flag in flags if isinstance(flag, str)]
    long_names = [name for name in names if name.startswith("--")] or names
    return long_names[0].lstrip("-").replace("-", "_") if long_names else ""


def _has_one_value(program: Program, call: cst.Call) -> bool:
    if any(arg.star for arg in call.args) or _keyword(call, "nargs") is not None:
        return False
    kind, action = _keyword(call, "type"), _keyword(call, "action")
    if kind is not None and program.source(kind) not in _ONE_VALUE_TYPES:
        return False
    if action is not None:
        name = constants.constant(program, action)
        return name in _ONE_VALUE_ACTIONS[1:] and _keyword(call, "default") is None
    required, default = _keyword(call, "required"), _keyword(call, "default")
    if required is not None and constants.constant(program, required) is True:
        return True
    first = constants.constant(program, call.args[0].value) if call.args else None
    if isinstance(first, str) and not first.startswith("-"):
        return True
    return default is not None and _is_one_value(program, default)


def _is_one_value(program: Program, node: cst.BaseExpression) -> bool:
    value = constants.constant(program, node)
    return isinstance(value, int | float) or (isinstance(value, str) and value != "")


def _keyword(call: cst.Call, name: str) -> cst.BaseExpression | None:
    values = (arg.value for arg in call.args if arg.keyword and arg.keyword.value == name)
    return next(values, None)


def is_single_parameter(program: Program, name: cst.Name) -> bool:
    """Whether ``name`` is a parameter that is certainly one value, by its type or its callers."""
    assignments = program.assignments(name.value, name)
    params = [_param(program, getattr(item, "node", None)) for item in assignments]
    return bool(params) and all(
        param is not None and _gives_one_value(program, param) for param in params
    )


def _param(program: Program, node: cst.CSTNode | None) -> cst.Param | None:
    candidate = node if isinstance(node, cst.Param) or node is None else program.parent(node)
    return candidate if isinstance(candidate, cst.Param) else None


def _gives_one_value(program: Program, param: cst.Param) -> bool:
    if param.default is not None and not _is_one_value(program, param.default):
        return False
    hint = program.source(param.annotation.annotation) if param.annotation else ""
    if hint.strip("'\"") in (*_ONE_VALUE_TYPES, "bool"):
        return True
    values = parameters.passed_values(program, param)
    return bool(values) and all(
        value is not None and _is_one_value(program, value) for value in values
    )
