"""Runs that never began: the number of their next attempt, and ending them."""

from __future__ import annotations

from pathlib import Path

from scriptrun.runtime import results
from scriptrun.spec import states
from scriptrun.tracking import run_folder


def next_attempt(folder: Path) -> int:
    """The number of the attempt that would be the run's next."""
    return (run_folder.attempts(folder) or [0])[-1] + 1


def end_failed(folder: Path, reason: str, state: str = states.FAILED) -> int:
    """End a run that never began; the result stands unless another came first."""
    attempt = next_attempt(folder)
    place = Path(results.attempt_folder(str(folder), attempt))
    place.mkdir(parents=True, exist_ok=True)
    results.publish(str(folder), attempt, results.result(state, reason, by="runner"))
    run_folder.touch(folder)
    return 1
