"""Rewrite uses of Estimators that differ for a ScriptRunConfig."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration.code import constants, parameters, subclasses
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import family

_SWEEPS = ("HyperDriveConfig", "HyperDriveRunConfig")
_PROPERTIES = {
    "conda_dependencies": "run_config.environment.python.conda_dependencies",
    "_estimator_config": "run_config",
}
_GONE = ("framework_version", "get_supported_versions", "DEFAULT_VERSION", "FRAMEWORK_NAME")


class Usages:
    """The edits for uses of the rewritten ``calls``; ``unchanged`` calls stay as they are.

    ``review_notes`` are uses that need a look: (node, subject, reason, advice).
    """

    def __init__(self, program: Program, calls: list[cst.Call], left: list[cst.Call]) -> None:
        self.program, self.calls, self.left = program, set(calls), set(left)
        self.edits: list[Edit] = []
        self.needs: set[tuple[str, cst.Call]] = set()
        self.looks: list[tuple[cst.CSTNode, str, str, str]] = []
        self.steps: list[cst.Call] = []
        self.done: list[tuple[cst.CSTNode, str, str]] = []
        for call in program.calls:
            self._call(call)
        for node in program.nodes(cst.Attribute):
            self._attribute(node)
        self._classes()

    def is_config(self, node: cst.BaseExpression, depth: int = 0) -> bool | None:
        """Whether ``node`` is the result of a rewritten call; None if uncertain."""
        if depth > 8:
            return None
        if isinstance(node, cst.Call):
            return self._called(node, depth)
        if isinstance(node, cst.Name):
            return self._named(node, depth)
        return self._attributed(node, depth) if isinstance(node, cst.Attribute) else None

    def _called(self, node: cst.Call, depth: int) -> bool | None:
        if node in self.calls or node in self.left:
            return node in self.calls
        made = subclasses.of(self.program, node.func)
        if made is not None and made in self.calls:
            return True
        return self._returned(node, depth)

    def _one(self, found: set[bool | None]) -> bool | None:
        return found.pop() if len(found) == 1 else None

    def _named(self, node: cst.Name, depth: int) -> bool | None:
        value = constants.bound(self.program, node)
        if value is not None:
            return self.is_config(value, depth + 1)
        found: set[bool | None] = set()
        for each in self.program.assignments(node.value, node):
            for given in self._given(getattr(each, "node", None)):
                found.add(None if given is None else self.is_config(given, depth + 1))
        return self._one(found)

    def _given(self, target: cst.CSTNode | None) -> list[cst.BaseExpression | None]:
        """The values that a binding may have; None for an uncertain one."""
        above = self.program.parent(target) if target is not None else None
        param = target if isinstance(target, cst.Param) else above
        if isinstance(param, cst.Param):
            return parameters.given(self.program, param) or [None]
        whole = self.program.parent(above) if above is not None else None
        if isinstance(whole, cst.Assign) and len(whole.targets) == 1:
            return [whole.value if isinstance(above, cst.AssignTarget) else None]
        return [None]

    def _attributed(self, node: cst.Attribute, depth: int) -> bool | None:
        text = self.program.source(node)
        found: set[bool | None] = set()
        for each in self.program.nodes(cst.Assign):
            if any(self.program.source(target.target) == text for target in each.targets):
                found.add(self.is_config(each.value, depth + 1))
        return self._one(found)

    def _returned(self, call: cst.Call, depth: int) -> bool | None:
        """Whether a function of the program returns one; None unless all returns agree."""
        if not isinstance(call.func, cst.Name):
            return None
        bound = self.program.assignments(call.func.value, call)
        function = getattr(bound[0], "node", None) if len(bound) == 1 else None
        if not isinstance(function, cst.FunctionDef):
            return None
        found: set[bool | None] = set()
        for each in self.program.nodes(cst.Return):
            owner = next(
                (
                    a
                    for a in self.program.above(each)
                    if isinstance(a, cst.FunctionDef | cst.Lambda)
                ),
                None,
            )
            if owner is function:
                given = each.value
                found.add(None if given is None else self.is_config(given, depth + 1))
        return self._one(found)

    # calls

    def _call(self, call: cst.Call) -> None:
        name = self.program.qualified(call.func).rpartition(".")[2]
        if name in _SWEEPS:
            self._sweep(call, name)
        elif name == "EstimatorStep":
            self._step(call)
        elif self._is_translation(call.func):
            assert isinstance(call.func, cst.Attribute)
            start = self.program.span(call.func.value)[1]
            self.edits.append(Edit(start, self.program.span(call)[1], ""))
        else:
            self._handed_on(call)

    def _handed_on(self, call: cst.Call) -> None:
        """Note calls of other modules' functions, which may require an Estimator."""
        home = self.program.qualified(call.func)
        if not home or home.startswith(("azureml.", "scriptrun")):
            return
        for arg in call.args:
            if isinstance(arg.value, cst.Name) and self.is_config(arg.value):
                name = arg.value.value
                reason = f"it receives {name}, which is now a ScriptRunConfig"
                advice = "Check whether it requires an Estimator; both are submitted the same way."
                self._look(call, self.program.source(call.func), reason, advice)

    def _is_translation(self, func: cst.BaseExpression) -> bool:
        """Whether it is ``to_script_run_config`` of what is now a ScriptRunConfig."""
        if not isinstance(func, cst.Attribute) or func.attr.value != "to_script_run_config":
            return False
        return bool(self.is_config(func.value))

    def _sweep(self, call: cst.Call, name: str) -> None:
        arg = _keyword(call, "estimator")
        if arg is None or self.program.source(arg.value) == "None":
            return
        standing = self.is_config(arg.value)
        if standing and arg.keyword is not None:
            self.edits.append(Edit(*self.program.span(arg.keyword), "run_config"))
            self.done.append((call, name, "estimator= is now run_config="))
        elif standing is None:
            self._look(
                call,
                name,
                f"{self.program.source(arg.value)} may now be a ScriptRunConfig",
                "If it is, pass it as run_config=.",
            )

    def _step(self, call: cst.Call) -> None:
        arg = _keyword(call, "estimator")
        standing = self.is_config(arg.value) if arg is not None else None
        if standing is False:
            return
        names = {each.keyword.value for each in call.args if each.keyword}
        if (
            not standing
            or arg is None
            or len(names) < len(call.args)
            or not isinstance(arg.value, cst.Name)
        ):
            self._look(
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
        words = _keyword(call, "estimator_entry_script_arguments")
        if words is not None and words.keyword is not None:
            self.edits.append(Edit(*self.program.span(words.keyword), "arguments"))
        self.needs.add(("PythonScriptStep", call))
        self.done.append((call, "EstimatorStep", "is now PythonScriptStep"))
        self.steps.append(call)

    # properties

    def _attribute(self, node: cst.Attribute) -> None:
        name = node.attr.value
        if name not in _PROPERTIES and name not in _GONE:
            return
        standing = self.is_config(node.value)
        if standing and name in _PROPERTIES:
            self.edits.append(Edit(*self.program.span(node.attr), _PROPERTIES[name]))
        elif standing or self._may_be(node.value) or (name in _GONE and self._is_class(node.value)):
            advice = "To list versions, use Environment.list(workspace)."
            if name in _PROPERTIES:
                advice = f"If it is a ScriptRunConfig, use {_PROPERTIES[name]}."
            reason = f"a ScriptRunConfig has no {name}"
            self._look(node, self.program.source(node), reason, advice)

    def _may_be(self, node: cst.BaseExpression) -> bool:
        """Whether ``node`` is a variable that may hold the result of a rewritten call."""
        if not isinstance(node, cst.Name) or self.is_config(node) is False:
            return False
        given = [
            each
            for bound in self.program.assignments(node.value, node)
            for each in self._given(getattr(bound, "node", None))
        ]
        return any(each is not None and self.is_config(each) for each in given)

    def _is_class(self, node: cst.BaseExpression) -> bool:
        return (
            bool(self.program.qualified(node)) and family(self.program.qualified(node)) is not None
        )

    def _classes(self) -> None:
        for each in self.program.nodes(cst.ClassDef):
            made = subclasses.made(self.program, each)
            for base in each.bases:
                if self._is_class(base.value) and made not in {*self.calls, *self.left}:
                    self._look(
                        each,
                        f"class {each.name.value}",
                        f"it is a subclass of {self.program.source(base.value)}",
                        "Write a function that returns a ScriptRunConfig instead.",
                    )

    def _look(self, node: cst.CSTNode, what: str, reason: str, advice: str) -> None:
        self.looks.append((node, what, reason, advice))


def _keyword(call: cst.Call, name: str) -> cst.Arg | None:
    return next((each for each in call.args if each.keyword and each.keyword.value == name), None)
