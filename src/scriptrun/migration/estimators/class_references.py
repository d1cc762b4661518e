"""References to Estimator classes other than calls: as values and in annotations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import libcst as cst
from libcst import metadata

from scriptrun.migration.code import constants
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import family
from scriptrun.migration.findings import LEFT, LOOK

_ADVICE = "Create the ScriptRunConfig where it is called."


class Place(NamedTuple):
    """A reference to a class, and the finding to report for it."""

    node: cst.CSTNode
    kind: str
    what: str
    reason: str
    advice: str = ""


def places(program: Program) -> Iterator[Place]:
    """References other than calls, base classes and attribute accesses."""
    for node in _named(program):
        above = program.parent(node)
        name = program.source(node)
        if isinstance(above, cst.Attribute) or _is_called_or_base(program, node):
            continue
        if isinstance(above, cst.Assign) and _is_other_name(program, above):
            continue
        if any(isinstance(each, cst.Annotation) for each in program.above(node)):
            yield Place(node, LEFT, name, "used only in an annotation")
        elif _is_asked_for(program, node):
            reason = "a ScriptRunConfig is not an instance of it"
            yield Place(node, LOOK, name, reason, "Use ScriptRunConfig.")
        else:
            reason = "it is used as a value, and its use is uncertain"
            yield Place(node, LOOK, name, reason, _ADVICE)


def _named(program: Program) -> list[cst.Name]:
    """The uses of imported Estimator classes, in source order."""
    found: dict[cst.Name, None] = {}
    for scope in program.all_scopes():
        for each in scope.assignments:
            if not isinstance(each, metadata.ImportAssignment):
                continue
            names = each.get_qualified_names_for(each.name)
            if any(family(one.name) is not None for one in names):
                found.update((n, None) for n in program.read(each) if isinstance(n, cst.Name))
    return sorted(found, key=program.span)


def _is_called_or_base(program: Program, node: cst.Name) -> bool:
    above = program.parent(node)
    if isinstance(above, cst.Call):
        return above.func is node
    return isinstance(above, cst.Arg) and isinstance(program.parent(above), cst.ClassDef)


def _is_other_name(program: Program, statement: cst.Assign) -> bool:
    """Whether the assignment is an alias of the class that always refers to it."""
    target = statement.targets[0].target
    if len(statement.targets) > 1 or not isinstance(target, cst.Name):
        return False
    users = [each for each in program.references(target.value, target) if each is not target]
    names = [each for each in users if isinstance(each, cst.Name)]
    return all(constants.follow(program, each) is not each for each in names)


def _is_asked_for(program: Program, node: cst.Name) -> bool:
    call = next((each for each in program.above(node) if isinstance(each, cst.Call)), None)
    return call is not None and program.source(call.func) in ("isinstance", "issubclass")
