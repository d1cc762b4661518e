"""What a rerun changes of the original's job: its arguments, variables, target and so on."""

from __future__ import annotations

import json
from collections.abc import Mapping

from scriptrun.config import distribution_spec, process_limits, resources
from scriptrun.config.camel_case import from_wire, names_by_key, to_wire
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.core.workspace import Workspace
from scriptrun.data import summary
from scriptrun.query import numbers
from scriptrun.registry import compute_targets, experiments
from scriptrun.spec.environment import INTERPRETER
from scriptrun.spec.errors import UserErrorException, refuse
from scriptrun.spec.job import JobSpec
from scriptrun.spec.library_values import text_of
from scriptrun.spec.values import Value, fresh
from scriptrun.submission import check
from scriptrun.tracking import argument_changes, parameters
from scriptrun.tracking.argument_changes import NamedChange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

_TIME_LIMIT = "maxRunDurationSeconds"
#: the sections of the run configuration that a rerun may change, as a .runconfig file names them
CHANGEABLE = (
    *(_TIME_LIMIT, "nodeCount", "framework", "communicator"),
    *("mpi", "pytorch", "tensorflow", "environmentVariables"),
)
#: the tag with all parameters that a sweep drew for a run, as JSON
_SWEEP_TAG = "hyperparameters"


class Changes(Value):
    """What to change; by default, nothing.

    ``arguments`` change those of the original, or with ``replace_arguments`` replace them all;
    ``remove_arguments`` are names. ``passed`` are variables to pass through. ``configuration`` is
    the original's, as ``configuration_of`` returns it, with other values. ``target_options`` are
    added to those that the original set for its target.
    """

    display_name: str = ""
    arguments: tuple[str, ...] = ()
    replace_arguments: bool = False
    remove_arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = fresh(default_factory=dict)
    passed: tuple[str, ...] = ()
    experiment: str = ""
    tags: Mapping[str, str | None] = fresh(default_factory=dict)
    compute_target: object = None
    configuration: RunConfiguration | None = None
    target_options: Json = fresh(default_factory=dict)

    def change_outcome(self, job: JobSpec) -> bool:
        """Whether the script gets other arguments, variables or ranks than that of ``job``.

        Another time limit changes nothing that it does.
        """
        told = (self.arguments, self.replace_arguments, self.remove_arguments)
        if any((*told, self.variables, self.passed)):
            return True
        if self.configuration is None:
            return False
        before, after = to_wire(configuration_of(job)), to_wire(self.configuration)
        return any(before[name] != after[name] for name in after if name != _TIME_LIMIT)


class ChangedJob(Value):
    """The job after changes, and a phrase for each."""

    job: JobSpec
    phrases: list[str] = fresh(default_factory=list)


def apply(job: JobSpec, changes: Changes, workspace: Workspace) -> ChangedJob:
    """``job`` with ``changes``. Raises UserErrorException for changes that it cannot have."""
    before = job
    job, phrases = _with_arguments(job, changes)
    job = _with_configuration(job, changes)
    job = _with_variables(job, changes)
    if job.variables.get(check.GRACE_VARIABLE) != before.variables.get(check.GRACE_VARIABLE):
        job = job.replace(grace_seconds=check.grace_seconds(job.variables))
    job = job.replace(tags={**job.tags, **changes.tags})
    if changes.experiment:
        problem = experiments.name_problem(changes.experiment)
        refuse([problem] if problem else [])
        job = job.replace(experiment=changes.experiment)
    job = _with_target(job, changes, workspace)
    refuse(_limit_problems(job), f"Cannot rerun {job.id}")
    return ChangedJob(job, [*map(str, phrases), *_phrases(before, job)])


def _limit_problems(job: JobSpec) -> list[str]:
    """Why no process can be given the arguments and variables of ``job``."""
    problems = process_limits.variable_problems(job.variables)
    for number, word in enumerate(job.arguments):
        problems += process_limits.argument_problems(f"arguments[{number}]", word)
    return problems or process_limits.total_problems(job.arguments, job.variables)


