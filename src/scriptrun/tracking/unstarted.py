"""Runs that never started: number their next attempt, and end them."""

from __future__ import annotations

from pathlib import Path

from scriptrun.runtime import results
from scriptrun.spec import states
from scriptrun.tracking import run_folder


def next_attempt(folder: Path) -> int:
    """The number of the run's next attempt."""
    return (run_folder.attempts(folder) or [0])[-1] + 1


def end_failed(folder: Path, reason: str, state: str = states.FAILED) -> int:
    """Publish a failure for a run that never started, unless it has a result already."""
    if not run_folder.exists(folder):
        return 1  # removed meanwhile: nothing of it comes back
    attempt = next_attempt(folder)
    attempt_folder = Path(results.attempt_folder(str(folder), attempt))
    attempt_folder.mkdir(parents=True, exist_ok=True)
    results.publish(str(folder), attempt, results.result(state, reason, by="runner"))
    run_folder.touch(folder)
    return 1
