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
from scriptrun.store.records import DamagedRecord
from scriptrun.sweeps import children, early_stopping, record
from scriptrun.sweeps.journal import ChildRun, Journal
from scriptrun.sweeps.launch import RunStarter
from scriptrun.tracking import run_folder, run_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.sweeps.driver import Log

#: seconds between full polls of runs on another host: the minimum, and the maximum to which it
#: grows while no run starts or ends
REMOTE_POLL_SECONDS = (1.0, 10.0)
#: seconds between polls of the metrics
METRICS_POLL_SECONDS = 0.2
#: minimum and maximum seconds between polls for ended runs
MIN_PAUSE, MAX_PAUSE = 0.02, 0.2


class ActiveRuns:
    """The runs that have not ended according to the journal: ``live``, by number."""

    def __init__(
        self,
        workspace: Workspace,
        sweep: record.Sweep,
        journal: Journal,
        starter: RunStarter,
        log: Log,
    ) -> None:
        self.workspace, self.sweep, self.journal = workspace, sweep, journal
        self.starter, self.log = starter, log
        self.live = {n: child for n, child in journal.children.items() if not child.is_over}
        self.policy = sweep.create_policy()
        self.reports: dict[str, list[float]] = {}
        self._values: dict[int, children.MetricValues] = {}
        self._jobs: dict[int, JobSpec] = {}
        self._last_poll = float("-inf")
        self._progress, self._progress_time = (0, -1), 0.0
        self._stop_reasons: dict[int, str] = {}
        self._next_metrics = 0.0
        self._durations: list[float] = []
        self._requeued = False
        self.add_reports(
            past_child for past_child in journal.children.values() if past_child.is_over
        )

    def add_reports(self, finished: Iterable[ChildRun]) -> None:
        """Add the values of runs that have ended, for the policy to compare with."""
        if not early_stopping.stops_runs(self.policy):
            return
        for child in finished:
            folder = child.folder(self.workspace.runs_folder)
            self.reports[child.id] = children.values_of(folder, self.sweep.metric)

    def requeue_locally(self) -> None:
        """Queue the waiting runs of another host's driver on this host; only once."""
        if self._requeued or self._is_remote:
            return
        for child in self.live.values():
            job = self._read_job(child)
            if job is not None and not identity.is_local(job.submitted_by):
                self.starter.requeue_locally(child)
        self._requeued = True

    def unsubmitted(self) -> list[ChildRun]:
        """The points in the journal without a run, left by a driver that died in between."""
        unread = [child for n, child in self.live.items() if n not in self._jobs]
        missing = []
        for child in unread:
            job = self._read_job(child)
            if job is not None:
                self._jobs[child.number] = job
            elif not run_folder.exists(child.folder(self.workspace.runs_folder)):
                missing.append(child)
        return missing

    def _read_job(self, child: ChildRun) -> JobSpec | None:
        """The run's job; None if there is none, or none that can be read."""
        try:
            return run_folder.read_job(child.folder(self.workspace.runs_folder))
        except DamagedRecord:
            return None

    def lacks_any(self) -> bool:
        """Whether a point in the journal has no run."""
        return any(
            number not in self._jobs
            and not run_folder.exists(child.folder(self.workspace.runs_folder))
            for number, child in self.live.items()
        )

    def waiting_count(self) -> int:
        """The number of runs that wait for a slot on this machine."""
        if self.starter.forks:
            return len(self.starter.parked)
        return sum(
            not (child.folder(self.workspace.runs_folder) / "attempts").is_dir()
            for child in self.live.values()
        )

    def begun(self) -> set[int]:
        """The numbers of the runs that no longer wait, from a full poll."""
        poll_round = PollRound()
        statuses = {n: self._status(n, child, True, poll_round) for n, child in self.live.items()}
        waiting = (states.NOT_STARTED, states.QUEUED)
        return {n for n, status in statuses.items() if status and status.state not in waiting}

    def poll(self) -> list[ChildRun]:
        """Record the runs that ended, apply the policy, and return the ended runs."""
        self._reap()
        now, finished = time.monotonic(), []
        is_full = now - self._last_poll >= self._poll_interval(now)
        if is_full:
            self._last_poll = now
        poll_round = PollRound()
        for number, child in list(self.live.items()):
            status = self._status(number, child, is_full, poll_round)
            if status is not None and status.is_final:
                self._record_end(child, status)
                finished.append(child)
        if self.live and early_stopping.stops_runs(self.policy) and now > self._next_metrics:
            self._next_metrics = now + METRICS_POLL_SECONDS
            self._apply_policy()
        return finished

    def _poll_interval(self, now: float) -> float:
        if self._is_remote:
            progress = len(self.live), max(self.live, default=-1)
            if progress != self._progress:
                self._progress, self._progress_time = progress, now
            minimum, maximum = REMOTE_POLL_SECONDS
            return min(maximum, max(minimum, (now - self._progress_time) / 4))
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
        if len(self.starter.guards) >= len(self.live):
            return MAX_PAUSE
        durations = self._durations[-20:]
        mean = sum(durations) / len(durations) if durations else MAX_PAUSE
        return min(MAX_PAUSE, max(MIN_PAUSE, mean / 4))

    def _reap(self) -> None:
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.starter.guards.pop(pid, None)
            entry.forked.discard(pid)

    def _status(
        self, number: int, child: ChildRun, is_full: bool, poll_round: PollRound
    ) -> run_state.RunState | None:
        """The run's status: from its result only, or from all evidence if ``is_full``.

        A run that this process forked frees its slot when its guard exits.
        """
        folder = child.folder(self.workspace.runs_folder)
        try:
            job = self._jobs.get(number) or run_folder.read_job(folder)
        except DamagedRecord as error:
            return run_status.of_damaged(folder, error.problem)
        if job is None:
            return None
        self._jobs[number] = job
        if not is_full:
            is_forked = number in self.starter.guards.values()
            return (
                None
                if is_forked or run_folder.read_result(folder) is None
                else run_state.read_status(folder)
            )
        try:
            return run_status.status_of(self.workspace, folder, job, poll_round=poll_round)
        except run_status.RunMissing as error:
            return run_state.RunState(states.FAILED, error.message)

    def _record_end(self, child: ChildRun, status: run_state.RunState) -> None:
        folder = child.folder(self.workspace.runs_folder)
        values = children.values_of(folder, self.sweep.metric)
        child.state, child.reason = status.state, status.reason
        if child.state == states.CANCELED:
            child.reason = self._stop_reasons.get(child.number, child.reason)
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
            self._durations.append(child.ended - child.began)
        self.live.pop(child.number, None)
        self._jobs.pop(child.number, None)
        metric_text = "" if child.best is None else f", {self.sweep.metric} {child.best:.6g}"
        reason_text = f" ({child.reason})" if child.reason else ""
        self.log.say(f"{child.id} is {child.state}{reason_text}{metric_text}")

    def _apply_policy(self) -> None:
        """Read the values logged since the last poll, and stop runs according to the policy."""
        live_children = list(self.live.values())
        value_counts = {child.id: self._poll_values(child) for child in live_children}
        reached = {
            interval
            for count_pair in value_counts.values()
            for interval in early_stopping.due_intervals(self.policy, *count_pair)
        }
        for child in live_children:
            if child.number not in self._stop_reasons:
                self._apply_policy_to(child, *value_counts[child.id], sorted(reached))

    def _poll_values(self, child: ChildRun) -> tuple[int, int]:
        """The number of metric values at the last poll, and now."""
        folder = child.folder(self.workspace.runs_folder)
        if child.number not in self._values:
            self._values[child.number] = children.MetricValues(folder, self.sweep.metric)
        before = len(self.reports.get(child.id, ()))
        values = self._values[child.number].poll()
        self.reports[child.id] = list(values)
        return before, len(values)

    def _apply_policy_to(self, child: ChildRun, before: int, now: int, reached: list[int]) -> None:
        """Apply the policy to a run at all ``reached`` intervals that it has values for."""
        new_intervals = set(early_stopping.due_intervals(self.policy, before, now))
        for interval in reached:
            is_revisit = interval not in new_intervals
            if interval > now or (
                is_revisit and not early_stopping.revisits_intervals(self.policy)
            ):
                continue
            reason = early_stopping.stop_reason(
                self.policy, child.id, interval, self.reports, self.sweep.maximizes, is_revisit
            )
            if reason:
                self.stop(child, reason)
                return

    def stop(self, child: ChildRun, reason: str) -> None:
        """Cancel a run, with the reason."""
        if child.number in self._stop_reasons:
            return
        folder = child.folder(self.workspace.runs_folder)
        job = self._jobs.get(child.number) or self._read_job(child)
        if job is None:
            return
        stop(self.workspace, folder, job, reason)
        self._stop_reasons[child.number] = reason

    def stop_all(self, reason: str) -> None:
        """Cancel all runs; a point whose run was never submitted ends at once."""
        for child in self.unsubmitted():
            child.state, child.reason = states.CANCELED, reason
            self.journal.end(child)
            self.live.pop(child.number, None)
        for child in list(self.live.values()):
            self.stop(child, reason)


def stop(workspace: Workspace, folder: Path, job: JobSpec, reason: str) -> None:
    """Cancel a run, with the reason for its result."""
    if remote.for_target(job.target) is None:
        value = {**identity.identify(), "reason": reason}
        files.publish(str(folder / "cancel.json"), files.to_json(value))
    Run.at(workspace, folder).cancel()
