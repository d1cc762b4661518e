"""Several runs submitted together: one snapshot of each source, and one array where that fits."""

from __future__ import annotations

from pathlib import Path

from scriptrun import distant, runner, starting, submit
from scriptrun.home import Home
from scriptrun.spec.errors import ExperimentExecutionException
from scriptrun.spec.hints import Any
from scriptrun.submit import Submission, Taken, Written


def submit_all(submissions: list[Submission], workspace: Home) -> list[Path]:
    """Write all of them down, then start them in their order, or queue them; their folders."""
    taken: dict[Path, Taken] = {}
    found: list[Path] = []
    written: list[tuple[Submission, Written]] = []
    for each in submissions:
        job = submit.complete(each, workspace, taken)
        if job.target.options.get("ssh"):
            found.append(distant.hand_over(job, workspace, each.warnings, None))
            continue
        run = submit.write_down(job, workspace, each.warnings)
        written.append((each, run))
        found.append(run.folder)
    _start(workspace, written)
    return found


def _start(workspace: Home, written: list[tuple[Submission, Written]]) -> None:
    left = [(each, run) for each, run in written if not _is_for_many(each.engine, run)]
    groups: dict[Any, list[tuple[Submission, Written]]] = {}
    for each, run in written:
        if _is_for_many(each.engine, run):
            groups.setdefault(repr(each.engine), []).append((each, run))
    for group in groups.values():
        started = _together(workspace, group)
        left += [(each, run) for each, run in group if run.job.id not in started]
    for _, run in left:
        submit.start_or_queue(workspace, run)


def _is_for_many(engine: Any, run: Written) -> bool:
    return run.ready is not None and hasattr(engine, "submit_together")


def _together(workspace: Home, group: list[tuple[Submission, Written]]) -> set[str]:
    """Hand a group to its engine at once; the ids of those that it took."""
    pairs = []
    for _, run in group:
        assert run.ready is not None
        starting.write_lock(run.folder, run.ready)
        order = starting.order_of(workspace, run.folder, run.ready, run.ticket)
        pairs.append((run.job, order))
    engine: Any = group[0][0].engine
    try:
        return {job.id for job in engine.submit_together(pairs)}
    except (ExperimentExecutionException, OSError):
        runner.see_to_it(workspace)  # it tries them one by one, and tells what stands in the way
        return {run.job.id for _, run in group}
