"""Remove RunConfiguration objects by moving their settings into ScriptRunConfigs.

One is removed only if all of its uses are visible: it is created plainly or loaded from a file next
to the code, attributes of it are set, and ScriptRunConfigs take it. Settings for which a
ScriptRunConfig has no argument are set on its own ``run_config`` afterwards.
"""

from __future__ import annotations

import re

import libcst as cst

from scriptrun.migration import runconfig_precedence
from scriptrun.migration.code import constants
from scriptrun.migration.code.call_layout import Arguments
from scriptrun.migration.code.edits import Edit
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import Refused
from scriptrun.migration.loaded_runconfigs import Said, is_load, said
from scriptrun.spec.values import Value, fresh

_SETTINGS = {"target": "compute_target", "environment": "environment"}
_OVERRULED = (
    *("compute_target", "environment", "distributed_job_config", "docker_runtime_config"),
    "max_run_duration_seconds",
)
#: targets that set something on an object
_PLACES = (cst.Attribute, cst.Subscript)
#: settings that a ScriptRunConfig has itself, so that it ignores those of its run_config
_ELSEWHERE = frozenset(("script", "arguments", "command"))


class Taken(Value, frozen=False):
    """The removal of one RunConfiguration: its ``edits``, and in ``needs`` the names to import.

    ``file`` is the file from which it was loaded, or "".
    """

    call: cst.Call
    edits: list[Edit] = fresh(default_factory=list)
    needs: set[str] = fresh(default_factory=set)
    file: str = ""


def calls(program: Program) -> list[cst.Call]:
    """The calls that create or load a RunConfiguration, in source order."""
    found = [
        each
        for each in program.calls
        if _is_one(program, each.func, "RunConfiguration") or is_load(program, each)
    ]
    return sorted(found, key=program.span)


def _is_one(program: Program, node: cst.BaseExpression, name: str) -> bool:
    package, _, last = program.qualified(node).rpartition(".")
    return last == name and package.startswith("azureml.core")


def take_apart(program: Program, call: cst.Call, folder: str, ours: bool) -> Taken:
    """Remove the RunConfiguration that ``call`` creates. Raises CannotRewrite.

    The code runs in ``folder``; with ``ours`` it will use scriptrun instead of azureml.
    """
    return _Apart(program, call).take(folder, ours)