def configuration_of(job: JobSpec) -> RunConfiguration:
    """The run configuration that a job was submitted with, as far as a rerun may change it."""
    problems: list[str] = []
    definition = {name: job.run_definition.get(name) for name in CHANGEABLE}
    given = {name: value for name, value in definition.items() if value is not None}
    configuration = from_wire(RunConfiguration(), given, f"the record of {job.id}", problems)
    refuse(problems, f"Cannot rerun {job.id} with --set")
    return configuration


def _with_arguments(job: JobSpec, changes: Changes) -> tuple[JobSpec, list[NamedChange]]:
    if not (changes.arguments or changes.remove_arguments or changes.replace_arguments):
        return job, []
    names = [spec.name for spec in job.data.items]
    given = [summary.fill_references(word, names) for word in changes.arguments]
    arguments, command = list(job.arguments), job.command
    if changes.replace_arguments:
        if command is not None or changes.remove_arguments:
            problem = "it executes a command" if command else "some are removed as well"
            raise UserErrorException(
                f"Cannot replace all arguments of {job.id}: {problem}.",
                "Give the arguments that change after --.",
            )
        phrases = [NamedChange(job.arguments, tuple(given))] if given != arguments else []
        arguments = given
    elif command is not None:
        command, phrases = argument_changes.change_command(command, given, changes.remove_arguments)
    else:
        arguments, phrases = argument_changes.change_all(arguments, given, changes.remove_arguments)
    definition = {**job.run_definition, "arguments": arguments, "command": command or ""}
    changed = job.replace(arguments=tuple(arguments), command=command, run_definition=definition)
    return changed.replace(tags=_parameter_tags(job, changed)), phrases


def _parameter_tags(before: JobSpec, after: JobSpec) -> dict[str, str | None]:
    """The tags of a sweep's run, which are its parameters, with the new values."""
    old, new = parameters.of_job(before), parameters.of_job(after)
    text = before.tags.get(_SWEEP_TAG)
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    if not (changed and text):
        return dict(before.tags)
    try:
        drawn = json.loads(text)
    except (ValueError, RecursionError):
        drawn = None
    tags = dict(before.tags)
    if not isinstance(drawn, dict):
        return tags  # a tag of the user's own
    for name in [name for name in drawn if name.lstrip("-").replace("-", "_") in changed]:
        value = new.get(name.lstrip("-").replace("-", "_"))
        tags.pop(name, None)
        del drawn[name]
        if value is not None:
            number = numbers.parse_number(value)
            drawn[name] = value if number is None else number
            tags[name] = value
    return {**tags, _SWEEP_TAG: json.dumps(drawn)}


def _with_variables(job: JobSpec, changes: Changes) -> JobSpec:
    names = [spec.name for spec in job.data.items]
    changed = {n: summary.fill_references(v, names) for n, v in changes.variables.items()}
    variables = {**job.variables, **changed}
    for name in changes.passed:
        variables.pop(name, None)
    passed = [name for name in job.passed if name not in changed]
    return job.replace(variables=variables, passed=tuple(dict.fromkeys((*passed, *changes.passed))))


def _with_configuration(job: JobSpec, changes: Changes) -> JobSpec:
    configuration = changes.configuration
    if configuration is None:
        return job
    seconds = configuration.max_run_duration_seconds
    problems = distribution_spec.problems(configuration)
    if seconds is not None and not seconds > 0:
        problems.append(f"max_run_duration_seconds must be greater than 0, not {seconds!r}")
    refuse(problems, f"Cannot rerun {job.id}")
    before, after = to_wire(configuration_of(job)), to_wire(configuration)
    names = names_by_key(RunConfiguration)
    refused = [names.get(key, key) for key in after if after[key] != before[key]]
    changeable = [names.get(key, key) for key in CHANGEABLE]
    refused = sorted(set(refused).difference(changeable))
    if refused:
        raise UserErrorException(
            f"A rerun cannot change {', '.join(refused)} of the run configuration.",
            f"Fields that --set can change in a rerun: {', '.join(changeable)}.",
        )
    definition = {name: after[name] for name in CHANGEABLE if after[name] != before[name]}
    variables, passed = _configured_variables(job, configuration)
    distribution = distribution_spec.distribution(configuration)
    if distribution == distribution_spec.distribution(configuration_of(job)):
        distribution = job.distribution
    changed = job.replace(
        max_run_duration_seconds=seconds,
        distribution=distribution,
        variables=variables,
        passed=passed,
        run_definition={**job.run_definition, **definition},
    )
    refuse(_derived_problems(job, changed), f"Cannot rerun {job.id}")
    return changed


