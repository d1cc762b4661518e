"""Find the variable that holds the workspace at a call."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration.code.program import Program

#: functions with the workspace as first argument, or as ``workspace``
_TAKERS = (
    "azureml.core.Experiment",
    "azureml.core.experiment.Experiment",
    "azureml.core.Environment.get",
    "azureml.core.ComputeTarget",
    "azureml.core.compute.ComputeTarget",
    "azureml.core.compute.ComputeTarget.create",
    "azureml.core.compute.AmlCompute",
    "azureml.core.Datastore",
    "azureml.core.Datastore.get",
    "azureml.core.Dataset.get_by_name",
)


def at(program: Program, call: cst.Call) -> str:
    """The variable that certainly holds the workspace at ``call``, or ""."""
    for name in _names(program):
        if _is_seen(program, name, call):
            return name.value
    return ""


def _names(program: Program) -> list[cst.Name]:
    found = []
    for call in sorted(program.calls, key=program.span):
        name = program.qualified(call.func)
        if name.startswith("azureml.core.") and ".Workspace" in name:
            found += _target(program, call)
        elif name in _TAKERS:
            found += _given(call)
    return found


def _target(program: Program, call: cst.Call) -> list[cst.Name]:
    above = program.parent(call)
    if not isinstance(above, cst.Assign) or above.value is not call:
        return []
    targets = [each.target for each in above.targets]
    return [each for each in targets if isinstance(each, cst.Name)]


def _given(call: cst.Call) -> list[cst.Name]:
    for at, arg in enumerate(call.args):
        named = arg.keyword is not None and arg.keyword.value == "workspace"
        if (named or (at == 0 and arg.keyword is None and not arg.star)) and isinstance(
            arg.value, cst.Name
        ):
            return [arg.value]
    return []


def _is_seen(program: Program, name: cst.Name, call: cst.Call) -> bool:
    """Whether ``name`` at ``call`` is the same variable, bound before the call."""
    here = program.assignments(name.value, call)
    there = program.assignments(name.value, name)
    if not here or {id(each) for each in here} != {id(each) for each in there}:
        return False
    scope = program.scope(call)
    bound = [each for each in here if hasattr(each, "node")]
    for each in bound:
        inner = each.scope is not scope
        node = getattr(each, "node", None)
        if node is not None and (inner or program.span(node)[0] < program.span(call)[0]):
            return _is_workspace(program, node)
    return False


def _is_workspace(program: Program, node: cst.CSTNode) -> bool:
    return not isinstance(node, cst.ImportAlias | cst.ClassDef | cst.FunctionDef)
