"""Convert one call of an Estimator to a ScriptRunConfig."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration import datastores, workspaces
from scriptrun.migration.code import constants, subclasses
from scriptrun.migration.code.call_layout import Arguments
from scriptrun.migration.code.edits import Edit, apply
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators import call as estimator_call
from scriptrun.migration.estimators import comment_placement, commented_out, script_params
from scriptrun.migration.estimators.call import CallSettings, CannotRewrite, Setting
from scriptrun.migration.estimators.distributed_training import NAMES as DISTRIBUTION_SETTINGS
from scriptrun.migration.estimators.distributed_training import DistributionCode
from scriptrun.migration.estimators.environment import NAMES as ENVIRONMENT_SETTINGS
from scriptrun.migration.estimators.environment import EnvironmentCode
from scriptrun.spec.values import Value, fresh

#: parameters that a ScriptRunConfig names differently
_RENAMED = {"entry_script": "script", "script_params": "arguments"}


class CallRewrite(Value, frozen=False):
    """The edits for one call; ``needs`` are names to import, ``notes`` are for the user.

    ``freed`` are dictionaries of settings that the call no longer uses; ``list`` is the
    script_params dictionary to turn into a list where it is created. With ``needs_helper``, the
    call converts a dictionary with the program's helper.
    """

    call: cst.Call
    edits: list[Edit] = fresh(default_factory=list)
    needs: set[str] = fresh(default_factory=set)
    notes: list[str] = fresh(default_factory=list)
    freed: list[cst.Name] = fresh(default_factory=list)
    list: cst.Dict | None = None
    needs_helper: bool = False


class ConfigWriter:
    """Writes the ScriptRunConfig for ``call``; ``lists`` are the dictionaries that become lists.

    Of them, those in ``kept`` stay dictionaries that are converted where they are used.

    With ``for_scriptrun``, it is scriptrun's ScriptRunConfig, which supports more than azureml's.
    """

    def __init__(
        self,
        program: Program,
        call: cst.Call,
        lists: set[cst.Dict],
        config_class: str,
        for_scriptrun: bool,
        kept: frozenset[cst.Dict] = frozenset(),
    ) -> None:
        self.for_scriptrun, self.kept = for_scriptrun, kept
        self.program, self.call, self.lists, self.config_class = program, call, lists, config_class
        self.call_settings: CallSettings = estimator_call.read_call(program, call)
        self.settings = self.call_settings.settings
        self.rewrite = CallRewrite(call, needs={"ScriptRunConfig"})
        self.lines_before: list[str] = []
        self.lines_after: list[str] = []
        self.arguments: dict[str, str] = {}
        self.argument_edits: list[Edit] = []
        self.edits_dictionary = False
        self.target, self.is_named = self._target()

    def write(self) -> CallRewrite:
        """Rewrite the call. Raises CannotRewrite if anything about it is uncertain."""
        self._check()
        self._copy_plain()
        self._convert_script_params()
        self._convert_inputs()
        self._convert_environment()
        distributed = DistributionCode(self.program, self.settings)
        self.call_settings.freed.extend(distributed.freed)
        self.rewrite.needs |= distributed.needs
        if distributed.text:
            self.arguments["distributed_job_config"] = distributed.text
        datastore = self._setting("source_directory_data_store")
        if datastore is not None:
            self.lines_after.append(
                f"run_config.source_directory_data_store = {self._datastore_code(datastore)}"
            )
        self._write_edits()
        return self.rewrite

    # settings

    def _setting(self, name: str) -> Setting | None:
        setting = self.settings.get(name)
        if setting is None or estimator_call.setting_value(self.program, setting) is None:
            return None
        return setting

    def _check(self) -> None:
        if "source_directory" not in self.settings:
            raise CannotRewrite("it has no source_directory")
        size = self._setting("vm_size") or self._setting("vm_priority")
        target = self._setting("compute_target")
        is_new_cluster = (
            target is None or estimator_call.setting_value(self.program, target) == "amlcompute"
        )
        if size is not None and is_new_cluster:
            raise CannotRewrite(
                f"{size.name} requests a cluster for this run only",
                "Set a compute target: compute_target=...",
            )
        if target is None:
            raise CannotRewrite("it has no compute_target")
        if size is not None:
            self.rewrite.notes.append(
                f"removed {size.name}, which is a property of the compute target"
            )

    def _copy_plain(self) -> None:
        for name in ("source_directory", "entry_script", "compute_target"):
            setting = self.settings.get(name)
            if setting is not None:
                self.arguments[_RENAMED.get(name, name)] = setting.text
        for name in ("max_run_duration_seconds", "resume_from"):
            setting = self._setting(name)
            if setting is not None:
                self.arguments[name] = setting.text
        if (
            estimator_call.setting_value(self.program, self.settings.get("use_docker"), True)
            is False
        ):
            self.rewrite.notes.append("use_docker=False has no counterpart")

    def _convert_script_params(self) -> None:
        setting = self._setting("script_params")
        if setting is None:
            return
        node = constants.resolve(self.program, setting.node)
        conversion = None
        is_inline = setting.arg is not None and node is setting.node
        if isinstance(node, cst.Dict) and (node in self.lists or is_inline):
            conversion = script_params.convert_literal(self.program, node, node in self.kept)
        if conversion is None:
            self._convert_any_dictionary(setting, isinstance(node, cst.Dict))
            return
        self._note_conversion(conversion, node, is_inline)
        self.arguments["arguments"] = setting.text
        if conversion.uncertain:
            self._use_helper(setting.text)
        if is_inline:
            self._edit_inline(node, conversion)
        elif isinstance(node, cst.Dict):
            self.rewrite.list = node

    def _convert_any_dictionary(self, setting: Setting, is_dictionary: bool) -> None:
        """Convert script_params at run time, whatever dictionary it is then."""
        if (
            estimator_call.setting_value(self.program, setting) is not constants.UNKNOWN
            and not is_dictionary
        ):
            raise CannotRewrite(f"script_params is {setting.text}, not a dictionary")
        self._use_helper(setting.text)

    def _use_helper(self, text: str) -> None:
        """Convert ``text`` with the program's helper, because its content is uncertain."""
        self.rewrite.needs_helper = True
        self.arguments["arguments"] = script_params.convert_any(self.program, text)
        self.rewrite.notes.append(
            "script_params becomes a list where it is used, because its content is uncertain"
        )

    def _edit_inline(
        self, node: cst.BaseExpression, conversion: script_params.ListConversion
    ) -> None:
        self.argument_edits += conversion.edits
        self.edits_dictionary = True
        if conversion.uncertain:
            start, end = self.program.span(node)
            name = script_params.helper_name(self.program)
            self.argument_edits += [Edit(start, start, f"{name}("), Edit(end, end, ")")]

    def _note_conversion(
        self, conversion: script_params.ListConversion, node: cst.BaseExpression, is_inline: bool
    ) -> None:
        if conversion.uncertain:
            values = ", ".join(dict.fromkeys(conversion.uncertain))
            self.rewrite.notes.append(f"may be None, empty or a list: {values}")
        for reference in conversion.references:
            self._add_reference(reference, None if is_inline else node)

    def _add_reference(
        self, reference: datastores.Reference, container: cst.CSTNode | None = None
    ) -> None:
        """Register the reference with the job, and create it before the list that contains it."""
        name = reference.name
        line = f"{name} = {reference.expression}"
        if reference.expression and container is None:
            self.lines_before.append(line)
        elif reference.expression and container is not None:
            statement = self.program.statement(container)
            indent = self.program.indent(statement) if statement is not None else None
            if statement is None or indent is None:
                raise CannotRewrite("script_params is created inside another statement")
            start = self.program.line_start(statement)
            self.argument_edits.append(Edit(start, start, f"{indent}{line}{self.program.newline}"))
        self.lines_after.append(
            f"run_config.data_references[{name}.data_reference_name] = {name}.to_config()"
        )

    def _convert_inputs(self) -> None:
        setting = self._setting("inputs")
        if setting is None or estimator_call.setting_value(self.program, setting) == []:
            return
        node = constants.resolve(self.program, setting.node)
        if not isinstance(node, cst.List | cst.Tuple):
            raise CannotRewrite("the content of inputs is uncertain", "Pass each as an argument.")
        for element in node.elements:
            reference = datastores.find_reference(self.program, element.value)
            input_name = (
                datastores.input_name(self.program, element.value) if self.for_scriptrun else ""
            )
            if input_name:
                text = self.program.source(element.value)
                self.lines_after.append(f"run_config.data[{input_name}] = {text}")
                continue
            if reference is None:
                raise CannotRewrite(
                    "inputs= attaches datasets without an argument, which is not supported",
                    "Pass each as an argument, e.g. '--data', dataset.as_named_input('data'), and "
                    "read it in the script.",
                )
            self._add_reference(reference)

    def _convert_environment(self) -> None:
        environment = EnvironmentCode(
            self.program,
            self.settings,
            estimator_call.framework_name(
                self.program.qualified_name(estimator_call.called_class(self.program, self.call))
            )
            or "",
            self._environment_name,
            workspaces.workspace_name(self.program, self.call),
            self._can_add_lines(),
        )
        self.rewrite.needs |= environment.needs
        self.arguments["environment"] = environment.text
        self.lines_before += environment.lines
        self.lines_after += environment.later_lines

    def _can_add_lines(self) -> bool:
        try:
            self._enclosing_statement()
        except CannotRewrite:
            return False
        return True

    def _environment_name(self) -> str:
        stem = self.target.rpartition(".")[2] if self.target else "estimator"
        return self.program.name_for(self.call, f"{stem}_env", self._name_group())

    def _name_group(self) -> cst.CSTNode:
        """The statement within which new names must differ from one another."""
        return self.program.statement(self.call) or self.call

    def _datastore_code(self, setting: Setting) -> str:
        node = constants.resolve(self.program, setting.node)
        if isinstance(constants.constant(self.program, node), str):
            return setting.text
        if isinstance(node, cst.Call):
            return f"{setting.text}.name"
        return f"getattr({setting.text}, 'name', {setting.text})"

    # edits

    def _target(self) -> tuple[str, bool]:
        """The target that the call is assigned to, and whether it has one."""
        parent = self.program.parent(self.call)
        if subclasses.base_class(self.program, self.call) is not None:
            return subclasses.self_name(self.program, self.call), True
        if isinstance(parent, cst.Assign) and len(parent.targets) == 1:
            target = parent.targets[0].target
            if isinstance(target, cst.Name | cst.Attribute):
                return self.program.source(target), True
        return "", False

    def _write_edits(self) -> None:
        layout = Arguments(self.program, self.call)
        for arg in self.call.args:
            self._edit_argument(layout, arg)
        for name, text in self.arguments.items():
            layout.add(f"{name}={text}")
        func, base = self.call.func, subclasses.base_class(self.program, self.call)
        name = self.config_class if base is None else self.program.source(func)
        edits = layout.edits(name, func)
        if base is not None:
            edits.append(Edit(*self.program.span(base), self.config_class))
        self.lines_before = comment_placement.place(layout.comments, self.lines_before)
        edits += self._drop_commented_out(edits)
        if self.lines_after and not self.is_named:
            self._hoist(edits)
            return
        self.rewrite.edits = [*self.argument_edits, *edits, *self._surrounding_edits()]
        self.rewrite.freed = self.call_settings.freed

    def _drop_commented_out(self, edits: list[Edit]) -> list[Edit]:
        """Remove lines with an argument that is commented out and that does not exist any more."""
        start, end = self.program.span(self.call)
        removed = commented_out.removals(self.program, start, end, edits)
        names = [name for name, _ in removed]
        names += filter(None, map(commented_out.name, self.lines_before))
        self.lines_before = [line for line in self.lines_before if not commented_out.name(line)]
        if names:
            text = ", ".join(dict.fromkeys(names))
            self.rewrite.notes.append(f"removed what was commented out: {text}")
        return [edit for _, edit in removed]

    def _edit_argument(self, layout: Arguments, arg: cst.Arg) -> None:
        if arg.star:
            spread_names = self._spread_names()
            texts = [
                f"{name}={self.arguments.pop(name)}"
                for name in spread_names
                if name in self.arguments
            ]
            if texts:
                layout.replace(arg, layout.join(arg, texts))
            else:
                layout.drop(arg)
            return
        name = arg.keyword.value if arg.keyword else "source_directory"
        new = _RENAMED.get(name, name)
        if name in ENVIRONMENT_SETTINGS or name in DISTRIBUTION_SETTINGS:
            new = "environment" if name in ENVIRONMENT_SETTINGS else "distributed_job_config"
            if name == self._last_keyword(new) and new in self.arguments:
                layout.replace(arg, f"{new}{layout.equals()}{self.arguments.pop(new)}")
                if new == "environment" and self.lines_before:
                    layout.take_comment(arg)
            else:
                layout.drop(arg)
        elif new not in self.arguments:
            layout.drop(arg)
        else:
            self._keep_argument(layout, arg, name, new)

    def _keep_argument(self, layout: Arguments, arg: cst.Arg, name: str, new: str) -> None:
        text = self.arguments.pop(new)
        if new == "arguments" and self.edits_dictionary:
            layout.rename(arg, new)
        elif text != self.settings[name].text:
            layout.replace(arg, f"{new}{layout.equals()}{text}")
        elif new != name:
            layout.rename(arg, new)

    def _spread_names(self) -> list[str]:
        spread = {setting.name for setting in self.settings.values() if setting.arg is None}
        new_names = [_RENAMED.get(name, name) for name in spread]
        return [name for name in self.arguments if name in new_names]

    def _last_keyword(self, new: str) -> str:
        group = ENVIRONMENT_SETTINGS if new == "environment" else DISTRIBUTION_SETTINGS
        keywords = [
            a.keyword.value for a in self.call.args if a.keyword and a.keyword.value in group
        ]
        return keywords[-1]

    def _surrounding_edits(self) -> list[Edit]:
        """The edits that add lines before and after the statement."""
        if not self.lines_before and not self.lines_after:
            return []
        statement, indent = self._enclosing_statement()
        newline = self.program.newline
        start = self.program.line_start(statement)
        before = "".join(f"{indent}{line}{newline}" for line in self.lines_before)
        edits = [Edit(start, start, before)] if before else []
        if self.lines_after:
            end = self.program.line_end(statement)
            lines = [f"{newline}{indent}{self.target}.{line}" for line in self.lines_after]
            edits.append(Edit(end, end, "".join(lines)))
        return edits

    def _hoist(self, edits: list[Edit]) -> None:
        """Move a configuration that needs later lines to a separate statement with a new name."""
        statement, indent = self._enclosing_statement()
        start, end = self.program.span(self.call)
        name = self.program.name_for(self.call, "config", self._name_group())
        text = self.program.text[start:end]
        code = apply(text, [*self.argument_edits, *edits], start)
        outside = [edit for edit in self.argument_edits if not start <= edit.start < end]
        lines = [
            *self.lines_before,
            f"{name} = {code}",
            *[f"{name}.{line}" for line in self.lines_after],
        ]
        line_start = self.program.line_start(statement)
        newline = self.program.newline
        before = "".join(f"{indent}{line}{newline}" for line in lines)
        self.rewrite.edits = [
            *outside,
            Edit(line_start, line_start, before),
            Edit(start, end, name),
        ]
        self.rewrite.freed = self.call_settings.freed

    def _enclosing_statement(self) -> tuple[cst.SimpleStatementLine, str]:
        """The statement before which lines can be inserted, and its indentation."""
        statement = self.program.statement(self.call)
        advice = "Move the Estimator to its own statement."
        if statement is None:
            raise CannotRewrite("it is on the line of a compound statement", advice)
        for ancestor in self.program.ancestors(self.call):
            if ancestor is statement:
                break
            if isinstance(ancestor, _CONDITIONAL):
                raise CannotRewrite(
                    "it is in code that runs later, repeatedly or not at all", advice
                )
        indent = self.program.indent(statement)
        small_statement = next(
            node
            for node in self.program.ancestors(self.call)
            if isinstance(node, cst.BaseSmallStatement)
        )
        if (
            indent is None
            or small_statement is not statement.body[0]
            or (self.lines_after and len(statement.body) > 1)
        ):
            raise CannotRewrite("its line has other statements", advice)
        return statement, indent


_CONDITIONAL = (
    cst.Lambda,
    cst.IfExp,
    cst.BooleanOperation,
    cst.BaseComp,
    cst.CompFor,
    cst.FormattedStringExpression,
    cst.Comparison,
)
