"""When and how a sweep ends: limits, cancellation, and runs that all fail."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from scriptrun.runs import follow
from scriptrun.spec import states
from scriptrun.spec.values import Value
from scriptrun.sweeps import metric_check, record
from scriptrun.sweeps.journal import ChildRun
from scriptrun.tracking import metric_series, run_folder
from scriptrun.tracking.events import later_writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.sweeps.driver import Driver

#: the number of failed runs, with no useful one, after which no more are started
MAX_FAILURES = 3


class SweepOutcome(Value):
    """The state that a sweep ends in, and why."""

    state: str
    reason: str = ""


def immediate_outcome(driver: Driver, has_finished: bool = False) -> SweepOutcome | None:
    """The outcome of a sweep that ends now, canceling its active runs; None if it continues.

    ``has_finished``: runs have ended since it was last asked for.
    """
    if os.path.lexists(driver.folder / "cancel.json"):
        return SweepOutcome(states.CANCELED, "the sweep was canceled")
    if _is_hopeless(driver):
        return SweepOutcome(states.FAILED, _failure_reason(driver))
    reason = _metric_problem(driver) if has_finished else ""
    if reason:
        return SweepOutcome(states.FAILED, reason)
    minutes = driver.limits.max_duration_minutes
    if minutes is not None and time.time() - driver.began >= 60 * minutes:
        any_completed = any(child.state == states.COMPLETED for child in _children(driver))
        state = states.COMPLETED if any_completed else states.CANCELED
        return SweepOutcome(state, f"max_duration_minutes={minutes:g} reached")
    return None


def _metric_problem(driver: Driver) -> str:
    """Why the sweep ends before its runs do, as they lack its metric; "" if it does not."""
    continues = driver.flight.live or can_start_runs(driver)
    return metric_check.missing_reason(driver) if continues else ""


def can_start_runs(driver: Driver) -> bool:
    """Whether new runs may be started."""
    return not all_failed(driver) and not _all_started(driver)


def _all_started(driver: Driver) -> bool:
    started: int = driver.journal.next_number
    waiting = len(driver.flight.live) and driver.flight.lacks_any()
    return not waiting and (driver.exhausted or started >= driver.limits.max_total_runs)


def all_failed(driver: Driver) -> bool:
    """Whether so many runs failed, with no useful one, that the next would fail too.

    A resumed sweep may try as many again.
    """
    children = driver.journal.children.values()
    if any(map(_has_result, children)):  # usually the first one
        return False
    failed = [
        child
        for child in children
        if child.state == states.FAILED and (child.ended or 0) >= driver.began
    ]
    return len(failed) >= MAX_FAILURES


def _has_result(child: ChildRun) -> bool:
    return child.state == states.COMPLETED or child.values > 0


def _is_hopeless(driver: Driver) -> bool:
    """Whether all runs failed, including those that had started when this became apparent.

    The others are queued, here or on a cluster, and would fail as well.
    """
    if not all_failed(driver):
        driver.hopes = None
        return False
    if driver.hopes is None:
        driver.hopes = driver.flight.begun()
    return not any(number in driver.hopes for number in driver.flight.live)


def final_outcome(driver: Driver) -> SweepOutcome | None:
    """The outcome of a sweep without active runs; None if it continues."""
    if not _all_started(driver):
        return None
    children = _children(driver)
    final_states = {child.state for child in children}
    if final_states == {states.CANCELED}:
        return SweepOutcome(states.CANCELED, "all runs were canceled")
    if final_states == {states.FAILED} or (final_states and not any(map(_has_result, children))):
        return SweepOutcome(states.FAILED, _failure_reason(driver))
    if driver.exhausted and len(children) < driver.limits.max_total_runs:
        return SweepOutcome(
            states.COMPLETED, f"all {len(children)} points of the search space were tried"
        )
    return SweepOutcome(states.COMPLETED)


def _failure_reason(driver: Driver) -> str:
    failed = [child for child in _children(driver) if child.state == states.FAILED]
    first = failed[0]
    summary = "its only run failed" if len(failed) == 1 else f"its first {len(failed)} runs failed"
    reason = f"{summary}; run {first.number}: {first.reason}"
    tail = last_lines(driver, first)
    return f"{reason}\nLast lines of its log:\n{tail}" if tail else reason


def last_lines(driver: Driver, child: ChildRun, count: int = 8) -> str:
    """The last lines of a run's log."""
    folder: Path = child.folder(driver.workspace.runs_folder)
    result = run_folder.read_result(folder) or {}
    log = result.get("log") or follow.script_logs(driver.template)[0]
    return follow.last_lines(folder / str(log), count)


def report_first(driver: Driver, finished: Sequence[ChildRun]) -> None:
    """Log the problems of the first runs that end: a failure, or a missing metric.

    ``finished`` are the runs that have ended since the last poll; there may be several.
    """
    failed, completed = (
        _first_finished(driver, finished, state) for state in (states.FAILED, states.COMPLETED)
    )
    if failed is not None:
        tail = last_lines(driver, failed)
        driver.log.say(f"last lines of its log:\n{tail}" if tail else "its log is empty")
    if _metric_problem(driver):
        return  # the reason of the sweep's end says it
    if completed is not None and not completed.values:
        message = f"{completed.id} did not log a number named {driver.sweep.metric!r}"
        message += f"; it logged {_logged_names(driver, completed)}"
        names = metric_check.logged_names(driver, completed)
        message += metric_check.did_you_mean(driver.sweep.metric, names)
        driver.log.say(message)
        later_writer(driver.folder, "driver").write("warning", message=message)


def _first_finished(driver: Driver, finished: Sequence[ChildRun], state: str) -> ChildRun | None:
    """The first run in ``state``, if all runs in this state are among those just ``finished``."""
    finished_numbers = {child.number for child in finished}
    in_state = [candidate for candidate in _children(driver) if candidate.state == state]
    return (
        in_state[0]
        if in_state and all(run.number in finished_numbers for run in in_state)
        else None
    )


def _no_best_message(driver: Driver) -> str:
    message = f"no best run: no run logged a number named {driver.sweep.metric!r}"
    first = next((child for child in _children(driver) if child.state == states.COMPLETED), None)
    return (
        message if first is None else f"{message}; {first.id} logged {_logged_names(driver, first)}"
    )


def _logged_names(driver: Driver, child: ChildRun) -> str:
    """The names of the logged metrics, and the primary metric's value if it is not a number."""
    logged = metric_series.read(child.folder(driver.workspace.runs_folder))
    names = [
        name if name != driver.sweep.metric else f"{name} as {str(value)[:60]}"
        for name, value in logged.items()
    ]
    return ", ".join(names) or "nothing"


def record_best(driver: Driver, outcome: SweepOutcome) -> None:
    """Record the best run in the sweep's tags, with the SDK v1's names."""
    best: ChildRun | None = None
    for child in _children(driver):
        if driver.sweep.better(child.best, best.best if best else None):
            best = child
    writer = later_writer(driver.folder, "driver")
    if best is None:
        if outcome.state == states.COMPLETED:
            writer.write("warning", message=_no_best_message(driver))
        return
    facts = (best.id, json.dumps(best.best), "Succeeded")
    writer.write("tag", set=dict(zip(record.BEST_TAGS, facts, strict=True)))


def _children(driver: Driver) -> list[ChildRun]:
    return [child for _, child in sorted(driver.journal.children.items())]
