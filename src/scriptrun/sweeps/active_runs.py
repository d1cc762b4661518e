"""A sweep's runs that have not ended: poll their states and metrics, and stop them early."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from scriptrun import remote
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.engines.base import PollRound
from scriptrun.registry import compute_targets
from scriptrun.runs import status as run_status
from scriptrun.runtime import files, identity
from scriptrun.runtime.launcher import entry
from scriptrun.spec import states
from scriptrun.spec.job import JobSpec, Target
from scriptrun.sweeps import children, early_stopping, record
from scriptrun.sweeps.journal import Child, Journal
from scriptrun.sweeps.launch import Launching
from scriptrun.tracking import run_folder, run_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: seconds between full polls of runs on another host: the minimum, and the maximum to which it
#: grows while no run starts or ends
SETTLE_REMOTE = (1.0, 10.0)
#: seconds between polls of the metrics
METRICS = 0.2
#: minimum and maximum seconds between polls for ended runs
FAST, SLOW = 0.02, 0.2


class Flight:
    """The runs that have not ended according to the journal: ``live``, by number."""

    def __init__(
        self,
        home: Workspace,
        sweep: record.Sweep,
        journal: Journal,
        launching: Launching,
        log: Any,
    ) -> None:
        self.home, self.sweep, self.journal = home, sweep, journal
        self.launching, self.log = launching, log
        self.live = {n: child for n, child in journal.children.items() if not child.is_over}
        self.policy = sweep.stopping()
        self.reports: dict[str, list[float]] = {}
        self._values: dict[int, children.Values] = {}
        self._jobs: dict[int, JobSpec] = {}
        self._settled = float("-inf")
        self._seen, self._moved = (0, -1), 0.0
        self._stopped: dict[int, str] = {}
        self._next_metrics = 0.0
        self._lives: list[float] = []
        self._inherited = False
        self.remember(each for each in journal.children.values() if each.is_over)

    def remember(self, ended: Iterable[Child]) -> None:
        """Add the values of runs that have ended, for the policy to compare with."""
        if not early_stopping.watches(self.policy):
            return
        for child in ended:
            folder = child.folder(self.home.runs_folder)
            self.reports[child.id] = children.values_of(folder, self.sweep.metric)

    def queue_here(self) -> None:
        """Queue the waiting runs of another host's driver on this host; only once."""
        if self._inherited or self._is_remote:
            return
        for child in self.live.values():
            job = run_folder.read_job(child.folder(self.home.runs_folder))
            if job is not None and not identity.is_local(job.submitted_by):
                self.launching.queue_here(child)
        self._inherited = True

    def unsubmitted(self) -> list[Child]:
        """The points in the journal without a run, left by a driver that died in between."""
        found = [child for n, child in self.live.items() if n not in self._jobs]
        lacking = []
        for child in found:
            job = run_folder.read_job(child.folder(self.home.runs_folder))
            if job is None:
                lacking.append(child)
            else:
                self._jobs[child.number] = job
        return lacking

    def lacks_any(self) -> bool:
        """Whether a point in the journal has no run."""
        return any(
            number not in self._jobs
            and not (child.folder(self.home.runs_folder) / "job.json").exists()
            for number, child in self.live.items()
        )

    def not_begun(self) -> int:
        """The number of runs that wait for a slot on this machine."""
        if self.launching.forks:
            return len(self.launching.parked)
        return sum(
            not (child.folder(self.home.runs_folder) / "attempts").is_dir()
            for child in self.live.values()
        )

    def begun(self) -> set[int]:
        """The numbers of the runs that no longer wait, from a full poll."""
        poll_round = PollRound()
        found = {n: self._status(n, child, True, poll_round) for n, child in self.live.items()}
        waiting = (states.NOT_STARTED, states.QUEUED)
        return {n for n, status in found.items() if status and status.state not in waiting}

    def look(self) -> list[Child]:
        """Record the runs that ended, apply the policy, and return the ended runs."""
        self._reap()
        now, over = time.monotonic(), []
        due = now - self._settled >= self._settle_every(now)
        if due:
            self._settled = now
        poll_round = PollRound()
        for number, child in list(self.live.items()):
            status = self._status(number, child, due, poll_round)
            if status is not None and status.is_final:
                self._end(child, status)
                over.append(child)
        if self.live and early_stopping.watches(self.policy) and now > self._next_metrics:
            self._next_metrics = now + METRICS
            self._apply_policy()
        return over

    def _settle_every(self, now: float) -> float:
        if self._is_remote:
            seen = len(self.live), max(self.live, default=-1)
            if seen != self._seen:
                self._seen, self._moved = seen, now
            least, most = SETTLE_REMOTE
            return min(most, max(least, (now - self._moved) / 4))
        return compute_targets.engine_of(self._target).traits.poll_seconds

    @property
    def _target(self) -> Target:
        """The compute target of the sweep's runs."""
        return JobSpec.from_dict(self.sweep.child).target

    @property
    def _is_remote(self) -> bool:
        """Whether the runs wait in another host's queue."""
        return remote.for_target(self._target) is not None

    def pause(self) -> float:
        """Seconds to the next poll; the end of a run that this process forked wakes it earlier.

        Other runs are polled four times in the mean duration of a run.
        """
        if len(self.launching.own) >= len(self.live):
            return SLOW
        lives = self._lives[-20:]
        mean = sum(lives) / len(lives) if lives else SLOW
        return min(SLOW, max(FAST, mean / 4))

    def _reap(self) -> None:
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.launching.own.pop(pid, None)
            entry.forked.discard(pid)

    def _status(
        self, number: int, child: Child, due: bool, poll_round: PollRound
    ) -> run_state.RunState | None:
        """The run's status: from its result only, or from all evidence if ``due``.

        A run that this process forked frees its slot when its guard exits.
        """
        folder = child.folder(self.home.runs_folder)
        job = self._jobs.get(number) or run_folder.read_job(folder)
        if job is None:
            return None
        self._jobs[number] = job
        if not due:
            own = number in self.launching.own.values()
            return None if own or run_folder.read_result(folder) is None else run_state.read_status(folder)
        return run_status.status_of(self.home, folder, job, poll_round=poll_round)

    def _end(self, child: Child, status: run_state.RunState) -> None:
        folder = child.folder(self.home.runs_folder)
        values = children.values_of(folder, self.sweep.metric)
        child.state, child.reason = status.state, status.reason
        if child.state == states.CANCELED:
            child.reason = self._stopped.get(child.number, child.reason)
        child.began, child.ended, child.values = status.began, status.ended, len(values)
        for value in values:
            if self.sweep.better(value, child.best):
                child.best = value
        try:
            self.journal.end(child)
        except OSError:
            child.state = ""
            raise
        self.reports[child.id] = values
        if child.began and child.ended:
            self._lives.append(child.ended - child.began)
        self.live.pop(child.number, None)
        self._jobs.pop(child.number, None)
        told = "" if child.best is None else f", {self.sweep.metric} {child.best:.6g}"
        why = f" ({child.reason})" if child.reason else ""
        self.log.say(f"{child.id} is {child.state}{why}{told}")

    def _apply_policy(self) -> None:
        """Read the values logged since the last poll, and stop runs according to the policy."""
        living = list(self.live.values())
        news = {child.id: self._hear(child) for child in living}
        reached = {
            each for span in news.values() for each in early_stopping.due(self.policy, *span)
        }
        for child in living:
            if child.number not in self._stopped:
                self._judge(child, *news[child.id], sorted(reached))

    def _hear(self, child: Child) -> tuple[int, int]:
        """The number of metric values at the last poll, and now."""
        folder = child.folder(self.home.runs_folder)
        if child.number not in self._values:
            self._values[child.number] = children.Values(folder, self.sweep.metric)
        before = len(self.reports.get(child.id, ()))
        values = self._values[child.number].poll()
        self.reports[child.id] = list(values)
        return before, len(values)

    def _judge(self, child: Child, before: int, now: int, reached: list[int]) -> None:
        """Apply the policy to a run at all ``reached`` intervals that it has values for."""
        own = set(early_stopping.due(self.policy, before, now))
        for interval in reached:
            again = interval not in own
            if interval > now or (again and not early_stopping.looks_back(self.policy)):
                continue
            reason = early_stopping.verdict(
                self.policy, child.id, interval, self.reports, self.sweep.maximizes, again
            )
            if reason:
                self.stop(child, reason)
                return

    def stop(self, child: Child, reason: str) -> None:
        """Cancel a run, with the reason."""
        if child.number in self._stopped:
            return
        folder = child.folder(self.home.runs_folder)
        job = self._jobs.get(child.number) or run_folder.read_job(folder)
        if job is None:
            return
        stop(self.home, folder, job, reason)
        self._stopped[child.number] = reason

    def stop_all(self, reason: str) -> None:
        """Cancel all runs; a point whose run was never submitted ends at once."""
        for child in self.unsubmitted():
            child.state, child.reason = states.CANCELED, reason
            self.journal.end(child)
            self.live.pop(child.number, None)
        for child in list(self.live.values()):
            self.stop(child, reason)


def stop(home: Workspace, folder: Path, job: JobSpec, reason: str) -> None:
    """Cancel a run, with the reason for its result."""
    if remote.for_target(job.target) is None:
        value = {**identity.identify(), "reason": reason}
        files.publish(str(folder / "cancel.json"), files.to_json(value))
    Run.at(home, folder).cancel()
