"""Recognize data references: values that become arguments with ``str()``."""

from __future__ import annotations

from typing import NamedTuple

import libcst as cst

from scriptrun.migration.code import constants, parameters
from scriptrun.migration.code.program import Program

_MODES = ("as_mount", "as_download", "as_upload")
_FACTORIES = (
    "get_default_datastore",
    "register_azure_blob_container",
    "register_azure_file_share",
)


class Reference(NamedTuple):
    """A DataReference in an argument: its variable, and if that is new, its ``expression``."""

    name: str
    expression: str


def find_reference(program: Program, node: cst.BaseExpression) -> Reference | None:
    """The DataReference if ``node`` certainly is one, else None."""
    if not is_reference(program, constants.resolve(program, node)):
        return None
    text = program.source(node)
    if isinstance(node, cst.Name):
        return Reference(text, "")
    return Reference(program.name_for(node, "data_ref"), text)


def is_reference(program: Program, node: cst.BaseExpression) -> bool:
    """Whether ``node`` creates a DataReference, of a datastore or a path on one."""
    if not isinstance(node, cst.Call):
        return False
    if program.qualified_name(node.func).endswith(".DataReference"):
        return True
    func = node.func
    if not isinstance(func, cst.Attribute) or func.attr.value not in _MODES:
        return False
    location = constants.resolve(program, func.value)
    if func.attr.value == "as_upload" or is_method_call(location, "path"):
        return not _is_output(program, location)  # not available on datasets
    return _is_location(program, location)


def _is_output(program: Program, node: cst.BaseExpression) -> bool:
    """Whether ``node`` is an OutputFileDatasetConfig, whose modes have the same names."""
    return isinstance(node, cst.Call) and program.qualified_name(node.func).endswith(
        ".OutputFileDatasetConfig"
    )


def is_datastore(program: Program, node: cst.BaseExpression) -> bool:
    """Whether ``node`` is certainly a datastore, not a path on one."""
    node = constants.resolve(program, node)
    is_value = isinstance(node, cst.Call | cst.Subscript) and not is_method_call(node, "path")
    return is_value and _is_location(program, node)


def is_method_call(node: cst.BaseExpression, name: str) -> bool:
    """Whether ``node`` calls a method called ``name``."""
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
        return False
    return node.func.attr.value == name


def _is_location(program: Program, node: cst.BaseExpression, depth: int = 0) -> bool:
    """Whether ``node`` is certainly a datastore or a path on one."""
    node = constants.resolve(program, node)
    if depth > 8:
        return False
    if isinstance(node, cst.Subscript):
        return isinstance(node.value, cst.Attribute) and node.value.attr.value == "datastores"
    if isinstance(node, cst.Call):
        return _creates_location(program, node, depth)
    values = _values(program, node)
    return bool(values) and all(
        value is not None and _is_location(program, value, depth + 1) for value in values
    )


def _creates_location(program: Program, node: cst.Call, depth: int) -> bool:
    name = program.qualified_name(node.func)
    if name.startswith("azureml.") and ".Datastore" in f".{name.partition('core')[2]}":
        return True
    if not isinstance(node.func, cst.Attribute):
        return False
    if node.func.attr.value == "path":
        return _is_location(program, node.func.value, depth + 1)
    return node.func.attr.value in _FACTORIES


def _values(program: Program, node: cst.BaseExpression) -> list[cst.BaseExpression | None]:
    """All values of a parameter or an attribute; empty if they are not visible."""
    if isinstance(node, cst.Attribute):
        text = program.source(node)
        return [
            assignment.value
            for assignment in program.nodes(cst.Assign)
            if any(program.source(target.target) == text for target in assignment.targets)
        ]
    if not isinstance(node, cst.Name):
        return []
    nodes = [
        getattr(candidate, "node", None) for candidate in program.assignments(node.value, node)
    ]
    params = [param for param in nodes if isinstance(param, cst.Param)]
    if len(params) < len(nodes):
        return []
    return [value for parameter in params for value in parameters.passed_values(program, parameter)]


def input_name(program: Program, node: cst.BaseExpression) -> str:
    """The name (as code) of the dataset input ``node``, or ""."""
    value = constants.resolve(program, node)
    while isinstance(value, cst.Call) and isinstance(value.func, cst.Attribute):
        if value.func.attr.value == "as_named_input":
            return program.source(value.args[0].value) if len(value.args) == 1 else ""
        if value.func.attr.value not in _MODES:
            return ""
        value = constants.resolve(program, value.func.value)
    return ""
