"""One submission, step by step: check, snapshot, plan, record, start.

All detectable problems are reported before anything is written; minor ones become warnings of the
run.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from scriptrun import remote
from scriptrun.engines.base import NoAnswer, NoRoom
from scriptrun.environments import builder as environments
from scriptrun.environments import locks
from scriptrun.environments.lookup import find
from scriptrun.preparation import environment_record
from scriptrun.preparation import resolve as resolve_environment
from scriptrun.queue import start as start_run
from scriptrun.queue import tickets, workers
from scriptrun.registry import compute_targets, experiments
from scriptrun.runtime import events, files
from scriptrun.spec import states
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import (
    ExperimentExecutionException,
    ScriptrunError,
)
from scriptrun.spec.job import JobSpec
from scriptrun.spec.later import later
from scriptrun.spec.run_kinds import run_kind
from scriptrun.spec.values import Value, fresh
from scriptrun.store import paths
from scriptrun.store.snapshots import snapshots
from scriptrun.submission import check as checks
from scriptrun.submission import git_provenance, resume_from
from scriptrun.tracking import run_folder
from scriptrun.tracking.events import later_writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scriptrun.registry import image_registries
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json
    from scriptrun.submission import data_binding, remarks
    from scriptrun.submission.check import Submission
    from scriptrun.tracking import unstarted
else:
    data_binding = later("scriptrun.submission.data_binding")
    image_registries = later("scriptrun.registry.image_registries")
    remarks = later("scriptrun.submission.remarks")
    unstarted = later("scriptrun.tracking.unstarted")


#: a snapshot, and the source's git properties
SourceSnapshot = tuple[snapshots.Snapshot, dict[str, str]]


#: what each kind of configuration names as its ``submitter`` has ``check`` and ``submit``
check = checks.check


def begin(workspace: WorkspaceFiles, experiment: str) -> None:
    """Make what each submission needs: this user's queue, and the experiment's record.

    Raises WorkspaceException, and leaves nothing in the workspace, if the cache cannot be written.
    """
    queue = tickets.queue_of(workspace.id)
    if not os.access(queue, os.W_OK | os.X_OK):
        is_read_only = hasattr(os, "statvfs") and os.statvfs(queue).f_flag & os.ST_RDONLY
        code = errno.EROFS if is_read_only else errno.EACCES
        raise paths.not_writable(queue, OSError(code, os.strerror(code)))
    experiments.make(workspace, experiment)


def submit(submission: Submission, workspace: WorkspaceFiles) -> Path:
    """Take the snapshot, record the run and start or queue it; returns the run's folder."""
    return submit_job(complete(submission, workspace), workspace, submission.warnings)


def complete(
    submission: Submission,
    workspace: WorkspaceFiles,
    snapshot_cache: dict[Path, SourceSnapshot] | None = None,
) -> JobSpec:
    """The job with its snapshot and pinned data; ``snapshot_cache`` serves the next job too."""
    job = submission.job
    if hasattr(submission.resume_source, "get_metrics"):
        resume_from.fetch_outputs(
            submission.resume_source.job, submission.resume_source.path, job.target
        )
    if submission.environment is not None and _gives_passwords(job.environment):
        image_registries.store_passwords(submission.environment)
    if submission.data is not None:
        job = job.replace(data=submission.data.pinned().replace(variables=job.data.variables))
    if submission.source is None:
        return job
    source_snapshot = (snapshot_cache or {}).get(submission.source)
    if source_snapshot is None:
        git = git_provenance.GitFacts(submission.source)  # runs while the snapshot is taken
        snapshot = snapshots.take(workspace.snapshots_folder, submission.source)
        source_snapshot = snapshot, git.properties()
        if snapshot_cache is not None:
            snapshot_cache[submission.source] = source_snapshot
    snapshot, properties = source_snapshot
    submission.warnings += snapshot.warnings
    properties = {**job.properties, **properties, "ContentSnapshotId": snapshot.digest}
    return job.replace(snapshot=snapshot.digest, properties=properties)


def _gives_passwords(environment: EnvironmentSpec) -> bool:
    """Whether the environment may contain passwords, of a registry or of package indexes."""
    lines = (*environment.pip_options, *environment.pip)
    has_login = any("${secret:login-" in line for line in lines)
    return has_login or environment.docker.registry is not None


