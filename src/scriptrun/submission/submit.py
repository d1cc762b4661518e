"""One submission, a straight line: check, snapshot, plan, write down, start.

All that can be known is refused before anything is written; what is only worth a word becomes a
warning of the run.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

from scriptrun.config import checks, describe
from scriptrun.engines.base import NoAnswer, NoRoom
from scriptrun.environments import builder as environments
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.lookup import find
from scriptrun.preparation import resolve as resolve_environment
from scriptrun.queue import ensure_runner, tickets
from scriptrun.queue import start as start_run
from scriptrun.registry import compute_targets
from scriptrun.runtime import events, files, identity
from scriptrun.spec import states
from scriptrun.spec.environment import EXACT, EnvironmentSpec
from scriptrun.spec.errors import (
    ExperimentExecutionException,
    ScriptrunError,
    UserErrorException,
    refuse,
)
from scriptrun.spec.hints import TYPE_CHECKING, Any
from scriptrun.spec.job import JobSpec
from scriptrun.spec.later import later
from scriptrun.spec.values import Value, fresh
from scriptrun.store import paths
from scriptrun.store.secrets import vault
from scriptrun.store.snapshots import snapshots
from scriptrun.submission import git_provenance, resume_from
from scriptrun.tracking import run_folder
from scriptrun.tracking.events import later_writer

if TYPE_CHECKING:
    from scriptrun.config.environments.environment import Environment
    from scriptrun.config.script_run_config import ScriptRunConfig
    from scriptrun.engines.base import Engine
    from scriptrun.registry import image_registries
    from scriptrun.registry.workspace_files import Home
    from scriptrun.remote import client as remote_client
    from scriptrun.submission import data_binding, import_warnings
else:
    data_binding = later("scriptrun.submission.data_binding")
    remote_client = later("scriptrun.remote.client")
    image_registries = later("scriptrun.registry.image_registries")
    import_warnings = later("scriptrun.submission.import_warnings")

_EXPERIMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


#: a snapshot, and what git says of the source
Taken = tuple[snapshots.Snapshot, dict[str, str]]


class Origin(Value):
    """What a submission takes from where it is made, beside the job's description.

    ``interpreter`` runs the job when no environment is given (default: this process's own);
    ``variables`` come last, over the environment's; ``passed`` are names that the job takes from
    the submitting process; ``parent`` is the id of the run that submits, ``rerun_of`` of the one
    that is repeated. ``pins``: what becomes of those that cannot be had (EnvironmentSpec).
    """

    interpreter: str | None = None
    variables: Mapping[str, str] = fresh(default_factory=dict)
    passed: tuple[str, ...] = ()
    display_name: str = ""
    parent: str | None = None
    root: str | None = None
    pins: str = EXACT


class Submission(Value, frozen=False):
    """A job that may be submitted: checked, with its engine and what is worth a word.

    ``data`` fixes which files the job means when it is submitted; None where it names no data.
    ``before`` is what the job goes on from, or None.
    """

    job: JobSpec
    engine: Engine
    source: Path | None
    warnings: list[str]
    data: data_binding.Binder | None = None
    environment: Environment | None = None
    before: Any = None


def check(
    config: ScriptRunConfig,
    workspace: Home,
    experiment: str,
    tags: Mapping[str, Any] | None = None,
    origin: Origin | None = None,
) -> Submission:
    """The job that ``config`` describes, complete but for its snapshot; nothing is written.

    Raises RunConfigurationException with every reason why it cannot be submitted.
    """
    origin = origin or Origin()
    data = data_binding.Binder(config, workspace) if checks.names_data(config) else None
    resolve = data.resolve if data else None
    refuse([*checks.problems(config, resolve), *_experiment_problems(experiment)])
    reasons: list[str] = []
    described = describe.describe(config, resolve)
    source = source_folder(config.source_directory or ".")
    reasons += _source_problems(source, described.script)
    engine = _engine(workspace, described.target, reasons)
    afar = bool(getattr(engine, "ssh", None))
    interpreter = (engine.python or "python3") if afar else origin.interpreter  # type: ignore
    environment, notes = resolve_environment.placed(described, interpreter, origin.pins, engine)
    with vault.of_workspace(workspace.id):
        reasons += [] if afar else environments.check(environment)  # else it is checked there
    reasons += [
        f"the variable {name} was to be passed on, and it is not set here"
        for name in origin.passed
        if name not in os.environ
    ]
    if engine is None:
        refuse(reasons)
    assert engine is not None
    job = _job(described, workspace, experiment, origin, source, tags or {})
    before, target = described.resume_from, compute_targets.target_of(engine)
    reasons += resume_from.problems(before, target)
    job = job.replace(
        environment=environment, target=target, data=resume_from.data_of(before, target)
    )
    if data is not None:
        here = job.target.kind == "Local"
        reasons += data.problems(here, afar)
        told = (*job.notes, *data.notes(here))
        job = job.replace(data={**job.data, **data.described()}, notes=told)
    job = job.replace(notes=(*job.notes, *config.overruled_warnings, *notes))
    reasons += engine.check(job)
    refuse(reasons)
    return Submission(job, engine, source, [], data, config.run_config.environment, before)


def source_folder(path: str | os.PathLike[str]) -> Path:
    """The absolute path of a source directory; links in it are kept unless it goes up (``..``)."""
    found = Path(path).absolute()
    return Path(os.path.realpath(found)) if os.pardir in found.parts else found


def submit(submission: Submission, workspace: Home) -> Path:
    """Take the snapshot, write the run down and start it, or queue it; return the run's folder."""
    return record(complete(submission, workspace), workspace, submission.warnings)


def complete(
    submission: Submission, workspace: Home, taken: dict[Path, Taken] | None = None
) -> JobSpec:
    """The job with its snapshot and its data's lists; ``taken`` keeps snapshots for the next."""
    job = submission.job
    if hasattr(submission.before, "get_metrics"):
        resume_from.bring(submission.before.job, submission.before.path, job.target)
    if submission.environment is not None and _gives_passwords(job.environment):
        image_registries.keep(submission.environment)
    if submission.data is not None:
        job = job.replace(data={**job.data, **submission.data.pinned()})
    if submission.source is None:
        return job
    found = (taken or {}).get(submission.source)
    if found is None:
        git = git_provenance.GitFacts(submission.source)  # asked while the snapshot is taken
        snapshot = snapshots.take(workspace.snapshots_folder, submission.source)
        found = snapshot, git.properties()
        if taken is not None:
            taken[submission.source] = found
    snapshot, properties = found
    submission.warnings += snapshot.warnings
    properties = {**job.properties, **properties, "ContentSnapshotId": snapshot.digest}
    return job.replace(snapshot=snapshot.digest, properties=properties)


def _gives_passwords(environment: EnvironmentSpec) -> bool:
    """Whether the code may have given passwords, of a registry or of indexes."""
    lines = (*environment.pip_options, *environment.pip)
    named = any("${secret:login-" in line for line in lines)
    return named or bool(environment.docker.get("registry"))


def record(
    job: JobSpec,
    workspace: Home,
    warnings: list[str],
    lock: dict[str, Any] | None = None,
) -> Path:
    """Write ``job`` down as a run and start it, or queue it; return the run's folder.

    ``lock`` (that of an earlier run) is what its environment shall be locked to.
    """
    if job.target.options.get("ssh"):
        return remote_client.hand_over(job, workspace, warnings, lock)
    written = write_down(job, workspace, warnings, lock)
    start_or_queue(workspace, written)
    _remark(written.job, written.folder, written.ready, warnings)
    return written.folder


class Written(Value):
    """A run that is written down and not started yet."""

    job: JobSpec
    folder: Path
    ready: environments.Ready | None
    ticket: tickets.Ticket


def write_down(
    job: JobSpec,
    workspace: Home,
    warnings: list[str],
    lock: dict[str, Any] | None = None,
    ready: environments.Ready | None = None,
) -> Written:
    """Write ``job`` down as a run that waits. Raises WorkspaceException; then nothing is left.

    ``ready`` is its environment, where that was looked for already.
    """
    if ready is None:
        with cache_folders.lying_in(resolve_environment.shelf_of(job.target, workspace)):
            ready = find(job.environment, workspace.locks_folder, lock)
    queue = tickets.queue_of(workspace.id)
    job = job.replace(submitted_by={**job.submitted_by, "queue": str(queue)})
    folder = run_folder.make(workspace.runs_folder, job)
    ticket = None
    try:
        _write_down(job, folder, warnings, lock)
        ticket = tickets.write(queue, folder, dict(os.environ))
        run_folder.publish(folder, job)
    except (ScriptrunError, OSError) as error:
        if ticket is not None:
            tickets.drop(ticket.path)
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise paths.not_writable(folder, error) from error
        raise
    return Written(job, folder, ready, ticket)


def _remark(
    job: JobSpec, folder: Path, ready: environments.Ready | None, warnings: list[str]
) -> None:
    """Look for what is worth a word once the run is on its way: that must not keep it waiting."""
    found = import_warnings.missing_imports(job, ready)
    if found:
        writer = later_writer(folder, "remarks")
        for message in found:
            writer.write("warning", message=message)
    warnings += found


def _write_down(
    job: JobSpec, folder: Path, warnings: list[str], lock: dict[str, Any] | None
) -> None:
    writer = events.EventWriter(folder, "submit")
    for note in job.notes:
        writer.write("note", message=note)
    for warning in warnings:
        writer.write("warning", message=warning)
    writer.write("state", state=states.QUEUED)
    if lock is not None:
        files.publish(str(folder / start_run.LOCK), files.to_json(lock))


def start_or_queue(workspace: Home, run: Written) -> None:
    """Start the run at once when its environment is ready and nobody waits before it.

    A run for other machines waits for nobody here. Raises ExperimentExecutionException when it is
    refused; the run has failed then.
    """
    afar = resolve_environment.shelf_of(run.job.target, workspace) is not None
    first = min(tickets.names(run.ticket.path.parent), default="") == run.ticket.path.name
    if run.ready is not None and (first or afar):
        try:
            start_run.start(workspace, run.job, run.folder, run.ready, run.ticket)
            return
        except (NoRoom, NoAnswer, OSError):
            pass  # the runner tries again, and tells what stands in the way
        except ExperimentExecutionException as error:
            start_run.end_failed(run.folder, error.message)
            tickets.drop(run.ticket.path)
            raise
    ensure_runner.see_to_it(workspace)


def _experiment_problems(name: object) -> list[str]:
    if isinstance(name, str) and _EXPERIMENT.fullmatch(name):
        return []
    return [
        f"{name!r} is no name for an experiment: it takes letters, digits, '_', '-' and '.', "
        "and begins with a letter or a digit"
    ]


def _source_problems(source: Path, script: str | None) -> list[str]:
    if not source.is_dir():
        what = "is a file" if source.exists() else "does not exist"
        return [f"the source directory {source} {what}; name the directory that holds the script"]
    if not os.access(source, os.R_OK | os.X_OK):
        return [f"the source directory {source} cannot be read"]
    if script is None:
        return []
    place = Path(os.path.normpath(source / script))
    if source not in place.parents:
        return [
            f"the script {script} is outside the source directory {source}; "
            "only what is inside goes along"
        ]
    if not place.is_file():
        what = "is a directory" if place.is_dir() else "does not exist"
        return [f"the script {script} {what} in {source}{_nearest(source, script)}"]
    return []


def _nearest(source: Path, script: str) -> str:
    import difflib

    there = {path.stem: path.name for path in source.glob("*.py")}
    near = difflib.get_close_matches(os.path.splitext(script)[0], there, n=1)
    return f"; did you mean {there[near[0]]}?" if near else ""


def _engine(workspace: Home, target: object, reasons: list[str]) -> Engine | None:
    try:
        return compute_targets.resolve(workspace, target)
    except UserErrorException as error:
        reasons.append(str(error))
        return None


def _job(
    described: describe.Described,
    workspace: Home,
    experiment: str,
    origin: Origin,
    source: Path,
    tags: Mapping[str, Any],
) -> JobSpec:
    run_id = new_id(experiment)
    script = described.script
    more = () if described.resume_from is None else resume_from.ARGUMENTS
    return JobSpec(
        id=run_id,
        experiment=experiment,
        workspace=workspace.name,
        created=now(),
        source_directory=str(source),
        script=Path(os.path.normpath(script)).as_posix() if script else None,
        arguments=(*described.arguments, *more),
        command=described.command,
        distribution=described.distribution,
        variables={**described.variables, **origin.variables},
        passed=origin.passed,
        max_run_duration_seconds=described.max_run_duration_seconds,
        warn_before_seconds=described.warn_before_seconds,
        retry=described.retry,
        resources=described.resources,
        grace_seconds=_grace({**described.variables, **origin.variables}),
        display_name=origin.display_name or run_id,
        parent=origin.parent,
        root=origin.root or origin.parent or run_id,
        tags={str(key): None if value is None else str(value) for key, value in tags.items()},
        properties={"azureml.runsource": "experiment", "_azureml.ComputeTargetType": "local"},
        notes=tuple(described.notes),
        run_definition=described.run_definition,
        submitted_by={**identity.of_process(), "user": _user()},
    )


def new_id(experiment: str) -> str:
    """A run id in the shape that the SDK v1 gave: experiment, seconds, eight hex digits."""
    return f"{experiment}_{int(time.time())}_{files.unique(8)}"


def now() -> str:
    """The time as ISO 8601 in UTC, to the microsecond."""
    seconds = time.time()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1e6):06d}Z"


def _user() -> str:
    return os.environ.get("USER") or os.environ.get("USERNAME") or os.environ.get("LOGNAME") or ""


def _grace(variables: Mapping[str, str]) -> float:
    """Seconds between SIGTERM and SIGKILL: v1's AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC, else 10."""
    try:
        return max(0.0, float(variables["AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC"]))
    except (KeyError, ValueError):
        return 10.0
