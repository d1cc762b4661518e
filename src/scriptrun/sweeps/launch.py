"""Start the runs of a sweep: forked from its driver, as the runner does, or through the queue.

A run without a free slot is parked: it has a ticket, so that the runner can start it if this driver
dies, and is tried again whenever a run ends.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scriptrun import remote
from scriptrun.core.workspace import Workspace
from scriptrun.engines.base import NoRoom
from scriptrun.environments.builder import ReadyEnvironment
from scriptrun.environments.lookup import find
from scriptrun.preparation import environment_record
from scriptrun.preparation import resolve as resolve_environment
from scriptrun.queue import start as start_run
from scriptrun.queue import tickets, workers
from scriptrun.registry import compute_targets
from scriptrun.runtime.launcher import entry
from scriptrun.spec.environment import INTERPRETER
from scriptrun.spec.job import JobSpec
from scriptrun.submission import batch, submit
from scriptrun.submission.submit import PendingRun
from scriptrun.sweeps import children, ensure_driver
from scriptrun.sweeps.journal import Child, Journal
from scriptrun.tracking import run_folder

#: seconds for which a checked environment is not checked again
FRESH = 1.0


class Launching:
    """Starts runs. ``guards`` are the processes that this one forked, with the runs' numbers."""

    def __init__(self, home: Workspace, run_id: str, journal: Journal, forks: bool) -> None:
        self.home, self.journal, self.forks = home, journal, forks
        self.parked: dict[int, PendingRun] = {}
        self.own: dict[int, int] = {}
        self._mine = f"-{run_id}_"
        self._wake = ensure_driver.worker(home, run_id).wake()
        self._lock: dict[str, Any] | None = None
        self._ready: tuple[float, ReadyEnvironment | None] = (0.0, None)

    def start(self, found: Sequence[Child], jobs: Sequence[JobSpec]) -> None:
        """Record the runs and start or queue them, as one array job if possible."""
        if self._lock is None and jobs and jobs[0].environment.kind != INTERPRETER:
            self._lock = self._settled_lock()
        written = []
        for child, job in zip(found, jobs, strict=True):
            children.clear(self.home, job)
            elsewhere = remote.for_target(job.target)
            if elsewhere is not None:
                elsewhere.submit(job, self.home, [], self._lock, repeats=True)
                continue
            run = submit.create_run(job, self.home, [], self._lock, self._found(job))
            if self.forks and compute_targets.engine_of(job.target).traits.is_local:
                self.parked[child.number] = run
            else:
                written.append(run)
        batch.start(self.home, written)
        self.retry()

    def queue_here(self, child: Child) -> None:
        """Queue a run on this host that waited on another host, which is gone.

        If that host returns, only one of the two can claim the run's first attempt.
        """
        queue = tickets.queue_of(self.home.id)
        folder = child.folder(self.home.runs_folder)
        if tickets.find(queue, child.id) is None and not run_folder.attempts(folder):
            tickets.write(queue, folder, dict(os.environ))
            workers.ensure_runner(self.home)

    def retry(self) -> None:
        """Start parked runs in order, as long as the machine has free slots."""
        if not self.parked:
            return
        waiting = tickets.names(tickets.queue_of(self.home.id))
        others = next((name for name in waiting if not name[20:].startswith(self._mine)), "~")
        for number, run in sorted(self.parked.items()):
            if run.ready is None or others < run.ticket.path.name:
                # the runner builds a missing environment, and keeps the order
                workers.ensure_runner(self.home)
                del self.parked[number]
            elif run_folder.read_result(run.folder) is not None:
                del self.parked[number]
            elif not self._fork(number, run):
                return
            else:
                del self.parked[number]

    def _fork(self, number: int, run: PendingRun) -> bool:
        assert run.ready is not None
        before = set(entry.forked)
        order = start_run.make_order(self.home, run.job, run.folder, run.ready, run.ticket)
        order.wake = self._wake
        try:
            environment_record.write_lockfile(run.folder, run.ready)
            compute_targets.engine_of(run.job.target).submit(run.job, order)
        except (NoRoom, OSError):
            return False
        for pid in entry.forked - before:
            self.own[pid] = number
        return True

    def _found(self, job: JobSpec) -> ReadyEnvironment | None:
        """The runs' environment; a recent check of it is reused."""
        when, ready = self._ready
        if ready is None or time.monotonic() - when > FRESH:
            when = time.monotonic()
            cache = resolve_environment.cache_folder_of(job.target, self.home)
            ready = find(job.environment, self.home.locks_folder, self._lock, cache)
            self._ready = (when, ready)
        return ready

    def _settled_lock(self) -> dict[str, Any] | None:
        """The lockfile of the sweep's environment, if one of its runs has it already."""
        for child in self.journal.children.values():
            lock = environment_record.read_lockfile(child.folder(Path(self.home.runs_folder)))
            if lock is not None:
                return lock
        return None
