"""The driver of one sweep: a separate process that samples points, starts runs and stops them.

It can be killed at any time, and the next driver continues: the run folders and the journal are
authoritative, and each point is journaled before its run is submitted. The driver has one thread,
forks launchers as the runner does, and occupies no slot of the machine.
"""

from __future__ import annotations

import errno
import os
import time
import traceback
from pathlib import Path

from scriptrun.core.workspace import Workspace
from scriptrun.engines.local import engine as local_engine
from scriptrun.engines.transport import HostUnreachable
from scriptrun.queue import runner, tickets
from scriptrun.registry import compute_targets
from scriptrun.runtime import events, files, identity, processes, results
from scriptrun.runtime.launcher import (  # noqa: F401 (loaded once, before the forks)
    entry,
    launcher,
)
from scriptrun.spec import states
from scriptrun.spec.errors import ScriptrunError, WorkspaceException
from scriptrun.store.locks import flocks, leases
from scriptrun.store.records import DamagedRecord
from scriptrun.sweeps import children, ensure_driver, record, termination
from scriptrun.sweeps.active_runs import ActiveRuns
from scriptrun.sweeps.journal import Journal
from scriptrun.sweeps.launch import RunStarter
from scriptrun.sweeps.proposals import PointSource, outputs_of
from scriptrun.tracking import run_folder
from scriptrun.tracking.events import collect_facts, later_writer
from scriptrun.tracking.events import read as read_events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.spec.job import JobSpec
    from scriptrun.sweeps.journal import ChildRun

#: seconds to wait after a write error, such as a full disk
RETRY_SECONDS = 5.0
#: the maximum number of runs that wait for a local slot, and the maximum number of active remote
#: runs with Bayesian sampling
QUEUED_AHEAD, MAX_ADAPTIVE_RUNS = 2, 4
#: the number of driver crashes after which the sweep fails
MAX_CRASHES = 3


def main(root: str, run_id: str) -> None:
    """Drive the sweep ``run_id`` of the workspace in ``root`` to its end."""
    identity.set_process_name(processes.SWEEP)
    workspace = Workspace.reopen(root)
    flock = flocks.try_flock(ensure_driver.flock_path(workspace.id, run_id))
    if flock is None:
        return
    with flock:
        folder = workspace.find_run(run_id)
        ticket = ensure_driver.ticket_path(workspace.id, run_id)
        if folder is None:
            return
        _use_environment(files.read_object(ticket) or {})
        lease = _acquire_lease(folder)
        if lease is not None:
            try:
                Driver(workspace, folder, lease).run()
            except DamagedRecord as error:
                _end_failed(folder, error.problem)
            except Exception as error:
                if not _record_crash(folder, error):
                    return  # keep the lease: it names the host that the next driver runs on
            lease.release()
        ticket.unlink(missing_ok=True)


def _acquire_lease(folder: Path) -> leases.Lease | None:
    """Acquire the driver's lease; None if another host's driver has it or it is not writable."""
    while True:
        try:
            return leases.inherit(ensure_driver.lease_path(folder), thread=False)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                return None
            time.sleep(RETRY_SECONDS)


def _use_environment(ticket: Json) -> None:
    """Use the submitter's environment, but keep this process's ``SCRIPTRUN_`` variables.

    A ticket that cannot be read leaves this process's own environment.
    """
    if not tickets.is_ticket(ticket):
        return
    environ: dict[str, str] = ticket["environ"]
    kept_variables = {
        name: value for name, value in os.environ.items() if name.startswith("SCRIPTRUN_")
    }
    os.environ.clear()
    os.environ.update({**environ, **kept_variables})


def _record_crash(folder: Path, error: Exception) -> bool:
    """Log a crash of the driver; True if there were too many and the sweep has failed."""
    text = "".join(traceback.format_exception(error))
    Log(folder, "system_logs/driver.txt").say(text.rstrip())
    log = files.read_bytes(folder / "system_logs" / "driver.txt") or b""
    crashes = log.count(b"Traceback (most recent call last)")
    if crashes < MAX_CRASHES:
        return False
    _end_failed(folder, f"its driver crashed {crashes} times: {type(error).__name__}: {error}")
    return True


def _end_failed(folder: Path, reason: str) -> None:
    """Publish that the sweep has failed, even if its attempt was never opened."""
    if not run_folder.exists(folder):
        return
    attempt = (run_folder.attempts(folder) or [1])[-1]
    Path(results.attempt_folder(str(folder), attempt)).mkdir(parents=True, exist_ok=True)
    results.publish(str(folder), attempt, results.result(states.FAILED, reason, by="driver"))
    run_folder.touch(folder)


class Log:
    """A log of the sweep with a timestamp on each line; write errors are ignored."""

    def __init__(self, folder: Path, name: str = record.LOG) -> None:
        self._path = folder / name

    def say(self, line: str) -> None:
        """Append ``line``."""
        timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            events.append(str(self._path), f"{timestamp} {line}\n".encode("utf-8", "replace"))
        except OSError:
            pass


