"""Submits several runs together: one snapshot per source, and one job array if possible."""

from __future__ import annotations

from pathlib import Path

from scriptrun import remote
from scriptrun.preparation import environment_record
from scriptrun.queue import start as start_run
from scriptrun.queue import tickets, workers
from scriptrun.registry import compute_targets
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.errors import ExperimentExecutionException
from scriptrun.submission import submit
from scriptrun.submission.check import Submission
from scriptrun.submission.submit import PendingRun, SourceSnapshot


def submit_all(submissions: list[Submission], workspace: WorkspaceFiles) -> list[Path]:
    """Record all runs, then start or queue them in order; returns their folders."""
    snapshots: dict[Path, SourceSnapshot] = {}
    folders: list[Path] = []
    pending: list[PendingRun] = []
    for submission in submissions:
        job = submit.complete(submission, workspace, snapshots)
        remote_runs = remote.for_target(job.target)
        if remote_runs is not None:
            folders.append(remote_runs.submit(job, workspace, submission.warnings, None))
            continue
        run = submit.create_run(job, workspace, submission.warnings)
        pending.append(run)
        folders.append(run.folder)
    start(workspace, pending)
    return folders


def start(workspace: WorkspaceFiles, pending: list[PendingRun]) -> None:
    """Start or queue recorded runs in order, as one array if possible.

    Raises ExperimentExecutionException if a run outside an array is rejected; the others go on.
    """
    groups: dict[object, list[PendingRun]] = {}
    remaining = []
    for run in pending:
        engine = compute_targets.engine_of(run.job.target)
        if run.ready is not None and engine.traits.arrays:
            groups.setdefault(repr(run.job.target), []).append(run)
        else:
            remaining.append(run)
    for group in groups.values():
        started = _submit_group(workspace, group)
        remaining += [run for run in group if run.job.id not in started]
    refused: list[ExperimentExecutionException] = []
    for run in remaining:
        try:
            submit.start_or_queue(workspace, run)
        except ExperimentExecutionException as error:
            refused.append(error)  # this run has failed; the others go on
    if refused:
        raise refused[0]


def _submit_group(workspace: WorkspaceFiles, group: list[PendingRun]) -> set[str]:
    """Submit a group to its engine at once; returns the IDs of the submitted runs."""
    pairs = []
    for run in group:
        assert run.ready is not None
        tickets.sync(run.ticket.path)
        environment_record.write_lockfile(run.folder, run.ready)
        order = start_run.make_order(workspace, run.job, run.folder, run.ready, run.ticket)
        pairs.append((run.job, order))
    engine = compute_targets.engine_of(group[0].job.target)
    try:
        return {job.id for job in engine.submit_together(pairs)}
    except (ExperimentExecutionException, OSError):
        # the runner tries them one by one, and reports problems
        workers.ensure_runner(workspace)
        return {run.job.id for run in group}
