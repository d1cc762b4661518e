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
from scriptrun.migration.estimators.call import CannotRewrite
from scriptrun.migration.loaded_runconfigs import LoadedSettings, is_load, load_settings
from scriptrun.spec.values import Value, fresh

_SETTINGS = {"target": "compute_target", "environment": "environment"}
_CONFLICTING = (
    *("compute_target", "environment", "distributed_job_config", "docker_runtime_config"),
    "max_run_duration_seconds",
)
#: targets that set something on an object
_ASSIGNABLE = (cst.Attribute, cst.Subscript)
#: settings that a ScriptRunConfig has itself, so that it ignores those of its run_config
_SCRIPT_SETTINGS = frozenset(("script", "arguments", "command"))


class RunConfigRemoval(Value, frozen=False):
    """The removal of one RunConfiguration: its ``edits``, and in ``needs`` the names to import.

    ``file`` is the file from which it was loaded, or "".
    """

    call: cst.Call
    edits: list[Edit] = fresh(default_factory=list)
    needs: set[str] = fresh(default_factory=set)
    file: str = ""


def calls(program: Program) -> list[cst.Call]:
    """The calls that create or load a RunConfiguration, in source order."""
    matches = [
        call
        for call in program.calls
        if _is_azureml_class(program, call.func, "RunConfiguration") or is_load(program, call)
    ]
    return sorted(matches, key=program.span)


def _is_azureml_class(program: Program, node: cst.BaseExpression, name: str) -> bool:
    package, _, base_name = program.qualified_name(node).rpartition(".")
    return base_name == name and package.startswith("azureml.core")


def remove_run_config(
    program: Program, call: cst.Call, folder: str, for_scriptrun: bool
) -> RunConfigRemoval:
    """Remove the RunConfiguration that ``call`` creates. Raises CannotRewrite.

    The code runs in ``folder``; with ``for_scriptrun`` it will use scriptrun instead of azureml.
    """
    return _RunConfigRemover(program, call).remove(folder, for_scriptrun)


