"""Checks a submission and reports every problem before anything is written."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from pathlib import Path

from scriptrun.config import describe, process_limits
from scriptrun.config.reader import ConfigReader
from scriptrun.environments import builder as environments
from scriptrun.preparation import resolve as resolve_environment
from scriptrun.registry import compute_targets, experiments
from scriptrun.runtime import identity
from scriptrun.runtime.injob.artifacts import SCRIPT_AREAS
from scriptrun.spec import ids, suggestion
from scriptrun.spec.environment import EXACT, RELAX
from scriptrun.spec.errors import UserErrorException, refuse
from scriptrun.spec.job import JobSpec, Target
from scriptrun.spec.later import later
from scriptrun.spec.values import Value, fresh
from scriptrun.store.secrets import vault
from scriptrun.store.snapshots import snapshots
from scriptrun.submission import entry_files, resume_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.config.environments.environment import Environment
    from scriptrun.config.script_run_config import ScriptRunConfig
    from scriptrun.engines.base import Engine
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json
    from scriptrun.submission import data_binding
else:
    data_binding = later("scriptrun.submission.data_binding")


#: how long a job may take to end after SIGTERM, in seconds
GRACE_VARIABLE = "AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC"


class Origin(Value):
    """What a submission takes from its caller, in addition to the job's description.

    ``interpreter`` runs the job if no environment is given (default: this process's own);
    ``variables`` override the environment's; ``passed`` are variables that the job inherits from
    the submitting process; ``parent`` is the ID of the run that submits. ``pins`` says what to do
    about unavailable pins (EnvironmentSpec). ``notes`` say where defaults came from.
    """

    interpreter: str | None = None
    variables: Mapping[str, str] = fresh(default_factory=dict)
    passed: tuple[str, ...] = ()
    display_name: str = ""
    parent: str | None = None
    root: str | None = None
    pins: str = EXACT
    notes: tuple[str, ...] = ()


def with_pins(pins: str, origin: Origin | None = None) -> Origin:
    """``origin`` (default: an empty one) with ``pins``, EXACT or RELAX.

    Raises RunConfigurationException for any other value.
    """
    if pins not in (EXACT, RELAX):
        refuse([f"pins is {pins!r}; use {EXACT!r} or {RELAX!r}"])
    return (origin or Origin()).replace(pins=pins)


def origin_of(given: object, pins: str) -> Origin:
    """The origin that the caller has ``given``, else one with ``pins``."""
    return given if isinstance(given, Origin) else with_pins(pins)


class Submission(Value, frozen=False):
    """A checked job, ready to submit, with its engine and warnings.

    ``data`` pins the job's files at submission; None if it uses no data. ``resume_source`` is what
    the job resumes from, or None.
    """

    job: JobSpec
    engine: Engine
    source: Path | None
    warnings: list[str]
    data: data_binding.DataBinding | None = None
    environment: Environment | None = None
    resume_source: Any = None


def check(
    config: ScriptRunConfig,
    workspace: WorkspaceFiles,
    experiment: str,
    tags: Mapping[str, object] | None = None,
    origin: Origin | None = None,
    runs_here: bool = True,
) -> Submission:
    """The job that ``config`` describes, without its snapshot; writes nothing.

    Raises RunConfigurationException with every problem; without ``runs_here``, not its target's.
    """
    origin = origin or Origin()
    reader = ConfigReader(config)
    data = data_binding.DataBinding(reader, workspace) if reader.may_use_data else None
    resolve = data.resolve if data else None
    refuse([*reader.problems(resolve), *experiment_problems(experiment)])
    described = describe.description_of(reader, resolve)
    problems = process_limits.argument_problems("the command", described.command or "")
    source = source_folder(described.source_directory or ".")
    problems += _source_problems(source, described.script, described.command)
    target_name, target_notes = _target(workspace, described.target, origin.pins)
    engine = _engine(workspace, target_name, problems)
    is_remote = engine is not None and engine.traits.through is not None
    interpreter = (engine and engine.interpreter()) or origin.interpreter
    environment, notes = resolve_environment.resolve(described, interpreter, origin.pins, engine)
    with vault.for_workspace(workspace.id):
        problems += [] if is_remote else environments.check(environment)  # else remotely
    problems += _origin_problems(origin)
    refuse(problems if engine is None else [])
    assert engine is not None
    target, engine = _with_run_options(engine, reader.target_options, problems)
    job = _job(described, workspace, experiment, origin, source, tags or {})
    problems += [] if problems else process_limits.total_problems(job.arguments, job.variables)
    resume_source = described.resume_from
    problems += resume_from.problems(resume_source, target)
    job = job.replace(
        environment=environment, target=target, data=resume_from.data_of(resume_source, target)
    )
    if data is not None:
        is_local = engine.traits.here
        problems += data.problems(is_local, is_remote)
        all_notes = (*job.notes, *data.notes(is_local))
        described_data = data.described().replace(variables=job.data.variables)
        job = job.replace(data=described_data, notes=all_notes)
    job = job.replace(notes=(*job.notes, *reader.config.overruled_warnings, *target_notes, *notes))
    refuse([*problems, *(engine.check(job) if runs_here else ())])
    own = reader.run.environment
    return Submission(job, engine, source, _environment_warnings(own), data, own, resume_source)


def _environment_warnings(environment: Environment) -> list[str]:
    python = environment.python
    return [] if python.user_managed_dependencies else python.conda_dependencies.warnings


def _origin_problems(origin: Origin) -> list[str]:
    return [
        f"the passed-through variable {name} is not set"
        for name in origin.passed
        if name not in os.environ
    ] + process_limits.variable_problems(origin.variables)


def source_folder(path: str | os.PathLike[str]) -> Path:
    """The absolute path of a source directory; links are resolved only if it contains ``..``."""
    folder = Path(path).absolute()
    return Path(os.path.realpath(folder)) if os.pardir in folder.parts else folder


def experiment_problems(name: object) -> list[str]:
    """Why ``name`` is not a valid experiment name; empty if it is."""
    problem = experiments.name_problem(name)
    return [problem] if problem else []


def _script_path(script: str) -> str:
    path = Path(os.path.normpath(script)).as_posix()
    return f"./{path}" if path.startswith("-") else path  # else Python takes it for an option


def _source_problems(source: Path, script: str | None, command: str | None) -> list[str]:
    problems = [*_script_problems(source, script), *_artifact_folder_problems(str(source))]
    return problems or entry_files.problems(source, script, command)


def _script_problems(source: Path, script: str | None) -> list[str]:
    if not os.path.isdir(source):
        problem = "is a file" if os.path.exists(source) else "does not exist"
        return [f"the source directory {str(source)!r} {problem}; give the directory of the script"]
    if not os.access(source, os.R_OK | os.X_OK):
        return [f"the source directory {str(source)!r} is not readable"]
    if script is None:
        return []
    script_path = Path(os.path.normpath(source / script))
    if source not in script_path.parents:
        return [f"the script {script!r} is outside the source directory {str(source)!r}"]
    if not os.path.isfile(script_path):
        problem = "is a directory" if os.path.isdir(script_path) else "does not exist"
        if os.path.islink(script_path):
            problem = f"is a link to {os.readlink(script_path)!r}, which does not exist,"
        shown = script if len(script) <= 300 else f"{script[:297]}..."
        return [f"the script {shown!r} {problem} in {str(source)!r}{_nearest(source, script)}"]
    return []


def _no_folders(source: str) -> list[tuple[str, str]]:
    """The names and paths of ``outputs`` and ``logs`` in the snapshot that are not real folders."""
    paths = [(name, os.path.join(source, name)) for name in SCRIPT_AREAS]
    return [
        (name, path)
        for name, path in paths
        if os.path.islink(path) or (os.path.lexists(path) and not os.path.isdir(path))
        if snapshots.why_ignored(source, name) is None
    ]


def _artifact_folder_problems(source: str) -> list[str]:
    """Why a run cannot have its own ``outputs`` and ``logs`` in this source directory."""
    return [
        f"{name!r} in the source directory is a file, where a run needs a folder; "
        f"rename it, or add /{name} to .amlignore"
        for name, path in _no_folders(source)
        if not os.path.islink(path)
    ]


def _artifact_link_notes(source: str) -> list[str]:
    """Notes on links called ``outputs`` and ``logs``, through which runs would share a folder."""
    return [
        f"{name!r} in the source directory is a link to {os.readlink(path)!r}; "
        f"the run writes to a separate folder instead"
        for name, path in _no_folders(source)
        if os.path.islink(path)
    ]


def _nearest(source: Path, script: str) -> str:
    name = script.replace("\\", "/")
    paths = [name, *(f"{folder}/{posixpath.basename(name)}" for folder in _folders_in(source))]
    same = [path for path in paths if path != script and os.path.isfile(source / path)]
    if same:
        return f"; did you mean {same[0]!r}?"
    scripts = {path.stem: path.name for path in source.glob("*.py") if path.is_file()}
    near = suggestion.nearest(os.path.splitext(script)[0], scripts)
    return f"; did you mean {scripts[near[0]]!r}?" if near else ""


def _folders_in(source: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(source) if entry.is_dir())
    except OSError:
        return []


def _target(
    workspace: WorkspaceFiles, requested: object, pins: str
) -> tuple[object, tuple[str, ...]]:
    """What is ``requested``; the default target in place of a name that old code alone knows."""
    if pins != RELAX or not isinstance(requested, str):
        return requested, ()
    if compute_targets.is_known(workspace, requested):
        return requested, ()
    default = compute_targets.default_name(workspace)
    note = f"unknown compute target {requested!r}; using {default!r} (see scriptrun compute list)"
    return default, (note,)


def _engine(workspace: WorkspaceFiles, target: object, problems: list[str]) -> Engine | None:
    try:
        return compute_targets.resolve(workspace, target)
    except UserErrorException as error:
        problems.append(str(error))
        return None


def _with_run_options(engine: Engine, options: Json, problems: list[str]) -> tuple[Target, Engine]:
    """The target and its engine with the run's own options."""
    target = compute_targets.target_of(engine)
    if not options:
        return target, engine
    try:
        target = compute_targets.with_run_options(target, options)
    except UserErrorException as error:
        problems.append(str(error))
    return target, compute_targets.engine_of(target)


def _job(
    described: describe.JobDescription,
    workspace: WorkspaceFiles,
    experiment: str,
    origin: Origin,
    source: Path,
    tags: Mapping[str, object],
) -> JobSpec:
    run_id = ids.new_id(experiment)
    script = described.script
    resume_arguments = () if described.resume_from is None else resume_from.ARGUMENTS
    return JobSpec(
        id=run_id,
        experiment=experiment,
        workspace=workspace.name,
        created=ids.now(),
        source_directory=str(source),
        script=_script_path(script) if script else None,
        arguments=(*described.arguments, *resume_arguments),
        command=described.command,
        distribution=described.distribution,
        variables={**described.variables, **origin.variables},
        passed=origin.passed,
        max_run_duration_seconds=described.max_run_duration_seconds,
        warn_before_seconds=described.warn_before_seconds,
        retry=described.retry,
        resources=described.resources,
        grace_seconds=grace_seconds({**described.variables, **origin.variables}),
        display_name=origin.display_name or run_id,
        parent=origin.parent,
        root=origin.root or origin.parent or run_id,
        tags={str(key): None if value is None else str(value) for key, value in tags.items()},
        properties={"azureml.runsource": "experiment", "_azureml.ComputeTargetType": "local"},
        notes=(*origin.notes, *described.notes, *_artifact_link_notes(str(source))),
        run_definition=described.run_definition,
        submitted_by={**identity.identify(), "user": _user()},
    )


def _user() -> str:
    return os.environ.get("USER") or os.environ.get("USERNAME") or os.environ.get("LOGNAME") or ""


def grace_seconds(variables: Mapping[str, str]) -> float:
    """Seconds between SIGTERM and SIGKILL: v1's AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC, else 10."""
    try:
        return max(0.0, float(variables[GRACE_VARIABLE]))
    except (KeyError, ValueError):
        return 10.0
