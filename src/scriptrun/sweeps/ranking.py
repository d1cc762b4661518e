"""Rank the runs of a sweep from its journal, without reading the folders of ended runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from scriptrun.core.run import Run
from scriptrun.runs import status as run_status
from scriptrun.spec import states
from scriptrun.sweeps import children as runs
from scriptrun.sweeps import proposals, record
from scriptrun.sweeps.journal import Child
from scriptrun.tracking import metrics, run_folder

if TYPE_CHECKING:
    from scriptrun.sweeps.hyperdrive_run import HyperDriveRun


def children(run: HyperDriveRun) -> list[Child]:
    """The runs by number; those that have not ended in the journal get their current state."""
    known = [child for _, child in sorted(run.journal().children.items())]
    return [each if each.is_over else _seen(run, each) for each in known]


def _seen(run: HyperDriveRun, known: Child) -> Child:
    child = known.replace()  # leave the journal's value unchanged
    folder = child.folder(run.workspace.runs_folder)
    job = run_folder.read_job(folder)
    if job is None:
        child.state = states.NOT_STARTED
        return child
    status = run_status.status_of(run.workspace, folder, job)
    child.state, child.reason, child.began = status.state, status.reason, status.began
    child.ended = status.ended
    values = runs.values_of(folder, run.sweep.metric)
    child.values = len(values)
    for value in values:
        if run.sweep.better(value, child.best):
            child.best = value
    return child


def ordered(sweep: record.Sweep, found: Iterable[Child], reverse: bool = False) -> list[Child]:
    """The runs, best first (``reverse``: worst first), those without a value last by number."""
    downwards = sweep.maximizes != reverse

    def place(child: Child) -> tuple[bool, float, int]:
        lacks = child.best is None or child.best != child.best
        value = 0.0 if lacks else float(child.best or 0.0)
        return lacks, -value if downwards else value, child.number

    return sorted(found, key=place)


def best_so_far(values: Sequence[float | None], maximizes: bool) -> list[float]:
    """The best of the values up to each, starting with the first valid one."""
    found: list[float] = []
    for value in values:
        if value is not None and value == value:  # noqa: PLR0124 (not a number)
            better = max if maximizes else min
            found.append(better(found[-1], value) if found else value)
        elif found:
            found.append(found[-1])
    return found


def listed(
    run: HyperDriveRun, top: int, reverse: bool, discard_no_metric: bool
) -> list[dict[str, Any]]:
    """The result of ``get_children_sorted_by_primary_metric``."""
    found = ordered(run.sweep, children(run), reverse)
    if discard_no_metric:
        found = [each for each in found if each.best is not None]
    return [
        {
            "run_id": each.id,
            "hyperparameters": json.dumps(each.parameters),
            "best_primary_metric": each.best,
            "status": each.state,
        }
        for each in (found[:top] if top > 0 else found)
    ]


def best(
    run: HyperDriveRun, include_failed: bool, include_canceled: bool, include_others: bool
) -> Run | None:
    """The result of ``get_best_run_by_primary_metric``."""
    wanted = set(states.ORDER)
    wanted -= set() if include_failed else {states.FAILED}
    wanted -= set() if include_canceled else {states.CANCELED}
    pool = children(run)
    if include_others:
        for _, journal in proposals.others(run.workspace, run.sweep):
            pool += journal.children.values()
    found = ordered(run.sweep, [each for each in pool if each.state in wanted])
    if not found or found[0].best is None:
        return None
    return Run.at(run.workspace, found[0].folder(run.workspace.runs_folder))


def metrics_of(run: HyperDriveRun, name: str | None) -> dict[str, Any]:
    """The result of ``HyperDriveRun.get_metrics``."""
    place = run.workspace.runs_folder
    found = run.journal().children
    return {each.id: metrics.read(each.folder(place), name) for _, each in sorted(found.items())}


def as_frame(run: HyperDriveRun) -> Any:
    """The runs as a pandas DataFrame, one row per run."""
    import pandas

    return pandas.DataFrame([as_row(run.sweep, each) for each in children(run)])


def as_row(sweep: record.Sweep, child: Child) -> dict[str, Any]:
    """One run as a flat dict."""
    facts = {"run_id": child.id, "status": child.state, sweep.metric: child.best}
    times = {"began": child.began, "ended": child.ended, "reason": child.reason}
    return {**facts, **child.parameters, **times}
