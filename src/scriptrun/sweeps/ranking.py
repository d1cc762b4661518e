"""Rank the runs of a sweep from its journal, without reading the folders of ended runs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from scriptrun.core.run import Run
from scriptrun.runs import status as run_status
from scriptrun.runtime.injob.short_names import short_name
from scriptrun.spec import library_values, states
from scriptrun.store.records import DamagedRecord
from scriptrun.sweeps import children as child_runs
from scriptrun.sweeps import proposals, record
from scriptrun.sweeps.journal import ChildRun
from scriptrun.tracking import metric_series, run_folder

if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.sweeps.hyperdrive_run import HyperDriveRun


def children(run: HyperDriveRun) -> list[ChildRun]:
    """The runs by number; those that have not ended in the journal get their current state."""
    entries = [child for _, child in sorted(run.journal().children.items())]
    return [entry if entry.is_over else _with_current_state(run, entry) for entry in entries]


def _with_current_state(run: HyperDriveRun, entry: ChildRun) -> ChildRun:
    child = entry.replace()  # leave the journal's value unchanged
    folder = child.folder(run.workspace.runs_folder)
    try:
        job = run_folder.read_job(folder)
        if job is None:
            child.state = states.NOT_STARTED
            return child
        status = run_status.status_of(run.workspace, folder, job)
    except DamagedRecord as error:
        status = run_status.of_damaged(folder, error.problem)
    child.state, child.reason, child.began = status.state, status.reason, status.began
    child.ended = status.ended
    values = child_runs.values_of(folder, run.sweep.metric)
    child.values = len(values)
    for value in values:
        if run.sweep.better(value, child.best):
            child.best = value
    return child


def ordered(
    sweep: record.Sweep, children: Iterable[ChildRun], reverse: bool = False
) -> list[ChildRun]:
    """The runs, best first (``reverse``: worst first), those without a value last by number."""
    descending = sweep.maximizes != reverse

    def sort_key(child: ChildRun) -> tuple[bool, float, int]:
        has_no_value = child.best is None or child.best != child.best
        value = 0.0 if has_no_value else float(child.best or 0.0)
        return has_no_value, -value if descending else value, child.number

    return sorted(children, key=sort_key)


def best_so_far(values: Sequence[float | None], maximizes: bool) -> list[float]:
    """The best of the values up to each, starting with the first finite one, for a chart."""
    bests: list[float] = []
    for value in values:
        if value is not None and math.isfinite(value):
            better = max if maximizes else min
            bests.append(better(bests[-1], value) if bests else value)
        elif bests:
            bests.append(bests[-1])
    return bests


def sorted_rows(run: HyperDriveRun, top: int, reverse: bool, discard_no_metric: bool) -> list[Json]:
    """The result of ``get_children_sorted_by_primary_metric``."""
    ranked = ordered(run.sweep, children(run), reverse)
    if discard_no_metric:
        ranked = [child for child in ranked if child.best is not None]
    return [
        {
            "run_id": entry.id,
            "hyperparameters": json.dumps(entry.parameters),
            "best_primary_metric": entry.best,
            "status": entry.state,
        }
        for entry in (ranked[:top] if top > 0 else ranked)
    ]


def best(
    run: HyperDriveRun, include_failed: bool, include_canceled: bool, include_others: bool
) -> Run | None:
    """The result of ``get_best_run_by_primary_metric``."""
    included_states = set(states.ORDER)
    included_states -= set() if include_failed else {states.FAILED}
    included_states -= set() if include_canceled else {states.CANCELED}
    candidates = children(run)
    if include_others:
        for _, journal in proposals.resumed_sweeps(run.workspace, run.sweep):
            candidates += journal.children.values()
    ranked = ordered(run.sweep, [child for child in candidates if child.state in included_states])
    if not ranked or ranked[0].best is None:
        return None
    return Run.at(run.workspace, ranked[0].folder(run.workspace.runs_folder))


def metrics_of(run: HyperDriveRun, name: str | None) -> Json:
    """The metrics of each run of the sweep, by run id."""
    runs_folder = run.workspace.runs_folder
    journal_children = run.journal().children
    return {
        child.id: metric_series.read(child.folder(runs_folder), name)
        for _, child in sorted(journal_children.items())
    }


def as_frame(run: HyperDriveRun) -> Any:
    """The runs as a pandas DataFrame, one row per run.

    Raises UserErrorException if pandas is not installed.
    """
    pandas = library_values.require(
        "pandas", "to_pandas()", "Or use get_children_sorted_by_primary_metric()."
    )
    return pandas.DataFrame([as_row(run.sweep, child) for child in children(run)])


def as_row(sweep: record.Sweep, child: ChildRun) -> Json:
    """One run as a flat dict."""
    names = {"run_id": child.id, "short_name": short_name(child.id)}
    facts = {**names, "status": child.state, sweep.metric: child.best}
    times = {"began": child.began, "ended": child.ended, "reason": child.reason}
    return {**facts, **child.parameters, **times}