def submit_job(
    job: JobSpec,
    workspace: WorkspaceFiles,
    warnings: list[str],
    lockfile: Json | None = None,
    extras: Extras | None = None,
) -> Path:
    """Record ``job`` as a run and start or queue it; returns the run's folder.

    ``lockfile`` is an earlier run's lockfile, to use for its environment. ``extras`` are those of
    the run's kind, for targets that share files.
    """
    remote_runs = remote.for_target(job.target)
    if remote_runs is not None:
        return remote_runs.submit(job, workspace, warnings, lockfile)
    pending = create_run(job, workspace, warnings, lockfile, extras=extras)
    start_or_queue(workspace, pending)
    _add_remarks(pending.job, pending.folder, pending.ready, warnings)
    return pending.folder


class Extras(Value):
    """What a kind of run adds to its submission.

    ``write`` writes files into the run's folder before it becomes a run; ``variables`` are for the
    job only, in addition to those that it inherits, and never recorded.
    """

    write: Callable[[Path], None]
    variables: Mapping[str, str] = fresh(default_factory=dict)


class PendingRun(Value):
    """A run that is recorded but not started yet."""

    job: JobSpec
    folder: Path
    ready: environments.ReadyEnvironment | None
    ticket: tickets.Ticket


def create_run(
    job: JobSpec,
    workspace: WorkspaceFiles,
    warnings: list[str],
    lockfile: Json | None = None,
    ready: environments.ReadyEnvironment | None = None,
    extras: Extras | None = None,
) -> PendingRun:
    """Record ``job`` as a queued run. If that raises WorkspaceException, nothing is left of it.

    Its ticket is not synced: a run that starts at once needs it no more.
    ``ready`` is its environment if it was looked up already; ``extras`` are those of its kind.
    """
    if ready is None:
        cache = resolve_environment.cache_folder_of(job.target, workspace)
        ready = find(job.environment, workspace.locks_folder, lockfile, cache)
    queue = tickets.queue_of(workspace.id)
    job = job.replace(submitted_by={**job.submitted_by, "queue": str(queue)})
    folder = run_folder.make(workspace.runs_folder, job)
    ticket = None
    variables = dict(os.environ) if extras is None else {**os.environ, **extras.variables}
    try:
        if extras is not None:
            extras.write(folder)
        _write_events(job, folder, warnings, lockfile)
        ticket = tickets.write(queue, folder, variables, durable=False)
        run_folder.publish(folder, job)
    except (ScriptrunError, OSError) as error:
        if ticket is not None:
            tickets.drop(ticket.path)
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise paths.not_writable(folder, error) from error
        raise
    return PendingRun(job, folder, ready, ticket)


def _add_remarks(
    job: JobSpec, folder: Path, ready: environments.ReadyEnvironment | None, warnings: list[str]
) -> None:
    """Add warnings once the run has been submitted, so that they do not delay it."""
    messages = remarks.remarks(job, ready)
    if messages:
        writer = later_writer(folder, "remarks")
        for message in messages:
            writer.write("warning", message=message)
    warnings += messages
    if ready is not None:
        warnings += ready.failed_imports  # recorded with the environment


def _write_events(job: JobSpec, folder: Path, warnings: list[str], lockfile: Json | None) -> None:
    writer = events.EventWriter(folder, "submit")
    for note in job.notes:
        writer.write("note", message=note)
    for warning in warnings:
        writer.write("warning", message=warning)
    writer.write("state", state=states.QUEUED)
    if lockfile is not None:
        files.publish(
            str(folder / environment_record.LOCKFILE), files.to_json(locks.seal(lockfile))
        )


def start_or_queue(workspace: WorkspaceFiles, run: PendingRun) -> None:
    """Start the run at once when its environment is ready and nobody waits before it.

    A run for a target with a queue of its own waits for nobody here, nor does one that needs no
    slot. Raises ExperimentExecutionException when it is refused; the run has failed then.
    """
    queues = compute_targets.engine_of(run.job.target).traits.queues
    if queues:  # its job may wait there
        tickets.sync(run.ticket.path)
    waits_for_nobody = queues or not run_kind(run.job.kind).takes_slot
    is_first = min(tickets.names(run.ticket.path.parent), default="") == run.ticket.path.name
    if run.ready is not None and (is_first or waits_for_nobody):
        try:
            start_run.start(workspace, run.job, run.folder, run.ready, run.ticket)
            return
        except (NoRoom, NoAnswer, OSError):
            pass  # the runner tries again, and reports problems
        except ExperimentExecutionException as error:
            unstarted.end_failed(run.folder, error.message)
            tickets.drop(run.ticket.path)
            raise
    tickets.sync(run.ticket.path)
    workers.ensure_runner(workspace)
