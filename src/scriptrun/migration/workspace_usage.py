"""Find the uses of workspaces that only the drop-in supports, wherever workspaces are passed.

The analysis matches names in every scope, so it finds too many workspaces rather than too few. A
false positive is harmless: the program keeps azureml's names, and still works.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from scriptrun.core import workspace
from scriptrun.migration.code.program import Program


def beyond(program: Program, local: str) -> str:
    """What the program uses of workspaces that scriptrun's Workspace lacks, or "".

    ``local`` is its local name of the class.
    """
    names = _names(program, local)
    for node in program.nodes(cst.Attribute):
        if _called(node.value) not in names:
            continue
        if not _has(node.attr.value):
            return f"Workspace.{node.attr.value} exists only in the drop-in"
        if node.attr.value == "compute_targets" and _asks_targets(program, node):
            return "it uses compute target attributes that exist only in the drop-in"
    return ""


def _has(name: str) -> bool:
    return name in ("name", "root", "directory") or hasattr(workspace.Workspace, name)


def _called(node: cst.CSTNode | None) -> str:
    """``name`` for a variable, ``.name`` for an attribute, with ``()`` if called; else ""."""
    if isinstance(node, cst.Call):
        return f"{_called(node.func)}()"
    if isinstance(node, cst.Attribute):
        return f".{node.attr.value}"
    return node.value if isinstance(node, cst.Name) else ""


def _names(program: Program, local: str) -> set[str]:
    """The labels of expressions that may be a workspace, including calls that return one."""
    found: set[str] = set()
    flows = [*_assigned(program), *_passed(program), *_returned(program)]
    size = -1
    while size < len(found):
        size = len(found)
        for value, name in flows:
            if _gives_one(program, value, local, found):
                found.add(name)
    return found


def _gives_one(program: Program, value: cst.BaseExpression, local: str, found: set[str]) -> bool:
    made = isinstance(value, cst.Call) and program.source(value.func).startswith(f"{local}.")
    return made or _called(value) in found


Flow = tuple[cst.BaseExpression, str]


def _assigned(program: Program) -> Iterator[Flow]:
    for each in program.nodes(cst.Assign):
        for target in each.targets:
            yield each.value, _called(target.target)


def _passed(program: Program) -> Iterator[Flow]:
    functions: dict[str, list[cst.FunctionDef]] = {}
    for each in program.nodes(cst.FunctionDef):
        around = next((a for a in program.above(each) if isinstance(a, cst.ClassDef)), None)
        made = each.name.value == "__init__" and around is not None
        name = around.name.value if made and around is not None else each.name.value
        functions.setdefault(name, []).append(each)
    for call in program.calls:
        for function in functions.get(_called(call.func).lstrip("."), ()):
            params = [*function.params.posonly_params, *function.params.params]
            names = [each.name.value for each in params]
            names = names[1:] if names[:1] in (["self"], ["cls"]) else names
            for at, arg in enumerate(call.args):
                if arg.keyword is not None:
                    yield arg.value, arg.keyword.value
                elif at < len(names):
                    yield arg.value, names[at]


def _returned(program: Program) -> Iterator[Flow]:
    for each in program.nodes(cst.Return):
        function = next((a for a in program.above(each) if isinstance(a, cst.FunctionDef)), None)
        if function is not None and each.value is not None:
            yield each.value, f"{function.name.value}()"
            yield each.value, f".{function.name.value}()"


def _asks_targets(program: Program, node: cst.Attribute) -> bool:
    """Whether ``ws.compute_targets`` is used for more than looking up a target to pass on."""
    above = program.parent(node)
    if isinstance(above, cst.Subscript):
        return _asks_one(program, above)
    if isinstance(above, cst.Attribute):
        return above.attr.value != "keys"
    return isinstance(above, cst.Assign | cst.For | cst.CompFor)


def _asks_one(program: Program, node: cst.CSTNode) -> bool:
    above = program.parent(node)
    if isinstance(above, cst.Attribute):
        return above.attr.value != "name"
    if not isinstance(above, cst.Assign):
        return False
    targets = [each.target for each in above.targets]
    users = [
        program.parent(user)
        for target in targets
        if isinstance(target, cst.Name)
        for user in program.references(target.value, target)
    ]
    return any(isinstance(each, cst.Attribute) and each.attr.value != "name" for each in users)
