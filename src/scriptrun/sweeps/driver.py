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
from scriptrun.queue import runner
from scriptrun.registry import compute_targets
from scriptrun.runtime import events, files, processes, results
from scriptrun.runtime.launcher import (  # noqa: F401 (loaded once, before the forks)
    entry,
    launcher,
)
from scriptrun.spec import states
from scriptrun.spec.errors import ScriptrunError, WorkspaceException
from scriptrun.store.locks import flocks, leases
from scriptrun.sweeps import children, ensure_driver, record, termination
from scriptrun.sweeps.active_runs import Flight
from scriptrun.sweeps.journal import Journal
from scriptrun.sweeps.launch import Launching
from scriptrun.sweeps.proposals import Points, outputs_of
from scriptrun.tracking import run_folder
from scriptrun.tracking.events import later_writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: seconds to wait after a write error, such as a full disk
PAUSE = 5.0
#: the maximum number of runs that wait for a local slot; of active remote runs with Bayesian
#: sampling
AHEAD, ADVISED = 2, 4
#: the number of driver crashes after which the sweep fails
TRIES = 3


def main(root: str, run_id: str) -> None:
    """Drive the sweep ``run_id`` of the workspace in ``root`` to its end."""
    processes.set_process_name(processes.SWEEP)
    workspace = Workspace(root)
    lock = flocks.try_flock(ensure_driver.lock_of(workspace.id, run_id))
    if lock is None:
        return
    with lock:
        folder = workspace.find_run(run_id)
        ticket = ensure_driver.ticket_of(workspace.id, run_id)
        if folder is None:
            return
        _take_environment((files.read_json(str(ticket)) or {}).get("environ"))
        lease = _lease(folder)
        if lease is not None:
            try:
                Driver(workspace, folder, lease).run()
            except Exception as error:
                if not _give_up(folder, error):
                    return  # keep the lease: it names the host that the next driver runs on
            lease.release()
        ticket.unlink(missing_ok=True)


def _lease(folder: Path) -> leases.Lease | None:
    """The driver's lease; None if another host's driver has it, or it is not writable."""
    while True:
        try:
            return leases.inherit(ensure_driver.lease_of(folder), thread=False)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                return None
            time.sleep(PAUSE)


def _take_environment(environ: dict[str, str] | None) -> None:
    """Use the submitter's environment, but keep this process's ``SCRIPTRUN_`` variables."""
    if environ is None:
        return
    ours = {name: value for name, value in os.environ.items() if name.startswith("SCRIPTRUN_")}
    os.environ.clear()
    os.environ.update({**environ, **ours})


def _give_up(folder: Path, error: Exception) -> bool:
    """Log a crash of the driver; True if there were too many and the sweep has failed."""
    text = "".join(traceback.format_exception(error))
    Log(folder, "system_logs/driver.txt").say(text.rstrip())
    broke = folder / "system_logs" / "driver.txt"
    times = broke.read_text("utf-8", "replace").count("Traceback (most recent call last)")
    if times < TRIES:
        return False
    attempt = (run_folder.attempts(folder) or [1])[-1]
    reason = f"its driver crashed {times} times: {type(error).__name__}: {error}"
    results.publish(str(folder), attempt, results.result(states.FAILED, reason, by="driver"))
    run_folder.touch(folder)
    return True