class _Apart:
    def __init__(self, program: Program, call: cst.Call) -> None:
        self.program, self.call = program, call
        self.made = Taken(call)
        self.said = Said()
        self.values: dict[str, str] = {}
        self.inner: list[cst.Attribute] = []
        self.configs: list[cst.Arg] = []
        self.set: list[tuple[str, cst.Assign]] = []
        self.more: list[tuple[cst.Assign, cst.CSTNode]] = []
        self.name = self._name()

    def take(self, folder: str, ours: bool) -> Taken:
        is_read = is_load(self.program, self.call)
        conda = "" if is_read else self._conda()
        if self.name is None:
            self._given(self._argument())
        else:
            for each in self.program.references(self.name.value, self.name):
                if each is not self.name:
                    self._user(each)
        if not self.configs:
            raise Refused("no ScriptRunConfig uses it")
        if len(self.configs) > 1 and any(
            each.attr.value == "run_config" for each in self.program.nodes(cst.Attribute)
        ):
            raise Refused("several ScriptRunConfigs share it, and run_config is used")
        if self.name is not None:
            self._check_order()
        if is_read:
            chosen = any(name == "environment" for name, _ in self.set)
            self.said = said(self.program, self.call, folder, ours, chosen)
            self.made.file, self.made.needs = self.said.file, set(self.said.names)
            self.values.update(self.said.words)
        for name, statement in self.set:
            self._move(name, statement)
        self.more.sort(key=lambda each: self.program.span(each[0]))
        self.said.after += [self._later(*each) for each in self.more]
        self._environment(conda)
        texts = [f"{name}={text}" for name, text in self.values.items()]
        for arg in self.configs:
            self._in_config(arg, texts)
        return self.made

    def _argument(self) -> cst.Arg:
        above = self.program.parent(self.call)
        assert isinstance(above, cst.Arg), "it has no name"
        return above

    def _name(self) -> cst.Name | None:
        """The variable that holds it, or None if it is passed directly to a call."""
        above = self.program.parent(self.call)
        if isinstance(above, cst.Arg) and is_load(self.program, self.call):
            return None
        target = above.targets[0].target if isinstance(above, cst.Assign) else None
        if (
            not isinstance(target, cst.Name)
            or constants.bound(self.program, target) is not self.call
        ):
            raise Refused("it is not assigned to a variable")
        if target.value in self.program.hidden:
            raise Refused("a non-Python line uses it")
        return target

    def _conda(self) -> str:
        """The code of its packages. Raises CannotRewrite for other arguments."""
        found = ""
        for arg in self.call.args:
            name = arg.keyword.value if arg.keyword else ""
            if name == "conda_dependencies":
                found = self.program.source(arg.value)
            elif (
                name != "framework"
                or str(constants.constant(self.program, arg.value)).lower() != "python"
            ):
                raise Refused("it is created with more than packages")
        return found

    def _user(self, name: cst.CSTNode) -> None:
        above = self.program.parent(name)
        if isinstance(above, cst.Arg):
            self._given(above)
            return
        if not isinstance(above, cst.Attribute):
            raise Refused("it is used as a whole elsewhere")
        if above.attr.value not in _SETTINGS:
            self._other(name, above)
            return
        statement = self._assigned(above)
        if statement is not None:
            self.set.append((above.attr.value, statement))
        elif above.attr.value == "environment":
            self.inner.append(above)
        else:
            raise Refused(f"its {above.attr.value} is read")

    def _other(self, name: cst.CSTNode, above: cst.Attribute) -> None:
        """Record a setting that can move to the ScriptRunConfig's run_config."""
        what = above.attr.value
        whole: cst.CSTNode = above
        inner = self.program.parent(whole)
        while isinstance(inner, cst.Attribute | cst.Subscript) and inner.value is whole:
            whole, inner = inner, self.program.parent(inner)
        statement = self._assigned(whole) if isinstance(whole, _PLACES) else None
        if statement is None:
            raise Refused(f"its {what} is used, which the ScriptRunConfig stores in it")
        if what in _ELSEWHERE:
            raise Refused(f"its {what} is set, which the ScriptRunConfig may also set")
        self.more.append((statement, name))

    def _given(self, arg: cst.Arg) -> None:
        call = self.program.parent(arg)
        taken = isinstance(call, cst.Call) and _is_one(self.program, call.func, "ScriptRunConfig")
        if not taken or arg.keyword is None or arg.keyword.value != "run_config":
            raise Refused("something other than a ScriptRunConfig uses it, e.g. a pipeline step")
        assert isinstance(call, cst.Call)
        others = {each.keyword.value for each in call.args if each.keyword}
        if others & set(_OVERRULED) or any(each.star for each in call.args):
            raise Refused("the ScriptRunConfig also sets some of it")
        self.configs.append(arg)

    def _assigned(self, node: cst.Attribute | cst.Subscript) -> cst.Assign | None:
        """The assignment whose only target is ``node``, or None."""
        target = self.program.parent(node)
        whole = self.program.parent(target) if isinstance(target, cst.AssignTarget) else None
        if isinstance(whole, cst.Assign) and len(whole.targets) == 1:
            return whole
        return None

    def _check_order(self) -> None:
        """Check that each setting is set once, in the same block, and before it is passed on."""
        block = self._block(self.call)
        first = min(self.program.span(each)[0] for each in self.configs)
        for statement, _ in self.more:
            before = self.program.span(statement)[0] < first
            if not before or self._block(statement) is not block:
                raise Refused("it is modified after it is passed on")
        for name, statement in self.set:
            once = [each for each, _ in self.set].count(name) == 1
            before = self.program.span(statement)[0] < first
            if not once or not before or self._block(statement) is not block:
                raise Refused(f"its {name} is not set exactly once before it is passed on")
        whole = [statement for name, statement in self.set if name == "environment"]
        for node in self.inner:
            if whole and self.program.span(node)[0] < self.program.span(whole[0])[0]:
                raise Refused("its environment is modified and then replaced")

    def _block(self, node: cst.CSTNode) -> cst.CSTNode | None:
        kinds = (cst.IndentedBlock, cst.Module, cst.SimpleStatementSuite)
        return next((each for each in self.program.above(node) if isinstance(each, kinds)), None)

    # edits

    def _later(self, statement: cst.Assign, name: cst.CSTNode) -> str:
        """The line that sets it on the ScriptRunConfig's own ``run_config`` instead."""
        if "distributed_job_config" in self.values:
            raise Refused(f"{self.said.file} sets the distribution, and the code changes it")
        target, value = statement.targets[0].target, self.program.source(statement.value)
        place = self.program.source(target).removeprefix(self.program.source(name))
        steady = constants.is_steady(self.program, statement.value) and "\n" not in value
        if not steady or not self._delete(statement):
            last = re.findall(r"\w+", place)[-1]
            value = self.program.name_for(statement, f"{self.program.source(name)}_{last}")
            self.made.edits.append(Edit(*self.program.span(target), value))
        return f"config.run_config{place} = {value}"

    def _move(self, name: str, statement: cst.Assign) -> None:
        """Move a setting to an argument, through a new variable if its value cannot move."""
        text = self.program.source(statement.value)
        steady = constants.is_steady(self.program, statement.value) and "\n" not in text
        if steady and self._delete(statement):
            self.values[_SETTINGS[name]] = text
            return
        variable = self.program.name_for(statement, _SETTINGS[name])
        target = statement.targets[0].target
        self.made.edits.append(Edit(*self.program.span(target), variable))
        self.values[_SETTINGS[name]] = variable

    def _delete(self, node: cst.CSTNode) -> bool:
        """Delete the statement's line, if it has no other code or comment."""
        statement = self.program.statement(node)
        if statement is None or len(statement.body) > 1 or self.program.indent(statement) is None:
            return False
        end = self.program.span(statement)[1]
        starts, number = self.program.lines.starts, self.program.lines.line(end)
        stop = starts[number] if number < len(starts) else len(self.program.text)
        if self.program.text[end:stop].strip():
            return False
        self.made.edits.append(Edit(self.program.line_start(statement), stop, ""))
        return True

    def _environment(self, conda: str) -> None:
        """Move changes of its environment to an Environment in a variable."""
        given = self.values.get("environment")
        if given is None and (self.inner or conda or self.said.environment):
            stem = self.name.value if self.name is not None else "run_config"
            given = self.program.name_for(self.call, f"{stem}_env")
            self.made.needs.add("Environment")
            self._named_environment(given, conda)
            self.values["environment"] = given
        elif self.name is not None and (conda or not self._delete(self.call)):
            raise Refused("its packages are replaced, or its line has other statements")
        for node in self.inner:
            self.made.edits.append(Edit(*self.program.span(node), str(given)))

    def _named_environment(self, given: str, conda: str) -> None:
        """Create the Environment ``given`` in place of the RunConfiguration."""
        quote = "'" if self.program.text.count("'") >= self.program.text.count('"') else '"'
        lines = [f"{given} = Environment({quote}default-environment{quote})"]
        if conda:
            lines.append(f"{given}.python.conda_dependencies = {conda}")
        lines = self.said.environment_as(given) or lines
        statement = self.program.statement(self.call)
        indent = self.program.indent(statement) if statement is not None else None
        if indent is None and (len(lines) > 1 or self.name is None):
            raise Refused("its line has other statements")
        if self.name is None:
            assert statement is not None and indent is not None
            place = self.program.line_start(statement)
            text = "".join(f"{indent}{line}{self.program.newline}" for line in lines)
            self.made.edits.append(Edit(place, place, text))
            return
        first = lines[0].removeprefix(f"{given} = ")
        text = f"{self.program.newline}{indent}".join([first, *lines[1:]])
        self.made.edits.append(Edit(*self.program.span(self.name), given))
        self.made.edits.append(Edit(*self.program.span(self.call), text))

    def _in_config(self, arg: cst.Arg, texts: list[str]) -> None:
        call = self.program.parent(arg)
        assert isinstance(call, cst.Call)
        texts = [*runconfig_precedence.script(self.program, call, self.said), *texts]
        if not texts and not self.said.after:
            raise Refused("it has no settings")
        if self.said.after:
            if len(self.configs) > 1:
                what = self.said.after[0].partition("run_config.")[2].partition(" =")[0]
                raise Refused(f"several ScriptRunConfigs use {what}, which only run_config can set")
            self.made.edits.append(runconfig_precedence.after(self.program, call, self.said))
        if not texts:
            layout = Arguments(self.program, call)
            layout.drop(arg)
            self.made.edits += layout.edits(self.program.source(call.func), call.func)
            return
        start, end = self.program.span(arg)
        column = start - self.program.line_start(arg)
        before = self.program.text[self.program.line_start(arg) : start]
        gap = " " if before.strip() else self.program.newline + " " * column
        self.made.edits.append(Edit(start, end, f",{gap}".join(texts)))
