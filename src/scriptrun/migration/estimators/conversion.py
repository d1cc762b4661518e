"""Convert one call of an Estimator to a ScriptRunConfig."""

from __future__ import annotations

import libcst as cst

from scriptrun.migration import datastores, workspaces
from scriptrun.migration.code import constants, subclasses
from scriptrun.migration.code.call_layout import Arguments
from scriptrun.migration.code.edits import Edit, apply
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators import call as estimator_call
from scriptrun.migration.estimators import script_params
from scriptrun.migration.estimators.call import Read, Refused, Setting
from scriptrun.migration.estimators.distributed_training import NAMES as DISTRIBUTED
from scriptrun.migration.estimators.distributed_training import Distributed
from scriptrun.migration.estimators.environment import NAMES as OF_ENVIRONMENT
from scriptrun.migration.estimators.environment import Made
from scriptrun.spec.values import Value, fresh

#: parameters that a ScriptRunConfig names differently
_RENAMED = {"entry_script": "script", "script_params": "arguments"}


class Rewriting(Value, frozen=False):
    """The edits for one call; ``needs`` are names to import, ``notes`` are for the user.

    ``freed`` are dictionaries of settings that the call no longer uses; ``list`` is the
    script_params dictionary to turn into a list where it is created.
    """

    call: cst.Call
    edits: list[Edit] = fresh(default_factory=list)
    needs: set[str] = fresh(default_factory=set)
    notes: list[str] = fresh(default_factory=list)
    freed: list[cst.Name] = fresh(default_factory=list)
    list: cst.Dict | None = None