def _derived_problems(before: JobSpec, after: JobSpec) -> list[str]:
    """Why what a submission derives from the run configuration does not fit ``after``."""
    problems = []
    warn, limit = after.warn_before_seconds, after.max_run_duration_seconds
    if warn is not None and limit != before.max_run_duration_seconds and warn >= (limit or 0):
        problems.append(
            f"max_run_duration_seconds must be greater than its warn_before_seconds ({warn!r}), "
            f"not {limit!r}"
        )
    ranks = [resources.ranks_per_node(each.distribution) for each in (before, after)]
    requested = [name for name in resources.NAMES if getattr(after.resources, name) is not None]
    if requested and ranks[0] != ranks[1]:
        problems.append(
            f"it requests {', '.join(requested)} for its number of ranks per node; submit it again "
            "to change that number"
        )
    return problems


def _configured_variables(
    job: JobSpec, configuration: RunConfiguration
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables and those passed through, after what differs in the configuration.

    Other variables stay: the job may have other values than its run configuration.
    """
    before = configuration_of(job).environment_variables or {}
    after = configuration.environment_variables or {}
    changed = {
        str(name): "" if value is None else text_of(value)
        for name, value in after.items()
        if name not in before or before[name] != value
    }
    gone = set(before).difference(after)
    kept = {name: value for name, value in job.variables.items() if name not in gone}
    return {**kept, **changed}, tuple(name for name in job.passed if name not in changed)


def _with_target(job: JobSpec, changes: Changes, workspace: Workspace) -> JobSpec:
    if changes.compute_target is None:
        return job.replace(
            target=compute_targets.with_run_options(job.target, changes.target_options)
        )
    engine = compute_targets.resolve(workspace, changes.compute_target)
    target = compute_targets.target_of(engine)
    kept = {k: v for k, v in job.target.run_options.items() if k in engine.traits.run_options}
    for options in (kept, changes.target_options):
        target = compute_targets.with_run_options(target, options)
    before, after = (
        compute_targets.engine_of(each).traits.through for each in (job.target, target)
    )
    if before != after and (job.data.items or job.environment.kind == INTERPRETER):
        what = "data is" if job.data.items else "interpreter is"
        raise UserErrorException(
            f"{job.id} cannot be rerun on {target.name!r}: its {what} not available there.",
            "Submit it there with `scriptrun run --compute`.",
        )
    definition = {**job.run_definition, "target": target.name}
    return job.replace(target=target, run_definition=definition)


def _phrases(before: JobSpec, after: JobSpec) -> list[str]:
    """What differs apart from the arguments, a phrase each; values of variables are not shown."""
    pairs: dict[str, tuple[object, object]] = {
        "experiment": (before.experiment, after.experiment),
        "compute target": (before.target.name, after.target.name),
        "max_run_duration_seconds": (
            before.max_run_duration_seconds,
            after.max_run_duration_seconds,
        ),
        "nodes": (before.distribution.nodes, after.distribution.nodes),
        "ranks per node": (
            before.distribution.processes_per_node,
            after.distribution.processes_per_node,
        ),
    }
    names = sorted({*before.target.run_options, *after.target.run_options})
    pairs |= {n: (before.target.shown(n), after.target.shown(n)) for n in names}
    phrases = [
        f"{name} {'none' if old is None else old} -> {'none' if new is None else new}"
        for name, (old, new) in pairs.items()
        if old != new
    ]
    variables = [
        name
        for name in {**after.variables, **dict.fromkeys(after.passed)}
        if (before.variables.get(name), name in before.passed)
        != (after.variables.get(name), name in after.passed)
    ]
    tags = [name for name in after.tags if before.tags.get(name, ...) != after.tags[name]]
    phrases += [f"variables {', '.join(variables)}"] if variables else []
    return phrases + ([f"tags {', '.join(tags)}"] if tags else [])
