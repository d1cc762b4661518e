"""Rewrite uses of Estimators that differ for a ScriptRunConfig."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration.code import constants, parameters, subclasses
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import framework_name

_OLD_SWEEP = "HyperDriveRunConfig"
_SWEEPS = ("HyperDriveConfig", _OLD_SWEEP)
_PROPERTIES = {
    "conda_dependencies": "run_config.environment.python.conda_dependencies",
    "_estimator_config": "run_config",
}
_REMOVED = ("framework_version", "get_supported_versions", "DEFAULT_VERSION", "FRAMEWORK_NAME")


class Usages:
    """The edits for uses of the rewritten ``calls``; ``unchanged`` calls stay as they are.

    ``review_notes`` are uses that need a look: (node, subject, reason, advice).
    """

    def __init__(self, program: Program, calls: list[cst.Call], unchanged: list[cst.Call]) -> None:
        self.program, self.calls, self.unchanged = program, set(calls), set(unchanged)
        self.edits: list[Edit] = []
        self.needs: set[tuple[str, cst.Call]] = set()
        self.review_notes: list[tuple[cst.CSTNode, str, str, str]] = []
        self.steps: list[cst.Call] = []
        self.sweeps: list[cst.Call] = []
        self.changes: list[tuple[cst.CSTNode, str, str]] = []
        for call in program.calls:
            self._visit_call(call)
        for node in program.nodes(cst.Attribute):
            self._visit_attribute(node)
        self._visit_classes()

    def is_config(self, node: cst.BaseExpression, depth: int = 0) -> bool | None:
        """Whether ``node`` is the result of a rewritten call; None if uncertain."""
        if depth > 8:
            return None
        if isinstance(node, cst.Call):
            return self._call_is_config(node, depth)
        if isinstance(node, cst.Name):
            return self._name_is_config(node, depth)
        return self._attribute_is_config(node, depth) if isinstance(node, cst.Attribute) else None

    def _call_is_config(self, node: cst.Call, depth: int) -> bool | None:
        if node in self.calls or node in self.unchanged:
            return node in self.calls
        super_call = subclasses.find_super_call(self.program, node.func)
        if super_call is not None and super_call in self.calls:
            return True
        return self._result_is_config(node, depth)

    def _single(self, answers: set[bool | None]) -> bool | None:
        return answers.pop() if len(answers) == 1 else None

    def _name_is_config(self, node: cst.Name, depth: int) -> bool | None:
        value = constants.bound_value(self.program, node)
        if value is not None:
            return self.is_config(value, depth + 1)
        answers: set[bool | None] = set()
        for assignment in self.program.assignments(node.value, node):
            for candidate in self._binding_values(getattr(assignment, "node", None)):
                answers.add(None if candidate is None else self.is_config(candidate, depth + 1))
        return self._single(answers)

    def _binding_values(self, target: cst.CSTNode | None) -> list[cst.BaseExpression | None]:
        """The values that a binding may have; None for an uncertain one."""
        parent = self.program.parent(target) if target is not None else None
        param = target if isinstance(target, cst.Param) else parent
        if isinstance(param, cst.Param):
            return parameters.passed_values(self.program, param) or [None]
        assignment = self.program.parent(parent) if parent is not None else None
        if isinstance(assignment, cst.Assign) and len(assignment.targets) == 1:
            return [assignment.value if isinstance(parent, cst.AssignTarget) else None]
        return [None]

    def _attribute_is_config(self, node: cst.Attribute, depth: int) -> bool | None:
        text = self.program.source(node)
        answers: set[bool | None] = set()
        for assignment in self.program.nodes(cst.Assign):
            if any(self.program.source(target.target) == text for target in assignment.targets):
                answers.add(self.is_config(assignment.value, depth + 1))
        return self._single(answers)

    def _result_is_config(self, call: cst.Call, depth: int) -> bool | None:
        """Whether a function of the program returns one; None unless all returns agree."""
        if not isinstance(call.func, cst.Name):
            return None
        assignments = self.program.assignments(call.func.value, call)
        function = getattr(assignments[0], "node", None) if len(assignments) == 1 else None
        if not isinstance(function, cst.FunctionDef):
            return None
        answers: set[bool | None] = set()
        for statement in self.program.nodes(cst.Return):
            owner = next(
                (
                    ancestor
                    for ancestor in self.program.ancestors(statement)
                    if isinstance(ancestor, cst.FunctionDef | cst.Lambda)
                ),
                None,
            )
            if owner is function:
                value = statement.value
                answers.add(None if value is None else self.is_config(value, depth + 1))
        return self._single(answers)

    # calls

    def _visit_call(self, call: cst.Call) -> None:
        name = self.program.qualified_name(call.func).rpartition(".")[2]
        if name in _SWEEPS:
            self._rewrite_sweep(call, name)
        elif name == "EstimatorStep":
            self._rewrite_step(call)
        elif self._is_conversion(call.func):
            assert isinstance(call.func, cst.Attribute)
            start = self.program.span(call.func.value)[1]
            self.edits.append(Edit(start, self.program.span(call)[1], ""))
        else:
            self._check_foreign_call(call)

    def _check_foreign_call(self, call: cst.Call) -> None:
        """Note calls of other modules' functions, which may require an Estimator."""
        function_name = self.program.qualified_name(call.func)
        if not function_name or function_name.startswith(("azureml.", "scriptrun")):
            return
        for arg in call.args:
            if isinstance(arg.value, cst.Name) and self.is_config(arg.value):
                name = arg.value.value
                reason = f"it receives {name}, which is now a ScriptRunConfig"
                advice = "Check whether it requires an Estimator; both are submitted the same way."
                self._add_note(call, self.program.source(call.func), reason, advice)

    def _is_conversion(self, func: cst.BaseExpression) -> bool:
        """Whether it is ``to_script_run_config`` of what is now a ScriptRunConfig."""
        if not isinstance(func, cst.Attribute) or func.attr.value != "to_script_run_config":
            return False
        return bool(self.is_config(func.value))

    def _rewrite_sweep(self, call: cst.Call, name: str) -> None:
        arg = _keyword(call, "estimator")
        if arg is None or self.program.source(arg.value) == "None":
            return
        is_rewritten = self.is_config(arg.value)
        if is_rewritten and arg.keyword is not None:
            self.edits.append(Edit(*self.program.span(arg.keyword), "run_config"))
            if name == _OLD_SWEEP and all(argument.keyword for argument in call.args):
                self.edits.append(Edit(*self.program.span(call.func), _SWEEPS[0]))
                self.needs.add((_SWEEPS[0], call))
                self.sweeps.append(call)
            self.changes.append((call, name, "estimator= is now run_config="))
        elif is_rewritten is None:
            self._add_note(
                call,
                name,
                f"{self.program.source(arg.value)} may now be a ScriptRunConfig",
                "If it is, pass it as run_config=.",
            )

    def _rewrite_step(self, call: cst.Call) -> None:
        arg = _keyword(call, "estimator")
        is_rewritten = self.is_config(arg.value) if arg is not None else None
        if is_rewritten is False:
            return
        names = {argument.keyword.value for argument in call.args if argument.keyword}
        if (
            not is_rewritten
            or arg is None
            or len(names) < len(call.args)
            or not isinstance(arg.value, cst.Name)
        ):
            self._add_note(
                call,
                "EstimatorStep",
                "its estimator is uncertain",
                "Use PythonScriptStep instead.",
            )
            return
        self._to_script_step(call, arg)

    def _to_script_step(self, call: cst.Call, arg: cst.Arg) -> None:
        config = self.program.source(arg.value)
        self.edits.append(Edit(*self.program.span(call.func), "PythonScriptStep"))
        text = (
            f"script_name={config}.script, source_directory={config}.source_directory, "
            f"runconfig={config}.run_config"
        )
        self.edits.append(Edit(*self.program.span(arg), text))
        arguments = _keyword(call, "estimator_entry_script_arguments")
        if arguments is not None and arguments.keyword is not None:
            self.edits.append(Edit(*self.program.span(arguments.keyword), "arguments"))
        self.needs.add(("PythonScriptStep", call))
        self.changes.append((call, "EstimatorStep", "is now PythonScriptStep"))
        self.steps.append(call)

    # properties

    def _visit_attribute(self, node: cst.Attribute) -> None:
        name = node.attr.value
        if name not in _PROPERTIES and name not in _REMOVED:
            return
        is_rewritten = self.is_config(node.value)
        if is_rewritten and name in _PROPERTIES:
            self.edits.append(Edit(*self.program.span(node.attr), _PROPERTIES[name]))
        elif (
            is_rewritten
            or self._may_be_config(node.value)
            or (name in _REMOVED and self._is_class(node.value))
        ):
            advice = "To list versions, use Environment.list(workspace)."
            if name in _PROPERTIES:
                advice = f"If it is a ScriptRunConfig, use {_PROPERTIES[name]}."
            reason = f"a ScriptRunConfig has no {name}"
            self._add_note(node, self.program.source(node), reason, advice)

    def _may_be_config(self, node: cst.BaseExpression) -> bool:
        """Whether ``node`` is a variable that may hold the result of a rewritten call."""
        if not isinstance(node, cst.Name) or self.is_config(node) is False:
            return False
        values = [
            value
            for assignment in self.program.assignments(node.value, node)
            for value in self._binding_values(getattr(assignment, "node", None))
        ]
        return any(candidate is not None and self.is_config(candidate) for candidate in values)

    def _is_class(self, node: cst.BaseExpression) -> bool:
        return (
            bool(self.program.qualified_name(node))
            and framework_name(self.program.qualified_name(node)) is not None
        )

    def _visit_classes(self) -> None:
        for class_node in self.program.nodes(cst.ClassDef):
            super_call = subclasses.super_call(self.program, class_node)
            for base in class_node.bases:
                if self._is_class(base.value) and super_call not in {*self.calls, *self.unchanged}:
                    self._add_note(
                        class_node,
                        f"class {class_node.name.value}",
                        f"it is a subclass of {self.program.source(base.value)}",
                        "Write a function that returns a ScriptRunConfig instead.",
                    )

    def _add_note(self, node: cst.CSTNode, subject: str, reason: str, advice: str) -> None:
        self.review_notes.append((node, subject, reason, advice))


def _keyword(call: cst.Call, name: str) -> cst.Arg | None:
    return next((arg for arg in call.args if arg.keyword and arg.keyword.value == name), None)
