"""Recognize data references: values that become arguments with ``str()``."""

from __future__ import annotations

from typing import NamedTuple

import libcst as cst

from scriptrun.migration.code import constants, parameters
from scriptrun.migration.code.program import Program

_MODES = ("as_mount", "as_download", "as_upload")
_MAKERS = (
    "get_default_datastore",
    "register_azure_blob_container",
    "register_azure_file_share",
)


class Reference(NamedTuple):
    """A DataReference in an argument: its variable, and if that is new, its ``expression``."""

    name: str
    made: str


def reference(program: Program, node: cst.BaseExpression) -> Reference | None:
    """The DataReference if ``node`` certainly is one, else None."""
    if not is_reference(program, constants.follow(program, node)):
        return None
    text = program.source(node)
    if isinstance(node, cst.Name):
        return Reference(text, "")
    return Reference(program.name_for(node, "data_ref"), text)


def is_reference(program: Program, node: cst.BaseExpression) -> bool:
    """Whether ``node`` creates a DataReference, of a datastore or a path on one."""
    if not isinstance(node, cst.Call):
        return False
    if program.qualified(node.func).endswith(".DataReference"):
        return True
    func = node.func
    if not isinstance(func, cst.Attribute) or func.attr.value not in _MODES:
        return False
    place = constants.follow(program, func.value)
    if func.attr.value == "as_upload" or is_call_of(place, "path"):
        return True  # not available on datasets
    return _is_place(program, place)


def is_datastore(program: Program, node: cst.BaseExpression) -> bool:
    """Whether ``node`` is certainly a datastore, not a path on one."""
    node = constants.follow(program, node)
    made = isinstance(node, cst.Call | cst.Subscript) and not is_call_of(node, "path")
    return made and _is_place(program, node)


def is_call_of(node: cst.BaseExpression, name: str) -> bool:
    """Whether ``node`` calls a method called ``name``."""
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
        return False
    return node.func.attr.value == name


def _is_place(program: Program, node: cst.BaseExpression, depth: int = 0) -> bool:
    """Whether ``node`` is certainly a datastore or a path on one."""
    node = constants.follow(program, node)
    if depth > 8:
        return False
    if isinstance(node, cst.Subscript):
        return isinstance(node.value, cst.Attribute) and node.value.attr.value == "datastores"
    if isinstance(node, cst.Call):
        return _makes_place(program, node, depth)
    given = _values(program, node)
    return bool(given) and all(
        each is not None and _is_place(program, each, depth + 1) for each in given
    )


def _makes_place(program: Program, node: cst.Call, depth: int) -> bool:
    name = program.qualified(node.func)
    if name.startswith("azureml.") and ".Datastore" in f".{name.partition('core')[2]}":
        return True
    if not isinstance(node.func, cst.Attribute):
        return False
    if node.func.attr.value == "path":
        return _is_place(program, node.func.value, depth + 1)
    return node.func.attr.value in _MAKERS


def _values(program: Program, node: cst.BaseExpression) -> list[cst.BaseExpression | None]:
    """All values of a parameter or an attribute; empty if they are not visible."""
    if isinstance(node, cst.Attribute):
        text = program.source(node)
        return [
            each.value
            for each in program.nodes(cst.Assign)
            if any(program.source(target.target) == text for target in each.targets)
        ]
    if not isinstance(node, cst.Name):
        return []
    found = [getattr(each, "node", None) for each in program.assignments(node.value, node)]
    params = [each for each in found if isinstance(each, cst.Param)]
    if len(params) < len(found):
        return []
    return [value for each in params for value in parameters.given(program, each)]


def named_input(program: Program, node: cst.BaseExpression) -> str:
    """The name (as code) of the dataset input ``node``, or ""."""
    found = constants.follow(program, node)
    while isinstance(found, cst.Call) and isinstance(found.func, cst.Attribute):
        if found.func.attr.value == "as_named_input":
            return program.source(found.args[0].value) if len(found.args) == 1 else ""
        if found.func.attr.value not in _MODES:
            return ""
        found = constants.follow(program, found.func.value)
    return ""
