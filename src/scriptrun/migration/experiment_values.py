"""Which expressions of a program are experiments, or runs that ``start_logging`` began."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import libcst as cst

from scriptrun.migration.code import constants, parameters
from scriptrun.migration.code.program import Program

EXPERIMENT, LOGGED_RUN, JOB_RUN, OTHER, UNKNOWN = (
    "an experiment",
    "a run of this process",
    "a run of a job",
    "something else",
    "unknown",
)
_EXPERIMENTS = frozenset(
    f"{module}.Experiment{method}"
    for module in ("azureml.core", "azureml.core.experiment", "scriptrun")
    for method in ("", ".from_directory")
)
_RUNS = frozenset(
    f"{module}.{name}"
    for module in ("azureml.core", "azureml.core.run", "azureml.core.script_run", "scriptrun")
    for name in ("Run", "Run.get_context", "Run.get", "get_run", "ScriptRun")
)
#: methods of an experiment, and what they return
_METHODS = {"start_logging": LOGGED_RUN, "submit": JOB_RUN}
_MOST_STEPS = 12


def find_kind(program: Program, node: cst.BaseExpression, depth: int = 0) -> str:
    """What ``node`` certainly is: EXPERIMENT, LOGGED_RUN, JOB_RUN or OTHER; else UNKNOWN."""
    if depth > _MOST_STEPS:
        return UNKNOWN
    if isinstance(node, cst.Name):
        return _kind_of_name(program, node, depth + 1)
    if isinstance(node, cst.Call):
        return _kind_of_call(program, node, depth + 1)
    if isinstance(node, cst.Attribute):
        return _kind_of_attribute(program, node, depth + 1)
    if isinstance(node, cst.Subscript) and _is_experiments(node.value):
        return EXPERIMENT
    return _common_kind(program, _alternatives(node), depth + 1)


def _alternatives(node: cst.BaseExpression) -> list[cst.BaseExpression]:
    """The expressions one of which is the value of ``node``."""
    if isinstance(node, cst.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, cst.BooleanOperation):
        return [node.left, node.right]
    return [node.value] if isinstance(node, cst.NamedExpr) else []


def _common_kind(program: Program, values: Iterable[cst.BaseExpression | None], depth: int) -> str:
    """The kind that all ``values`` have; None among them, the value, says nothing."""
    kinds = {
        UNKNOWN if value is None else find_kind(program, value, depth)
        for value in values
        if value is None or not _is_none(value)
    }
    return _only_kind(kinds)


def _only_kind(kinds: set[str]) -> str:
    """The kind of a value that has all of ``kinds``."""
    if kinds == {LOGGED_RUN, JOB_RUN}:
        return LOGGED_RUN
    return kinds.pop() if len(kinds) == 1 else UNKNOWN


def _kind_of_name(program: Program, name: cst.Name, depth: int) -> str:
    value = constants.bound_value(program, name)
    if value is not None:
        return find_kind(program, value, depth)
    if program.qualified_name(name):
        return OTHER  # an imported module, class or function
    kinds = {
        _kind_of_binding(program, getattr(assignment, "node", None), depth)
        for assignment in program.assignments(name.value, name)
    }
    return _only_kind(kinds)


def _kind_of_binding(program: Program, node: cst.CSTNode | None, depth: int) -> str:
    """The kind of what ``node`` binds."""
    parent = program.parent(node) if node is not None else None
    owner = node if isinstance(node, cst.Param) else parent
    if isinstance(owner, cst.Param | cst.AnnAssign) and owner.annotation is not None:
        annotation = owner.annotation.annotation
        if not isinstance(annotation, cst.SimpleString):  # whose names are not resolved
            return _annotated_kind(program, annotation)
    return _common_kind(program, _bound_values(program, node, parent), depth)


def _bound_values(
    program: Program, node: cst.CSTNode | None, parent: cst.CSTNode | None
) -> Sequence[cst.BaseExpression | None]:
    """The values that ``node``, in ``parent``, may bind; empty where they are not visible."""
    if isinstance(node, cst.Param):
        return parameters.passed_values(program, node)
    if isinstance(parent, cst.NamedExpr):
        return [parent.value]
    outer = program.parent(parent) if parent is not None else None
    if isinstance(outer, cst.WithItem):
        return [outer.item]
    return [outer.value] if isinstance(outer, cst.Assign) else []


def _annotated_kind(program: Program, annotation: cst.BaseExpression) -> str:
    members = _annotation_members(annotation)
    if members:
        kinds = {_annotated_kind(program, each) for each in members if not _is_none(each)}
        return _only_kind(kinds)
    name = program.qualified_name(annotation)
    if name in _EXPERIMENTS:
        return EXPERIMENT
    return UNKNOWN if not name or name in _RUNS else OTHER


def _annotation_members(annotation: cst.BaseExpression) -> list[cst.BaseExpression]:
    """The types in ``Optional[A]``, ``Union[A, B]`` and ``A | B``; none of other annotations."""
    if isinstance(annotation, cst.BinaryOperation):
        return [annotation.left, annotation.right]
    if not isinstance(annotation, cst.Subscript):
        return []
    name = annotation.value
    word = name.attr if isinstance(name, cst.Attribute) else name
    if not isinstance(word, cst.Name) or word.value not in ("Optional", "Union"):
        return []
    return [
        element.slice.value for element in annotation.slice if isinstance(element.slice, cst.Index)
    ]


def _is_none(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"


def _kind_of_call(program: Program, call: cst.Call, depth: int) -> str:
    name = program.qualified_name(call.func)
    if name in _EXPERIMENTS:
        return EXPERIMENT
    if name in _RUNS:
        return JOB_RUN
    if isinstance(call.func, cst.Attribute):
        return _returned_kind(program, call.func, depth)
    definition = _definition(program, call.func)
    if isinstance(definition, cst.FunctionDef):
        return _common_kind(program, _returned_values(program, definition), depth)
    if isinstance(definition, cst.ClassDef):
        bases = {program.qualified_name(base.value) for base in definition.bases}
        return EXPERIMENT if bases & _EXPERIMENTS else OTHER
    return OTHER if name else UNKNOWN


def _returned_kind(program: Program, method: cst.Attribute, depth: int) -> str:
    """The kind of what ``method`` returns."""
    owner = find_kind(program, method.value, depth)
    if owner == EXPERIMENT:
        return _METHODS.get(method.attr.value, UNKNOWN)
    if method.attr.value == "get" and _is_experiments(method.value):
        return EXPERIMENT
    return OTHER if owner == OTHER or program.qualified_name(method) else UNKNOWN


def _definition(program: Program, name: cst.BaseExpression) -> cst.CSTNode | None:
    """The only statement that binds ``name``."""
    if not isinstance(name, cst.Name):
        return None
    nodes = [getattr(each, "node", None) for each in program.assignments(name.value, name)]
    return nodes[0] if len(nodes) == 1 else None


def _returned_values(
    program: Program, function: cst.FunctionDef
) -> Sequence[cst.BaseExpression | None]:
    return [
        statement.value
        for statement in program.nodes(cst.Return)
        if program.enclosing(statement, cst.FunctionDef) is function
    ]


def _is_experiments(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Attribute) and node.attr.value == "experiments"


def _pairs(assignment: cst.Assign) -> list[tuple[cst.BaseExpression, cst.BaseExpression]]:
    """Each target with its value, also in ``a, b = 1, 2``."""
    pairs: list[tuple[cst.BaseExpression, cst.BaseExpression]] = []
    for each in assignment.targets:
        target, value = each.target, assignment.value
        if isinstance(target, cst.Tuple) and isinstance(value, cst.Tuple):
            pairs += [
                (one.value, other.value)
                for one, other in zip(target.elements, value.elements, strict=False)
            ]
        else:
            pairs.append((target, value))
    return pairs


def _kind_of_attribute(program: Program, node: cst.Attribute, depth: int) -> str:
    """The kind that every assignment to this attribute gives it; ``run.experiment`` is one."""
    text = program.source(node)
    values = [
        value
        for assignment in program.nodes(cst.Assign)
        for target, value in _pairs(assignment)
        if program.source(target) == text
    ]
    if values:
        return _common_kind(program, values, depth)
    if node.attr.value == "experiment":
        owner = find_kind(program, node.value, depth)
        return EXPERIMENT if owner in (LOGGED_RUN, JOB_RUN) else UNKNOWN
    return UNKNOWN