class Writer:
    """Writes the ScriptRunConfig for ``call``; ``lists`` are the dictionaries that become lists.

    With ``for_scriptrun``, it is scriptrun's ScriptRunConfig, which supports more than azureml's.
    """

    def __init__(
        self,
        program: Program,
        call: cst.Call,
        lists: set[cst.Dict],
        config: str,
        ours: bool,
    ) -> None:
        self.ours = ours
        self.program, self.call, self.lists, self.config = program, call, lists, config
        self.read: Read = estimator_call.read(program, call)
        self.settings = self.read.settings
        self.made = Rewriting(call, needs={"ScriptRunConfig"})
        self.before: list[str] = []
        self.after: list[str] = []
        self.values: dict[str, str] = {}
        self.argument_edits: list[Edit] = []
        self.target, self.is_named = self._target()

    def write(self) -> Rewriting:
        """Rewrite the call. Raises CannotRewrite if anything about it is uncertain."""
        self._check()
        self._plain()
        self._words()
        self._inputs()
        self._environment()
        distributed = Distributed(self.program, self.settings)
        self.read.freed.extend(distributed.freed)
        self.made.needs |= distributed.needs
        if distributed.text:
            self.values["distributed_job_config"] = distributed.text
        store = self._given("source_directory_data_store")
        if store is not None:
            self.after.append(f"run_config.source_directory_data_store = {self._store(store)}")
        self._edit()
        return self.made

    # settings

    def _given(self, name: str) -> Setting | None:
        found = self.settings.get(name)
        if found is None or estimator_call.value(self.program, found) is None:
            return None
        return found

    def _check(self) -> None:
        if "source_directory" not in self.settings:
            raise Refused("it has no source_directory")
        size = self._given("vm_size") or self._given("vm_priority")
        target = self._given("compute_target")
        own = target is None or estimator_call.value(self.program, target) == "amlcompute"
        if size is not None and own:
            raise Refused(
                f"{size.name} requests a cluster for this run only",
                "Set a compute target: compute_target=...",
            )
        if target is None:
            raise Refused("it has no compute_target")
        if size is not None:
            self.made.notes.append(
                f"removed {size.name}, which is a property of the compute target"
            )

    def _plain(self) -> None:
        for name in ("source_directory", "entry_script", "compute_target"):
            found = self.settings.get(name)
            if found is not None:
                self.values[_RENAMED.get(name, name)] = found.text
        for name in ("max_run_duration_seconds", "resume_from"):
            found = self._given(name)
            if found is not None:
                self.values[name] = found.text
        if estimator_call.value(self.program, self.settings.get("use_docker"), True) is False:
            self.made.notes.append("use_docker=False has no counterpart")

    def _words(self) -> None:
        found = self._given("script_params")
        if found is None:
            return
        node = constants.follow(self.program, found.node)
        changed = None
        is_here = found.arg is not None and node is found.node
        if isinstance(node, cst.Dict) and (node in self.lists or is_here):
            changed = script_params.of_literal(self.program, node)
        if changed is None:
            self._any_words(found, isinstance(node, cst.Dict))
            return
        self._note(changed, node, is_here)
        self.values["arguments"] = found.text
        if is_here:
            self.argument_edits += changed.edits
        elif isinstance(node, cst.Dict):
            self.made.list = node

    def _any_words(self, found: Setting, is_dictionary: bool) -> None:
        """Convert script_params at run time, whatever dictionary it is then."""
        if estimator_call.value(self.program, found) is not constants.UNKNOWN and not is_dictionary:
            raise Refused(f"script_params is {found.text}, not a dictionary")
        text = found.text if constants.is_pure(found.node) or is_dictionary else f"({found.text})"
        self.values["arguments"] = script_params.whole(
            self.program, text if is_dictionary else f"({text} or {{}})"
        )
        self.made.notes.append(
            "script_params becomes a list where it is used, because its content is uncertain"
        )

    def _note(
        self, changed: script_params.Changed, node: cst.BaseExpression, is_here: bool
    ) -> None:
        if changed.unsure:
            self.made.notes.append(
                f"{', '.join(changed.unsure)}: if it is always one word, use plain "
                f"{changed.unsure[0]}"
            )
        for reference in changed.references:
            self._refer(reference, None if is_here else node)

    def _refer(self, reference: datastores.Reference, listed: cst.CSTNode | None = None) -> None:
        """Register the reference with the job, and create it before the list that contains it."""
        name = reference.name
        line = f"{name} = {reference.made}"
        if reference.made and listed is None:
            self.before.append(line)
        elif reference.made and listed is not None:
            statement = self.program.statement(listed)
            indent = self.program.indent(statement) if statement is not None else None
            if statement is None or indent is None:
                raise Refused("script_params is created inside another statement")
            place = self.program.line_start(statement)
            self.argument_edits.append(Edit(place, place, f"{indent}{line}{self.program.newline}"))
        self.after.append(
            f"run_config.data_references[{name}.data_reference_name] = {name}.to_config()"
        )

    def _inputs(self) -> None:
        found = self._given("inputs")
        if found is None or estimator_call.value(self.program, found) == []:
            return
        node = constants.follow(self.program, found.node)
        if not isinstance(node, cst.List | cst.Tuple):
            raise Refused("the content of inputs is uncertain", "Pass each as an argument.")
        for each in node.elements:
            reference = datastores.reference(self.program, each.value)
            named = datastores.named_input(self.program, each.value) if self.ours else ""
            if named:
                text = self.program.source(each.value)
                self.after.append(f"run_config.data[{named}] = {text}")
                continue
            if reference is None:
                raise Refused(
                    "inputs= attaches datasets without an argument, which is not supported",
                    "Pass each as an argument, e.g. '--data', dataset.as_named_input('data'), and "
                    "read it in the script.",
                )
            self._refer(reference)

    def _environment(self) -> None:
        made = Made(
            self.program,
            self.settings,
            estimator_call.family(
                self.program.qualified(estimator_call.called(self.program, self.call))
            )
            or "",
            self._environment_name,
            workspaces.at(self.program, self.call),
        )
        self.made.needs |= made.needs
        self.values["environment"] = made.text
        self.before += made.lines
        self.after += made.later

    def _environment_name(self) -> str:
        stem = self.target.rpartition(".")[2] if self.target else "estimator"
        return self.program.name_for(self.call, f"{stem}_env", self._among())

    def _among(self) -> cst.CSTNode:
        """The statement within which new names must differ from one another."""
        return self.program.statement(self.call) or self.call

    def _store(self, store: Setting) -> str:
        node = constants.follow(self.program, store.node)
        if isinstance(constants.constant(self.program, node), str):
            return store.text
        if isinstance(node, cst.Call):
            return f"{store.text}.name"
        return f"getattr({store.text}, 'name', {store.text})"

    # edits

    def _target(self) -> tuple[str, bool]:
        """The target that the call is assigned to, and whether it has one."""
        above = self.program.parent(self.call)
        if subclasses.base(self.program, self.call) is not None:
            return subclasses.own_name(self.program, self.call), True
        if isinstance(above, cst.Assign) and len(above.targets) == 1:
            target = above.targets[0].target
            if isinstance(target, cst.Name | cst.Attribute):
                return self.program.source(target), True
        return "", False

    def _edit(self) -> None:
        layout = Arguments(self.program, self.call)
        for arg in self.call.args:
            self._argument(layout, arg)
        for name, text in self.values.items():
            layout.add(f"{name}={text}")
        func, base = self.call.func, subclasses.base(self.program, self.call)
        name = self.config if base is None else self.program.source(func)
        edits = layout.edits(name, func)
        if base is not None:
            edits.append(Edit(*self.program.span(base), self.config))
        self.before = [*layout.comments, *self.before]
        if self.after and not self.is_named:
            self._hoist(edits)
            return
        self.made.edits = [*edits, *self.argument_edits, *self._around()]
        self.made.freed = self.read.freed

    def _argument(self, layout: Arguments, arg: cst.Arg) -> None:
        if arg.star:
            rest = self._of_spread()
            texts = [f"{name}={self.values.pop(name)}" for name in rest if name in self.values]
            if texts:
                layout.replace(arg, layout.joined(arg, texts))
            else:
                layout.drop(arg)
            return
        name = arg.keyword.value if arg.keyword else "source_directory"
        new = _RENAMED.get(name, name)
        if name in OF_ENVIRONMENT or name in DISTRIBUTED:
            new = "environment" if name in OF_ENVIRONMENT else "distributed_job_config"
            if name == self._last_of(new) and new in self.values:
                layout.replace(arg, f"{new}={self.values.pop(new)}")
            else:
                layout.drop(arg)
        elif new not in self.values:
            layout.drop(arg)
        else:
            self._kept(layout, arg, name, new)

    def _kept(self, layout: Arguments, arg: cst.Arg, name: str, new: str) -> None:
        text = self.values.pop(new)
        if text != self.settings[name].text:
            layout.replace(arg, f"{new}={text}")
        elif new != name:
            layout.rename(arg, new)

    def _of_spread(self) -> list[str]:
        named = {each.name for each in self.settings.values() if each.arg is None}
        found = [_RENAMED.get(name, name) for name in named]
        return [name for name in self.values if name in found]

    def _last_of(self, new: str) -> str:
        group = OF_ENVIRONMENT if new == "environment" else DISTRIBUTED
        found = [a.keyword.value for a in self.call.args if a.keyword and a.keyword.value in group]
        return found[-1]

    def _around(self) -> list[Edit]:
        """The edits that add lines before and after the statement."""
        if not self.before and not self.after:
            return []
        statement, indent = self._place()
        newline = self.program.newline
        start = self.program.line_start(statement)
        before = "".join(f"{indent}{line}{newline}" for line in self.before)
        made = [Edit(start, start, before)] if before else []
        if self.after:
            place = self.program.line_end(statement)
            lines = [f"{newline}{indent}{self.target}.{line}" for line in self.after]
            made.append(Edit(place, place, "".join(lines)))
        return made

    def _hoist(self, edits: list[Edit]) -> None:
        """Move a configuration that needs later lines to a separate statement with a new name."""
        statement, indent = self._place()
        start, end = self.program.span(self.call)
        name = self.program.name_for(self.call, "config", self._among())
        text = self.program.text[start:end]
        made = apply(text, [*edits, *self.argument_edits], start)
        outside = [each for each in self.argument_edits if not start <= each.start < end]
        lines = [*self.before, f"{name} = {made}", *[f"{name}.{line}" for line in self.after]]
        place = self.program.line_start(statement)
        newline = self.program.newline
        before = "".join(f"{indent}{line}{newline}" for line in lines)
        self.made.edits = [*outside, Edit(place, place, before), Edit(start, end, name)]
        self.made.freed = self.read.freed

    def _place(self) -> tuple[cst.SimpleStatementLine, str]:
        """The statement before which lines can be inserted, and its indentation."""
        statement = self.program.statement(self.call)
        advice = "Move the Estimator to its own statement."
        if statement is None:
            raise Refused("it is on the line of a compound statement", advice)
        for each in self.program.above(self.call):
            if each is statement:
                break
            if isinstance(each, _CONDITIONAL):
                raise Refused("it is in code that runs later, repeatedly or not at all", advice)
        indent = self.program.indent(statement)
        small = next(
            each
            for each in self.program.above(self.call)
            if isinstance(each, cst.BaseSmallStatement)
        )
        if (
            indent is None
            or small is not statement.body[0]
            or (self.after and len(statement.body) > 1)
        ):
            raise Refused("its line has other statements", advice)
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
