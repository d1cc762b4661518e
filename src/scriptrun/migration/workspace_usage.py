"""Find the uses of workspaces that only the drop-in supports, wherever workspaces are passed.

The analysis matches names in every scope, so it finds too many workspaces rather than too few. A
false positive is harmless: the program keeps azureml's names, and still works.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from scriptrun.core import workspace
from scriptrun.migration.code.program import Program


def find_dropin_use(program: Program, class_name: str) -> str:
    """What the program uses of workspaces that scriptrun's Workspace lacks, or "".

    ``class_name`` is its local name of the class.
    """
    names = _workspace_labels(program, class_name)
    for node in program.nodes(cst.Attribute):
        if _label(node.value) not in names:
            continue
        if not _is_supported(node.attr.value):
            return f"Workspace.{node.attr.value} exists only in the drop-in"
        if node.attr.value == "compute_targets" and _reads_targets(program, node):
            return "it uses compute target attributes that exist only in the drop-in"
    return ""


def _is_supported(name: str) -> bool:
    return name in ("name", "root", "directory") or hasattr(workspace.Workspace, name)


def _label(node: cst.CSTNode | None) -> str:
    """``name`` for a variable, ``.name`` for an attribute, with ``()`` if called; else ""."""
    if isinstance(node, cst.Call):
        return f"{_label(node.func)}()"
    if isinstance(node, cst.Attribute):
        return f".{node.attr.value}"
    return node.value if isinstance(node, cst.Name) else ""


def _workspace_labels(program: Program, class_name: str) -> set[str]:
    """The labels of expressions that may be a workspace, including calls that return one."""
    names: set[str] = set()
    flows = [*_assigned_values(program), *_passed_values(program), *_returned_values(program)]
    previous_size = -1
    while previous_size < len(names):
        previous_size = len(names)
        for value, name in flows:
            if _is_workspace(program, value, class_name, names):
                names.add(name)
    return names


def _is_workspace(
    program: Program, value: cst.BaseExpression, class_name: str, names: set[str]
) -> bool:
    is_constructed = isinstance(value, cst.Call) and program.source(value.func).startswith(
        f"{class_name}."
    )
    return is_constructed or _label(value) in names


Flow = tuple[cst.BaseExpression, str]


def _assigned_values(program: Program) -> Iterator[Flow]:
    for statement in program.nodes(cst.Assign):
        for target in statement.targets:
            yield statement.value, _label(target.target)


def _passed_values(program: Program) -> Iterator[Flow]:
    functions: dict[str, list[cst.FunctionDef]] = {}
    for definition in program.nodes(cst.FunctionDef):
        owner = program.enclosing(definition, cst.ClassDef)
        is_constructor = definition.name.value == "__init__" and owner is not None
        name = owner.name.value if is_constructor and owner is not None else definition.name.value
        functions.setdefault(name, []).append(definition)
    for call in program.calls:
        for function in functions.get(_label(call.func).lstrip("."), ()):
            params = [*function.params.posonly_params, *function.params.params]
            names = [param.name.value for param in params]
            names = names[1:] if names[:1] in (["self"], ["cls"]) else names
            for index, arg in enumerate(call.args):
                if arg.keyword is not None:
                    yield arg.value, arg.keyword.value
                elif index < len(names):
                    yield arg.value, names[index]


def _returned_values(program: Program) -> Iterator[Flow]:
    for statement in program.nodes(cst.Return):
        function = program.enclosing(statement, cst.FunctionDef)
        if function is not None and statement.value is not None:
            yield statement.value, f"{function.name.value}()"
            yield statement.value, f".{function.name.value}()"


def _reads_targets(program: Program, node: cst.Attribute) -> bool:
    """Whether ``ws.compute_targets`` is used for more than looking up a target to pass on."""
    parent = program.parent(node)
    if isinstance(parent, cst.Subscript):
        return _reads_target(program, parent)
    if isinstance(parent, cst.Attribute):
        return parent.attr.value != "keys"
    return isinstance(parent, cst.Assign | cst.For | cst.CompFor)


def _reads_target(program: Program, node: cst.CSTNode) -> bool:
    parent = program.parent(node)
    if isinstance(parent, cst.Attribute):
        return parent.attr.value != "name"
    if not isinstance(parent, cst.Assign):
        return False
    targets = [assign_target.target for assign_target in parent.targets]
    parents = [
        program.parent(user)
        for target in targets
        if isinstance(target, cst.Name)
        for user in program.references(target.value, target)
    ]
    return any(
        isinstance(parent_node, cst.Attribute) and parent_node.attr.value != "name"
        for parent_node in parents
    )