class Log:
    """A log of the sweep with a timestamp on each line; write errors are ignored."""

    def __init__(self, folder: Path, name: str = record.LOG) -> None:
        self._path = folder / name

    def say(self, line: str) -> None:
        """Append ``line``."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            events.append(str(self._path), f"{moment} {line}\n".encode("utf-8", "replace"))
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
        self.points = Points(workspace, job.id, self.sweep, self.journal)
        forks = not self.points.is_advised  # Optuna loads NumPy, which starts threads
        if forks:
            local_engine.allow_fork()
            runner.make_forks_cheap()
        self.launching = Launching(workspace, job.id, self.journal, forks)
        self.flight = Flight(workspace, self.sweep, self.journal, self.launching, self.log)
        self.flight.remember(self.points.reports())
        self.exhausted = False
        self.hopes: set[int] | None = None
        self.ending: termination.Ending | None = None

    def run(self) -> None:
        """Drive the sweep to its end, or until another host's driver takes over."""
        wake = processes.open_wakeup_pipe()
        while self.lease.heartbeat():
            pause = self.flight.pause()
            try:
                self.flight.queue_here()
                self._begin()
                if self._round():
                    return
            except (OSError, WorkspaceException, HostUnreachable) as error:
                self.journal.close()
                self.log.say(f"waiting: {error}")
                pause = PAUSE  # e.g. a full disk
            processes.sleep_until_wakeup(wake, pause)
        self.log.say("stopping this driver: another host has taken over")

    def _begin(self) -> None:
        """Open the attempt: read its number, start time and the current limits."""
        self.attempt = (run_folder.attempts(self.folder) or [1])[-1]
        place = Path(results.attempt_folder(str(self.folder), self.attempt))
        begun = files.read_json(str(place / "begun.json"))
        if begun is None:
            place.mkdir(parents=True, exist_ok=True)
            begun = {"t": time.time()}
            files.publish(str(place / "begun.json"), files.to_json(begun))
            later_writer(self.folder, "driver").write("state", state=states.RUNNING)
        self.began = float(begun["t"])
        self.changes, self.limits = record.limits(self.folder, self.sweep)

    def _round(self) -> bool:
        """Poll, stop and start runs; True if the sweep has ended."""
        over = self.flight.look()
        if not termination.all_fail(self):
            self.launching.retry()
        for child in over:
            self.points.ended(child)
        termination.tell_of_first(self, over)
        self.ending = self.ending or termination.at_once(self)
        if self.ending is not None:
            self.flight.stop_all(self.ending.reason.partition("\n")[0])
        elif termination.may_go_on(self):
            while self._fill():
                pass  # until there is no capacity left
        if self.flight.live:
            return False
        ending = self.ending or termination.when_idle(self)
        return ending is not None and self._end(ending)

    def _fill(self) -> bool:
        """Start journaled points that were never submitted, then new ones; False if none."""
        if not self.lease.heartbeat():
            return False
        waiting = self.flight.unsubmitted()
        room = self._room() + len(waiting)
        while len(waiting) < room and self.journal.next_number < self.limits.max_total_runs:
            child = self.points.next()
            if child is None:
                self.exhausted = True
                break
            self.journal.add(child)
            self.flight.live[child.number] = child
            self.points.written(child)
            waiting.append(child)
        if waiting:
            self._submit(waiting)
        return bool(waiting) and self.ending is None

    def _room(self) -> int:
        """The number of runs that may be started now.

        On this machine a few more than there are slots, so that the next one starts at once but
        its point is chosen late. Elsewhere the limit of active runs, less with Bayesian sampling,
        which learns from runs that ended.
        """
        room = self.limits.at_once - len(self.flight.live)
        if compute_targets.engine_of(self.template.target).traits.is_local:
            ahead = 1 if self.points.is_advised else AHEAD
            return min(room, ahead - self.flight.not_begun())
        if self.points.is_advised and self.limits.max_concurrent_runs is None:
            return min(room, ADVISED - len(self.flight.live))
        return room

    def _submit(self, found: list[Any]) -> None:
        jobs = [self._job_of(child) for child in found]
        for child in found:
            words = " ".join(children.arguments_of(child.parameters))
            self.log.say(f"submitting {child.id}: {words}")
        try:
            self.launching.start(found, jobs)
        except (WorkspaceException, HostUnreachable):
            raise
        except ScriptrunError as error:
            self.ending = termination.Ending(states.FAILED, f"cannot submit runs: {error}")

    def _job_of(self, child: Any) -> Any:
        outputs = None
        if child.source:
            outputs = outputs_of(self.workspace, child.source, self.template.target)
        return children.job_of(self.template, self.job, child, outputs)

    def _end(self, ending: termination.Ending) -> bool:
        """Publish the sweep's result; False if it was extended in the meantime."""
        if record.limits(self.folder, self.sweep)[0] != self.changes:
            return False
        termination.leave_word(self, ending)
        value = results.result(ending.state, ending.reason, began=self.began, by="driver", node=0)
        results.publish(str(self.folder), self.attempt, value)
        run_folder.touch(self.folder)
        self.log.say(
            f"{self.job.id} is {ending.state}" + (f": {ending.reason}" if ending.reason else "")
        )
        if record.limits(self.folder, self.sweep)[0] != self.changes and not self.ending:
            record.open_attempt(self.folder, self.attempt)
            return False
        self.journal.close()
        return True
