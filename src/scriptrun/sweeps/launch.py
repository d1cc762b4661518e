"""Start the runs of a sweep: forked from its driver, as the runner does, or through the queue.

A run without a free slot is parked: it has a ticket, so that the runner can start it if this driver
dies, and is tried again whenever a run ends.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

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
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.job import JobSpec
from scriptrun.submission import batch, submit
from scriptrun.submission.submit import PendingRun
from scriptrun.sweeps import children, ensure_driver
from scriptrun.sweeps.journal import ChildRun, Journal
from scriptrun.tracking import run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: seconds for which a checked environment is not checked again
FRESH_SECONDS = 1.0


class RunStarter:
    """Starts runs. ``guards`` are the processes that this one forked, with the runs' numbers."""

    def __init__(self, workspace: Workspace, run_id: str, journal: Journal, forks: bool) -> None:
        self.workspace, self.journal, self.forks = workspace, journal, forks
        self.parked: dict[int, PendingRun] = {}
        self.guards: dict[int, int] = {}
        self._ticket_part = f"-{run_id}_"
        self._wake = ensure_driver.worker(workspace, run_id).wake()
        self._lockfile: Json | None = None
        self._cached_environment: tuple[float, ReadyEnvironment | None] = (0.0, None)

    def start(self, new_children: Sequence[ChildRun], jobs: Sequence[JobSpec]) -> None:
        """Record the runs and start or queue them, as one array job if possible."""
        if self._lockfile is None and jobs and jobs[0].environment.kind != INTERPRETER:
            self._lockfile = self._existing_lockfile()
        queued = []
        for child, job in zip(new_children, jobs, strict=True):
            children.remove_partial(self.workspace, job)
            remote_runs = remote.for_target(job.target)
            if remote_runs is not None:
                remote_runs.submit(job, self.workspace, [], self._lockfile, repeats=True)
                continue
            written_run = submit.create_run(
                job, self.workspace, [], self._lockfile, self._find_environment(job)
            )
            if self.forks and compute_targets.engine_of(job.target).traits.here:
                tickets.sync(written_run.ticket.path)
                self.parked[child.number] = written_run
            else:
                queued.append(written_run)
        batch.start(self.workspace, queued)
        self.start_parked()

    def requeue_locally(self, child: ChildRun) -> None:
        """Queue a run on this host that waited on another host, which is gone.

        If that host returns, only one of the two can claim the run's first attempt.
        """
        queue = tickets.queue_of(self.workspace.id)
        folder = child.folder(self.workspace.runs_folder)
        if tickets.find(queue, child.id) is None and not run_folder.attempts(folder):
            tickets.write(queue, folder, dict(os.environ))
            workers.ensure_runner(self.workspace)

    def start_parked(self) -> None:
        """Start parked runs in order, as long as the machine has free slots."""
        if not self.parked:
            return
        ticket_names = tickets.names(tickets.queue_of(self.workspace.id))
        next_other = next(
            (name for name in ticket_names if not name[20:].startswith(self._ticket_part)), "~"
        )
        for number, run in sorted(self.parked.items()):
            if run.ready is None or next_other < run.ticket.path.name:
                # the runner builds a missing environment, and keeps the order
                workers.ensure_runner(self.workspace)
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
        order = start_run.make_order(self.workspace, run.job, run.folder, run.ready, run.ticket)
        order.wake = self._wake
        try:
            environment_record.write_lockfile(run.folder, run.ready)
            compute_targets.engine_of(run.job.target).submit(run.job, order)
        except (NoRoom, OSError):
            return False
        for pid in entry.forked - before:
            self.guards[pid] = number
        return True

    def _find_environment(self, job: JobSpec) -> ReadyEnvironment | None:
        """The runs' environment; a recent check of it is reused."""
        checked_at, ready = self._cached_environment
        if ready is None or time.monotonic() - checked_at > FRESH_SECONDS:
            checked_at = time.monotonic()
            cache = resolve_environment.cache_folder_of(job.target, self.workspace)
            ready = find(job.environment, self.workspace.locks_folder, self._lockfile, cache)
            self._cached_environment = (checked_at, ready)
        return ready

    def _existing_lockfile(self) -> Json | None:
        """The lockfile of the sweep's environment, if one of its runs has it already."""
        for child in self.journal.children.values():
            folder = child.folder(Path(self.workspace.runs_folder))
            with contextlib.suppress(EnvironmentException):  # a damaged one: another run has it too
                lockfile = environment_record.read_lockfile(folder)
                if lockfile is not None:
                    return lockfile
        return None