class _RunConfigRemover:
    def __init__(self, program: Program, call: cst.Call) -> None:
        self.program, self.call = program, call
        self.removal = RunConfigRemoval(call)
        self.loaded = LoadedSettings()
        self.arguments: dict[str, str] = {}
        self.environment_uses: list[cst.Attribute] = []
        self.config_args: list[cst.Arg] = []
        self.settings: list[tuple[str, cst.Assign]] = []
        self.other_settings: list[tuple[cst.Assign, cst.CSTNode]] = []
        self.comments: list[str] = []
        self.name = self._variable()

    def remove(self, folder: str, for_scriptrun: bool) -> RunConfigRemoval:
        is_loaded = is_load(self.program, self.call)
        conda = "" if is_loaded else self._conda()
        if self.name is None:
            self._record_config(self._argument())
        else:
            for use in self.program.references(self.name.value, self.name):
                if use is not self.name:
                    self._record_use(use)
        if not self.config_args:
            raise CannotRewrite("no ScriptRunConfig uses it")
        if len(self.config_args) > 1 and any(
            attribute.attr.value == "run_config" for attribute in self.program.nodes(cst.Attribute)
        ):
            raise CannotRewrite("several ScriptRunConfigs share it, and run_config is used")
        if self.name is not None:
            self._check_order()
        if is_loaded:
            has_environment = any(name == "environment" for name, _ in self.settings)
            self.loaded = load_settings(
                self.program, self.call, folder, for_scriptrun, has_environment
            )
            self.removal.file, self.removal.needs = self.loaded.file, set(self.loaded.names)
            self.arguments.update(self.loaded.arguments)
        for name, statement in self.settings:
            self._move_to_argument(name, statement)
        self.other_settings.sort(key=lambda entry: self.program.span(entry[0]))
        self.loaded.later_lines += [self._config_line(*setting) for setting in self.other_settings]
        self._move_environment(conda)
        texts = [f"{name}={text}" for name, text in self.arguments.items()]
        for arg in self.config_args:
            self._rewrite_config(arg, texts)
        self._place_comments(self.config_args[0])
        return self.removal

    def _argument(self) -> cst.Arg:
        parent = self.program.parent(self.call)
        assert isinstance(parent, cst.Arg), "it has no name"
        return parent

    def _variable(self) -> cst.Name | None:
        """The variable that holds it, or None if it is passed directly to a call."""
        parent = self.program.parent(self.call)
        if isinstance(parent, cst.Arg) and is_load(self.program, self.call):
            return None
        target = parent.targets[0].target if isinstance(parent, cst.Assign) else None
        if (
            not isinstance(target, cst.Name)
            or constants.bound_value(self.program, target) is not self.call
        ):
            raise CannotRewrite("it is not assigned to a variable")
        if target.value in self.program.hidden:
            raise CannotRewrite("a non-Python line uses it")
        return target

    def _conda(self) -> str:
        """The code of its packages. Raises CannotRewrite for other arguments."""
        packages = ""
        for arg in self.call.args:
            name = arg.keyword.value if arg.keyword else ""
            if name == "conda_dependencies":
                packages = self.program.source(arg.value)
            elif (
                name != "framework"
                or str(constants.constant(self.program, arg.value)).lower() != "python"
            ):
                raise CannotRewrite("it is created with more than packages")
        return packages

    def _record_use(self, name: cst.CSTNode) -> None:
        parent = self.program.parent(name)
        if isinstance(parent, cst.Arg):
            self._record_config(parent)
            return
        if not isinstance(parent, cst.Attribute):
            raise CannotRewrite("it is used as a whole elsewhere")
        if parent.attr.value not in _SETTINGS:
            self._record_other_setting(name, parent)
            return
        statement = self._assignment(parent)
        if statement is not None:
            self.settings.append((parent.attr.value, statement))
        elif parent.attr.value == "environment":
            self.environment_uses.append(parent)
        else:
            raise CannotRewrite(f"its {parent.attr.value} is read")

    def _record_other_setting(self, name: cst.CSTNode, attribute: cst.Attribute) -> None:
        """Record a setting that can move to the ScriptRunConfig's run_config."""
        setting = attribute.attr.value
        target: cst.CSTNode = attribute
        parent = self.program.parent(target)
        while isinstance(parent, cst.Attribute | cst.Subscript) and parent.value is target:
            target, parent = parent, self.program.parent(parent)
        statement = self._assignment(target) if isinstance(target, _ASSIGNABLE) else None
        if statement is None:
            raise CannotRewrite(f"its {setting} is used, which the ScriptRunConfig stores in it")
        if setting in _SCRIPT_SETTINGS:
            raise CannotRewrite(f"its {setting} is set, which the ScriptRunConfig may also set")
        self.other_settings.append((statement, name))

    def _record_config(self, arg: cst.Arg) -> None:
        call = self.program.parent(arg)
        is_config = isinstance(call, cst.Call) and _is_azureml_class(
            self.program, call.func, "ScriptRunConfig"
        )
        if not is_config or arg.keyword is None or arg.keyword.value != "run_config":
            raise CannotRewrite(
                "something other than a ScriptRunConfig uses it, e.g. a pipeline step"
            )
        assert isinstance(call, cst.Call)
        other_keywords = {other.keyword.value for other in call.args if other.keyword}
        if other_keywords & set(_CONFLICTING) or any(argument.star for argument in call.args):
            raise CannotRewrite("the ScriptRunConfig also sets some of it")
        self.config_args.append(arg)

    def _assignment(self, node: cst.Attribute | cst.Subscript) -> cst.Assign | None:
        """The assignment whose only target is ``node``, or None."""
        target = self.program.parent(node)
        statement = self.program.parent(target) if isinstance(target, cst.AssignTarget) else None
        if isinstance(statement, cst.Assign) and len(statement.targets) == 1:
            return statement
        return None

    def _check_order(self) -> None:
        """Check that each setting is set once, in the same block, and before it is passed on."""
        block = self._block(self.call)
        first = min(self.program.span(arg)[0] for arg in self.config_args)
        for statement, _ in self.other_settings:
            is_before = self.program.span(statement)[0] < first
            if not is_before or self._block(statement) is not block:
                raise CannotRewrite("it is modified after it is passed on")
        for name, statement in self.settings:
            is_set_once = [setting for setting, _ in self.settings].count(name) == 1
            is_before = self.program.span(statement)[0] < first
            if not is_set_once or not is_before or self._block(statement) is not block:
                raise CannotRewrite(f"its {name} is not set exactly once before it is passed on")
        replacements = [statement for name, statement in self.settings if name == "environment"]
        for node in self.environment_uses:
            if replacements and self.program.span(node)[0] < self.program.span(replacements[0])[0]:
                raise CannotRewrite("its environment is modified and then replaced")

    def _block(self, node: cst.CSTNode) -> cst.CSTNode | None:
        kinds = (cst.IndentedBlock, cst.Module, cst.SimpleStatementSuite)
        return next(
            (ancestor for ancestor in self.program.ancestors(node) if isinstance(ancestor, kinds)),
            None,
        )

    # edits

    def _config_line(self, statement: cst.Assign, name: cst.CSTNode) -> str:
        """The line that sets it on the ScriptRunConfig's own ``run_config`` instead."""
        if "distributed_job_config" in self.arguments:
            raise CannotRewrite(
                f"{self.loaded.file} sets the distribution, and the code changes it"
            )
        target, value = statement.targets[0].target, self.program.source(statement.value)
        path = self.program.source(target).removeprefix(self.program.source(name))
        stable = constants.is_stable(self.program, statement.value) and "\n" not in value
        if not stable or not self._delete_line(statement):
            last_name = re.findall(r"\w+", path)[-1]
            value = self.program.name_for(statement, f"{self.program.source(name)}_{last_name}")
            self.removal.edits.append(Edit(*self.program.span(target), value))
        return f"config.run_config{path} = {value}"

    def _move_to_argument(self, name: str, statement: cst.Assign) -> None:
        """Move a setting to an argument, through a new variable if its value cannot move."""
        text = self.program.source(statement.value)
        stable = self._is_stable(statement) and "\n" not in text
        if stable and self._delete_line(statement):
            self.arguments[_SETTINGS[name]] = text
            return
        variable = self.program.name_for(statement, _SETTINGS[name])
        target = statement.targets[0].target
        self.removal.edits.append(Edit(*self.program.span(target), variable))
        self.arguments[_SETTINGS[name]] = variable

    def _is_stable(self, statement: cst.Assign) -> bool:
        """Whether the value is the same where the ScriptRunConfig is created."""
        value = statement.value
        if constants.is_stable(self.program, value):
            return True
        start = self.program.span(statement)[0]
        scope = self.program.scope(statement)
        return isinstance(value, cst.Name) and all(
            each.scope is scope
            and (node := getattr(each, "node", None)) is not None
            and self.program.span(node)[0] < start
            for each in self.program.assignments(value.value, value)
        )

    def _delete_line(self, node: cst.CSTNode) -> bool:
        """Delete the statement's line, if it has no other code or comment."""
        statement = self.program.statement(node)
        if statement is None or len(statement.body) > 1 or self.program.indent(statement) is None:
            return False
        end = self.program.span(statement)[1]
        starts, number = self.program.lines.starts, self.program.lines.line(end)
        stop = starts[number] if number < len(starts) else len(self.program.text)
        if self.program.text[end:stop].strip():
            return False
        begin = self._take_comments(self.program.line_start(statement), stop)
        if begin < self.program.line_start(statement):  # with the empty line behind it
            stop = starts[number + 1] if number + 1 < len(starts) else len(self.program.text)
        self.removal.edits.append(Edit(begin, stop, ""))
        return True

    def _take_comments(self, begin: int, stop: int) -> int:
        """Keep the comments on a line that stands alone for the config; return where they begin.

        ``begin`` and ``stop`` are where the line begins, and where the next one does.
        """
        text, starts = self.program.text, self.program.lines.starts
        if text[stop:].partition("\n")[0].strip() or self.program.in_cells:
            return begin
        number = self.program.lines.line(begin)
        while number > 1 and text[starts[number - 2] :].lstrip(" \t").startswith("#"):
            number -= 1
        self.comments += [line.strip() for line in text[starts[number - 1] : begin].splitlines()]
        return starts[number - 1]

    def _move_environment(self, conda: str) -> None:
        """Move changes of its environment to an Environment in a variable."""
        environment = self.arguments.get("environment")
        if environment is None and (self.environment_uses or conda or self.loaded.environment):
            stem = self.name.value if self.name is not None else "run_config"
            environment = self.program.name_for(self.call, f"{stem}_env")
            self.removal.needs.add("Environment")
            self._create_environment(environment, conda)
            self.arguments["environment"] = environment
        elif self.name is not None and (conda or not self._delete_line(self.call)):
            raise CannotRewrite("its packages are replaced, or its line has other statements")
        for node in self.environment_uses:
            self.removal.edits.append(Edit(*self.program.span(node), str(environment)))

    def _create_environment(self, name: str, conda: str) -> None:
        """Create the Environment ``name`` in place of the RunConfiguration."""
        quote = "'" if self.program.text.count("'") >= self.program.text.count('"') else '"'
        lines = [f"{name} = Environment({quote}default-environment{quote})"]
        if conda:
            lines.append(f"{name}.python.conda_dependencies = {conda}")
        lines = self.loaded.environment_lines(name) or lines
        statement = self.program.statement(self.call)
        indent = self.program.indent(statement) if statement is not None else None
        if indent is None and (len(lines) > 1 or self.name is None):
            raise CannotRewrite("its line has other statements")
        if self.name is None:
            assert statement is not None and indent is not None
            start = self.program.line_start(statement)
            text = "".join(f"{indent}{line}{self.program.newline}" for line in lines)
            self.removal.edits.append(Edit(start, start, text))
            return
        first = lines[0].removeprefix(f"{name} = ")
        text = f"{self.program.newline}{indent}".join([first, *lines[1:]])
        self.removal.edits.append(Edit(*self.program.span(self.name), name))
        self.removal.edits.append(Edit(*self.program.span(self.call), text))

    def _place_comments(self, arg: cst.Arg) -> None:
        """Put the comments of settings that have moved before the ScriptRunConfig."""
        statement = self.program.statement(arg)
        if statement is None or not self.comments:
            return
        indent = self.program.indent(statement) or ""
        start = self.program.line_start(statement)
        lines = "".join(f"{indent}{line}{self.program.newline}" for line in self.comments)
        self.removal.edits.append(Edit(start, start, lines))

    def _rewrite_config(self, arg: cst.Arg, texts: list[str]) -> None:
        call = self.program.parent(arg)
        assert isinstance(call, cst.Call)
        texts = [*runconfig_precedence.script_arguments(self.program, call, self.loaded), *texts]
        if not texts and not self.loaded.later_lines:
            raise CannotRewrite("it has no settings")
        if self.loaded.later_lines:
            if len(self.config_args) > 1:
                setting = self.loaded.later_lines[0].partition("run_config.")[2].partition(" =")[0]
                raise CannotRewrite(
                    f"several ScriptRunConfigs use {setting}, which only run_config can set"
                )
            self.removal.edits.append(
                runconfig_precedence.later_lines_edit(self.program, call, self.loaded)
            )
        if not texts:
            layout = Arguments(self.program, call)
            layout.drop(arg)
            self.removal.edits += layout.edits(self.program.source(call.func), call.func)
            return
        equals = Arguments(self.program, call).equals()
        texts = [text.replace("=", equals, 1) for text in texts]
        start, end = self.program.span(arg)
        column = start - self.program.line_start(arg)
        before = self.program.text[self.program.line_start(arg) : start]
        gap = " " if before.strip() else self.program.newline + " " * column
        self.removal.edits.append(Edit(start, end, f",{gap}".join(texts)))