class Driver:
    """Drives one sweep, from this process's start to its end."""

    def __init__(self, workspace: Workspace, folder: Path, lease: leases.Lease) -> None:
        self.workspace, self.folder, self.lease = workspace, folder, lease
        self.sweep = record.read(folder)
        job = run_folder.read_job(folder)
        assert job is not None
        self.job, self.template = job, self.sweep.template()
        self.log = Log(folder)
        self.journal = Journal(folder).read()
        self.points = PointSource(workspace, job.id, self.sweep, self.journal)
        can_fork = not self.points.is_adaptive  # Optuna loads NumPy, which starts threads
        if can_fork:
            local_engine.allow_fork()
            runner.make_forks_cheap()
        self.starter = RunStarter(workspace, job.id, self.journal, can_fork)
        self.flight = ActiveRuns(workspace, self.sweep, self.journal, self.starter, self.log)
        self.flight.add_reports(self.points.previous_children())
        self.exhausted = False
        self.hopes: set[int] | None = None
        self.outcome: termination.SweepOutcome | None = None

    def run(self) -> None:
        """Drive the sweep to its end, or until another host's driver takes over."""
        wake = processes.open_wakeup_pipe()
        while self.lease.heartbeat() and run_folder.exists(self.folder):
            pause = self.flight.pause()
            try:
                self.flight.requeue_locally()
                self._open_attempt()
                if self._poll_once():
                    return
            except DamagedRecord as error:
                self.outcome = self.outcome or termination.SweepOutcome(
                    states.FAILED, error.problem
                )
            except (OSError, WorkspaceException, HostUnreachable) as error:
                self.journal.close()
                self.log.say(f"waiting: {error}")
                pause = RETRY_SECONDS  # e.g. a full disk
            processes.sleep_until_wakeup(wake, pause)
        self.log.say("stopping this driver: another host has taken over")

    def _open_attempt(self) -> None:
        """Open the attempt: read its number, start time and the current limits."""
        self.attempt = (run_folder.attempts(self.folder) or [1])[-1]
        attempt_folder = Path(results.attempt_folder(str(self.folder), self.attempt))
        start_path = attempt_folder / "begun.json"
        began = (files.read_object(start_path) or {}).get("t")
        if not isinstance(began, int | float):
            attempt_folder.mkdir(exist_ok=True, parents=run_folder.exists(self.folder))
            began = self._first_event() if os.path.lexists(start_path) else None
            began = time.time() if began is None else began
            files.write_atomic(start_path, files.to_json({"t": began}))
            later_writer(self.folder, "driver").write("state", state=states.RUNNING)
        self.began = float(began)
        self.changes, self.limits = record.limits(self.folder, self.sweep)

    def _first_event(self) -> float | None:
        """When the sweep began to run, according to its events."""
        return collect_facts(read_events(self.folder)).running

    def _poll_once(self) -> bool:
        """Poll, stop and start runs; True if the sweep has ended."""
        finished = self.flight.poll()
        if not termination.all_failed(self):
            self.starter.start_parked()
        for child in finished:
            self.points.mark_ended(child)
        termination.report_first(self, finished)
        self.outcome = self.outcome or termination.immediate_outcome(self, bool(finished))
        if self.outcome is not None:
            self.flight.stop_all(self.outcome.reason.partition("\n")[0])
        elif termination.can_start_runs(self):
            while self._start_runs():
                pass  # until there is no capacity left
        if self.flight.live:
            return False
        outcome = self.outcome or termination.final_outcome(self)
        return outcome is not None and self._publish_outcome(outcome)

    def _start_runs(self) -> bool:
        """Start journaled points that were never submitted, then new ones; False if none."""
        if not self.lease.heartbeat():
            return False
        pending = self.flight.unsubmitted()
        capacity = self._capacity() + len(pending)
        while len(pending) < capacity and self.journal.next_number < self.limits.max_total_runs:
            child = self.points.next()
            if child is None:
                self.exhausted = True
                break
            self.journal.add(child)
            self.flight.live[child.number] = child
            self.points.mark_written(child)
            pending.append(child)
        if pending:
            self._submit_runs(pending)
        return bool(pending) and self.outcome is None

    def _capacity(self) -> int:
        """The number of runs that may be started now.

        On this machine, only few runs wait for a slot: the next one starts at once, but its point
        is chosen as late as possible. Elsewhere, the limit is that of active runs, or a lower one
        with Bayesian sampling, which learns from ended runs.
        """
        capacity = self.limits.at_once - len(self.flight.live)
        if compute_targets.engine_of(self.template.target).traits.here:
            ahead = 1 if self.points.is_adaptive else QUEUED_AHEAD
            return min(capacity, ahead - self.flight.waiting_count())
        if self.points.is_adaptive and self.limits.max_concurrent_runs is None:
            return min(capacity, MAX_ADAPTIVE_RUNS - len(self.flight.live))
        return capacity

    def _submit_runs(self, new_children: list[ChildRun]) -> None:
        jobs = [self._job_of(child) for child in new_children]
        for child in new_children:
            arguments = " ".join(children.arguments_of(child.parameters))
            self.log.say(f"submitting {child.id}: {arguments}")
        try:
            self.starter.start(new_children, jobs)
        except (WorkspaceException, HostUnreachable):
            raise
        except ScriptrunError as error:
            self.outcome = termination.SweepOutcome(states.FAILED, f"cannot submit runs: {error}")

    def _job_of(self, child: ChildRun) -> JobSpec:
        outputs = None
        if child.source:
            outputs = outputs_of(self.workspace, child.source, self.template.target)
        return children.job_of(self.template, self.job, child, outputs)

    def _publish_outcome(self, outcome: termination.SweepOutcome) -> bool:
        """Publish the sweep's result; False if it was extended in the meantime."""
        if record.limits(self.folder, self.sweep)[0] != self.changes:
            return False
        termination.record_best(self, outcome)
        value = results.result(outcome.state, outcome.reason, began=self.began, by="driver", node=0)
        results.publish(str(self.folder), self.attempt, value)
        run_folder.touch(self.folder)
        self.log.say(f"{self.job.id} is {outcome.state}")  # whoever follows it adds the reason
        if record.limits(self.folder, self.sweep)[0] != self.changes and not self.outcome:
            record.open_attempt(self.folder, self.attempt)
            return False
        self.journal.close()
        return True
