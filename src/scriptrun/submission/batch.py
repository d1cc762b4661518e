"""Several runs submitted together: one snapshot of each source, and one array where that fits."""

from __future__ import annotations

from pathlib import Path

from scriptrun import remote
from scriptrun.preparation import environment_record
from scriptrun.queue import start as start_run
from scriptrun.queue import workers
from scriptrun.registry import compute_targets
from scriptrun.registry.workspace_files import Home
from scriptrun.spec.errors import ExperimentExecutionException
from scriptrun.submission import submit
from scriptrun.submission.check import Submission
from scriptrun.submission.submit import Taken, Written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def submit_all(submissions: list[Submission], workspace: Home) -> list[Path]:
    """Write all of them down, then start them in their order, or queue them; their folders."""
    taken: dict[Path, Taken] = {}
    found: list[Path] = []
    written: list[Written] = []
    for each in submissions:
        job = submit.complete(each, workspace, taken)
        elsewhere = remote.of(job.target)
        if elsewhere is not None:
            found.append(elsewhere.submit(job, workspace, each.warnings, None))
            continue
        run = submit.write_down(job, workspace, each.warnings)
        written.append(run)
        found.append(run.folder)
    start(workspace, written)
    return found


def start(workspace: Home, written: list[Written]) -> None:
    """Start runs that are written down, in their order, or queue them; one array where it fits.

    Raises ExperimentExecutionException when one is refused that has no company; the others go on.
    """
    groups: dict[Any, list[Written]] = {}
    left = []
    for run in written:
        engine = compute_targets.engine_of(run.job.target)
        if run.ready is not None and engine.traits.arrays:
            groups.setdefault(repr(run.job.target), []).append(run)
        else:
            left.append(run)
    for group in groups.values():
        started = _together(workspace, group)
        left += [run for run in group if run.job.id not in started]
    refused: list[ExperimentExecutionException] = []
    for run in left:
        try:
            submit.start_or_queue(workspace, run)
        except ExperimentExecutionException as error:
            refused.append(error)  # this one has failed, and the others have their own fate
    if refused:
        raise refused[0]


def _together(workspace: Home, group: list[Written]) -> set[str]:
    """Hand a group to its engine at once; the ids of those that it took."""
    pairs = []
    for run in group:
        assert run.ready is not None
        environment_record.write_lock(run.folder, run.ready)
        order = start_run.order_of(workspace, run.job, run.folder, run.ready, run.ticket)
        pairs.append((run.job, order))
    engine = compute_targets.engine_of(group[0].job.target)
    try:
        return {job.id for job in engine.submit_together(pairs)}
    except (ExperimentExecutionException, OSError):
        # it tries them one by one, and tells what stands in the way
        workers.ensure_runner(workspace)
        return {run.job.id for run in group}
