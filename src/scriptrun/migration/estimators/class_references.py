"""References to Estimator classes other than calls: as values and in annotations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import libcst as cst
from libcst import metadata

from scriptrun.migration.code import constants
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import estimator_calls, framework_name
from scriptrun.migration.findings import LEFT_ALONE, NEEDS_REVIEW

_ADVICE = "Create the ScriptRunConfig where it is called."


class ClassReference(NamedTuple):
    """A reference to a class, and the finding to report for it."""

    node: cst.CSTNode
    kind: str
    what: str
    reason: str
    advice: str = ""

    @property
    def is_annotation(self) -> bool:
        """Whether it is in an annotation."""
        return self.kind == LEFT_ALONE

    @property
    def finding(self) -> tuple[str, str, str, str]:
        """Its kind, its subject, the reason and the advice."""
        return self.kind, self.what, self.reason, self.advice


def find_references(program: Program) -> Iterator[ClassReference]:
    """References other than calls, base classes and attribute accesses."""
    for node in _class_names(program):
        parent = program.parent(node)
        name = program.source(node)
        if isinstance(parent, cst.Attribute) or _is_called_or_base(program, node):
            continue
        if isinstance(parent, cst.Assign) and _is_alias(program, parent):
            continue
        if any(isinstance(ancestor, cst.Annotation) for ancestor in program.ancestors(node)):
            yield ClassReference(node, LEFT_ALONE, name, "used only in an annotation")
        elif _is_type_check(program, node):
            reason = "a ScriptRunConfig is not an instance of it"
            yield ClassReference(node, NEEDS_REVIEW, name, reason, "Use ScriptRunConfig.")
        else:
            reason = "it is used as a value, and its use is uncertain"
            yield ClassReference(node, NEEDS_REVIEW, name, reason, _ADVICE)


def needs_estimators(program: Program) -> bool:
    """Whether the program uses Estimators, rather than only checking or annotating types."""
    return bool(estimator_calls(program)) or any(
        program.enclosing(node, cst.Annotation) is None and not _is_type_check(program, node)
        for node in _class_names(program)
    )


def _class_names(program: Program) -> list[cst.Name]:
    """The uses of imported Estimator classes, in source order."""
    nodes: dict[cst.Name, None] = {}
    for scope in program.all_scopes():
        for assignment in scope.assignments:
            if not isinstance(assignment, metadata.ImportAssignment):
                continue
            names = assignment.get_qualified_names_for(assignment.name)
            if any(framework_name(candidate.name) is not None for candidate in names):
                nodes.update(
                    (node, None)
                    for node in program.read_nodes(assignment)
                    if isinstance(node, cst.Name)
                )
    return sorted(nodes, key=program.span)


def _is_called_or_base(program: Program, node: cst.Name) -> bool:
    parent = program.parent(node)
    if isinstance(parent, cst.Call):
        return parent.func is node
    return isinstance(parent, cst.Arg) and isinstance(program.parent(parent), cst.ClassDef)


def _is_alias(program: Program, statement: cst.Assign) -> bool:
    """Whether the assignment is an alias of the class that always refers to it."""
    target = statement.targets[0].target
    if len(statement.targets) > 1 or not isinstance(target, cst.Name):
        return False
    uses = [use for use in program.references(target.value, target) if use is not target]
    names = [node for node in uses if isinstance(node, cst.Name)]
    return all(constants.resolve(program, name) is not name for name in names)


def _is_type_check(program: Program, node: cst.Name) -> bool:
    call = next(
        (ancestor for ancestor in program.ancestors(node) if isinstance(ancestor, cst.Call)), None
    )
    return call is not None and program.source(call.func) in ("isinstance", "issubclass")
