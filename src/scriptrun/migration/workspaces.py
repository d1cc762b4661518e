"""Find the variable that holds the workspace at a call."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration.code.program import Program

#: functions with the workspace as first argument, or as ``workspace``
_WORKSPACE_FUNCTIONS = (
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


def workspace_name(program: Program, call: cst.Call) -> str:
    """The variable that certainly holds the workspace at ``call``, or ""."""
    for name in _workspace_names(program):
        if _is_same_variable(program, name, call):
            return name.value
    return ""


def _workspace_names(program: Program) -> list[cst.Name]:
    names = []
    for call in sorted(program.calls, key=program.span):
        name = program.qualified_name(call.func)
        if name.startswith("azureml.core.") and ".Workspace" in name:
            names += _assigned_names(program, call)
        elif name in _WORKSPACE_FUNCTIONS:
            names += _argument_names(call)
    return names


def _assigned_names(program: Program, call: cst.Call) -> list[cst.Name]:
    parent = program.parent(call)
    if not isinstance(parent, cst.Assign) or parent.value is not call:
        return []
    targets = [assign_target.target for assign_target in parent.targets]
    return [target for target in targets if isinstance(target, cst.Name)]


def _argument_names(call: cst.Call) -> list[cst.Name]:
    for index, arg in enumerate(call.args):
        is_keyword = arg.keyword is not None and arg.keyword.value == "workspace"
        if (is_keyword or (index == 0 and arg.keyword is None and not arg.star)) and isinstance(
            arg.value, cst.Name
        ):
            return [arg.value]
    return []


def _is_same_variable(program: Program, name: cst.Name, call: cst.Call) -> bool:
    """Whether ``name`` at ``call`` is the same variable, bound before the call."""
    call_assignments = program.assignments(name.value, call)
    name_assignments = program.assignments(name.value, name)
    if not call_assignments or {id(assignment) for assignment in call_assignments} != {
        id(other) for other in name_assignments
    }:
        return False
    scope = program.scope(call)
    bound = [candidate for candidate in call_assignments if hasattr(candidate, "node")]
    for binding in bound:
        is_outer = binding.scope is not scope
        node = getattr(binding, "node", None)
        if node is not None and (is_outer or program.span(node)[0] < program.span(call)[0]):
            return _is_workspace(program, node)
    return False


def _is_workspace(program: Program, node: cst.CSTNode) -> bool:
    return not isinstance(node, cst.ImportAlias | cst.ClassDef | cst.FunctionDef)
