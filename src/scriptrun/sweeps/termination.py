"""When and how a sweep ends: limits, cancellation, and runs that all fail."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scriptrun.runs import follow
from scriptrun.spec import states
from scriptrun.spec.values import Value
from scriptrun.sweeps import record
from scriptrun.sweeps.journal import Child
from scriptrun.tracking import metrics, run_folder
from scriptrun.tracking.events import later_writer

#: the number of failed runs, with no useful one, after which no more are started
FAILURES = 3


class Ending(Value):
    """The state that a sweep ends in, and why."""

    state: str
    reason: str = ""


def at_once(driver: Any) -> Ending | None:
    """The outcome of a sweep that ends now, canceling its active runs; None if it continues."""
    if (driver.folder / "cancel.json").exists():
        return Ending(states.CANCELED, "the sweep was canceled")
    if _is_hopeless(driver):
        return Ending(states.FAILED, _why_all_fail(driver))
    minutes = driver.limits.max_duration_minutes
    if minutes is not None and time.time() - driver.began >= 60 * minutes:
        done = any(each.state == states.COMPLETED for each in _children(driver))
        state = states.COMPLETED if done else states.CANCELED
        return Ending(state, f"max_duration_minutes={minutes:g} reached")
    return None


def may_go_on(driver: Any) -> bool:
    """Whether new runs may be started."""
    return not all_fail(driver) and not _all_begun(driver)


def _all_begun(driver: Any) -> bool:
    begun: int = driver.journal.next_number
    waiting = len(driver.flight.live) and driver.flight.lacks_any()
    return not waiting and (driver.exhausted or begun >= driver.limits.max_total_runs)


def all_fail(driver: Any) -> bool:
    """Whether so many runs failed, with no useful one, that the next would fail too.

    A resumed sweep may try as many again.
    """
    found = driver.journal.children.values()
    if any(map(_came_to_something, found)):  # usually the first one
        return False
    failed = [
        each for each in found if each.state == states.FAILED and (each.ended or 0) >= driver.began
    ]
    return len(failed) >= FAILURES


def _came_to_something(child: Child) -> bool:
    return child.state == states.COMPLETED or child.values > 0


def _is_hopeless(driver: Any) -> bool:
    """Whether all runs failed, including those that had started when this became apparent.

    The others are queued, here or on a cluster, and would fail as well.
    """
    if not all_fail(driver):
        driver.hopes = None
        return False
    if driver.hopes is None:
        driver.hopes = driver.flight.begun()
    return not any(number in driver.hopes for number in driver.flight.live)


def when_idle(driver: Any) -> Ending | None:
    """The outcome of a sweep without active runs; None if it continues."""
    if not _all_begun(driver):
        return None
    over = _children(driver)
    kinds = {each.state for each in over}
    if kinds == {states.CANCELED}:
        return Ending(states.CANCELED, "all runs were canceled")
    if kinds == {states.FAILED} or (kinds and not any(map(_came_to_something, over))):
        return Ending(states.FAILED, _why_all_fail(driver))
    if driver.exhausted and len(over) < driver.limits.max_total_runs:
        return Ending(states.COMPLETED, f"all {len(over)} points of the search space were tried")
    return Ending(states.COMPLETED)


def _why_all_fail(driver: Any) -> str:
    failed = [each for each in _children(driver) if each.state == states.FAILED]
    first = failed[0]
    many = "its only run failed" if len(failed) == 1 else f"its first {len(failed)} runs failed"
    told = f"{many}; run {first.number}: {first.reason}"
    tail = last_lines(driver, first)
    return f"{told}\nLast lines of its log:\n{tail}" if tail else told


def last_lines(driver: Any, child: Child, count: int = 8) -> str:
    """The last lines of a run's log."""
    folder: Path = child.folder(driver.workspace.runs_folder)
    result = run_folder.read_result(folder) or {}
    log = result.get("log") or follow.script_logs(driver.template)[0]
    return follow.last_lines(folder / str(log), count)


def tell_of_first(driver: Any, over: Sequence[Child]) -> None:
    """Log the problems of the first runs that end: a failure, or a missing metric.

    ``over`` are the runs that have ended since the last poll; there may be several.
    """
    failed, completed = (_first(driver, over, each) for each in (states.FAILED, states.COMPLETED))
    if failed is not None:
        tail = last_lines(driver, failed)
        driver.log.say(f"last lines of its log:\n{tail}" if tail else "its log is empty")
    if completed is not None and not completed.values:
        message = _without_metric(driver, completed)
        driver.log.say(message)
        later_writer(driver.folder, "driver").write("warning", message=message)


def _first(driver: Any, over: Sequence[Child], state: str) -> Child | None:
    """The first run in ``state``, if all runs in this state are among those just ``over``."""
    now = {each.number for each in over}
    found = [each for each in _children(driver) if each.state == state]
    return found[0] if found and all(each.number in now for each in found) else None


def _without_metric(driver: Any, child: Child) -> str:
    said = f"{child.id} did not log a number named {driver.sweep.metric!r}"
    return f"{said}; it logged {_logged(driver, child)}"


def _without_best(driver: Any) -> str:
    said = f"no best run: no run logged a number named {driver.sweep.metric!r}"
    first = next((each for each in _children(driver) if each.state == states.COMPLETED), None)
    return said if first is None else f"{said}; {first.id} logged {_logged(driver, first)}"


def _logged(driver: Any, child: Child) -> str:
    """The names of the logged metrics, with the value of the primary metric if it is no number."""
    found = metrics.read(child.folder(driver.workspace.runs_folder))
    named = [
        name if name != driver.sweep.metric else f"{name} as {str(value)[:60]}"
        for name, value in found.items()
    ]
    return ", ".join(named) or "nothing"


def leave_word(driver: Any, ending: Ending) -> None:
    """Record the best run in the sweep's tags, with the SDK v1's names."""
    best: Child | None = None
    for child in _children(driver):
        if driver.sweep.better(child.best, best.best if best else None):
            best = child
    writer = later_writer(driver.folder, "driver")
    if best is None:
        if ending.state == states.COMPLETED:
            writer.write("warning", message=_without_best(driver))
        return
    facts = (best.id, json.dumps(best.best), "Succeeded")
    writer.write("tag", set=dict(zip(record.OF_BEST, facts, strict=True)))


def _children(driver: Any) -> list[Child]:
    return [child for _, child in sorted(driver.journal.children.items())]
