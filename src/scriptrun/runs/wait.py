"""Wait for several runs at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from scriptrun.engines.base import PollRound
from scriptrun.queue import wait_reasons
from scriptrun.runs import follow
from scriptrun.runs import status as run_status
from scriptrun.spec.errors import ScriptrunError, UserErrorException
from scriptrun.store.records import DamagedRecord
from scriptrun.tracking import run_folder, run_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.run import Run
    from scriptrun.tracking.run_state import RunState

#: instead of a state, for a run whose folder was removed
MISSING = "Missing"


def has_ended(status: RunState) -> bool:
    """Whether nothing is left to wait for."""
    return status.is_final or status.state == MISSING


def refuse_own(runs: Sequence[Run]) -> None:
    """Raise UserErrorException if one of ``runs`` is of this process: it would never end."""
    for run in runs:
        if follow.is_own(run) and not statuses([run])[0].is_final:
            raise UserErrorException(
                f"Run {run.id} is of this process, which cannot wait for itself.",
                "End the run first: run.complete().",
            )


def until_ended(
    runs: Sequence[Run],
    timeout: float | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[Run, RunState]]:
    """Yield each run with its state as it ends, until all have or ``timeout`` seconds have passed.

    A run whose cluster does not respond counts as active, one whose folder was removed is MISSING.
    """
    pending = list(runs)
    deadline = None if timeout is None else time.monotonic() + timeout
    delay, next_check = follow.FAST_POLL, 0.0
    while pending:
        is_due = time.monotonic() >= next_check
        candidates = pending if is_due else [run for run in pending if _may_have_ended(run)]
        if candidates:
            ended = [
                (run, status)
                for run, status in zip(candidates, statuses(candidates), strict=True)
                if has_ended(status)
            ]
            if is_due:
                next_check = time.monotonic() + follow.STATUS_INTERVAL
            gone = {run.id for run, _ in ended}
            pending = [run for run in pending if run.id not in gone]
            yield from ended
            delay = follow.FAST_POLL if ended else delay
        left = None if deadline is None else deadline - time.monotonic()
        if not pending or (left is not None and left <= 0):
            return
        pause(delay if left is None else min(delay, left))
        delay = min(follow.SLOW_POLL, delay * 1.2)


def _may_have_ended(run: Run) -> bool:
    return run_folder.read_result(run.path) is not None or not run_folder.exists(run.path)


def statuses(runs: Sequence[Run]) -> list[RunState]:
    """The state of each run; they share the queue's reasons and a poll of each cluster."""
    poll_round = PollRound()
    waiting: dict[str, dict[str, str]] = {}
    for run in runs:
        if run.workspace.id not in waiting:
            waiting[run.workspace.id] = wait_reasons.of_workspace(run.workspace.id)
    return [_status(run, waiting[run.workspace.id], poll_round) for run in runs]


def _status(run: Run, waiting: dict[str, str], poll_round: PollRound) -> RunState:
    try:
        return run_status.status_of(run.workspace, run.path, run.job, waiting, poll_round)
    except run_status.RunMissing as error:
        return run_state.RunState(MISSING, error.message)
    except DamagedRecord as error:
        if not run_folder.exists(run.path):
            return run_state.RunState(MISSING, run_status.RunMissing(run.path).message)
        return run_status.of_damaged(run.path, error.problem)
    except ScriptrunError as error:
        return run_state.read_status(run.path).replace(reason=error.message)
