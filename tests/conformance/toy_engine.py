"""A small engine whose node shares no files with the workspace: a thread for each job.

The node is a directory of its own (``node``). The engine puts a job's files there by
`scriptrun.engines.staging`, starts a launcher on them, and gives the run's files back by ``home``.
"""

from __future__ import annotations

import io
import shutil
import threading
from pathlib import Path

from scriptrun.engines import launchers, staging
from scriptrun.engines.base import ALIVE, WAITING, NoRoom, Traits, View, check_options
from scriptrun.engines.checks import guarded
from scriptrun.engines.local import requirements
from scriptrun.spec.errors import ExperimentExecutionException
from scriptrun.spec.values import Value
from scriptrun.store.locks import flocks
from scriptrun.tracking import mirror
from scriptrun.tracking.run_files import FolderFiles


class Toy(Value):
    """A directory as the compute target; ``max_runs`` jobs run there at once (default: any)."""

    name: str = "toy"
    node: str = ""
    max_runs: int | None = None

    @property
    def traits(self):
        return Traits(here=False, shared_files=False)

    def check(self, job):
        reasons = [] if self.node else [f"{self.name!r} needs node=, the node's directory"]
        if job.environment.container:
            reasons.append(f"{self.name!r} runs no containers")
        if job.retry.limit:
            reasons.append(f"{self.name!r} does not start a failed run again")
        return reasons + requirements.problems(job)

    def render(self, job, folder):
        line = job.command or " ".join(["python", job.script or "", *job.arguments])
        names = ", ".join(sorted({*job.variables, *job.passed})) or "inherited only"
        return f"in {self._on_node(folder)}:\n  {line}\n  variables: {names}"

    def submit(self, job, order):
        with self._locked():
            if self._view(order.folder).state == WAITING:
                if self.max_runs is not None and len(self.running()) >= self.max_runs:
                    raise NoRoom(f"{self.max_runs} jobs run in {self.node}")
                self._start(job, order)
        if order.ticket:
            order.ticket.unlink(missing_ok=True)
        return job.id

    def _start(self, job, order):
        parcel = io.BytesIO()
        staging.pack(parcel, staging.parts(job, order))
        parcel.seek(0)
        staging.unpack(parcel, self.node)
        launch = staging.launch_order(job, order, self.node)
        launch = launch.replace(rehearsal=launch.nodes > 1)
        claimed = Path(launch.folder, "attempts", str(launch.attempt), "node-0.start.json")
        thread = _Launcher(launch)
        thread.start()
        while not claimed.exists():
            if thread.ended.wait(0.01) and not claimed.exists():
                raise ExperimentExecutionException(f"Cannot start {job.id}: {thread.error}.")

    def submit_together(self, pairs):
        return []

    def poll(self, folders, poll_round=None):
        return [self._view(folder) for folder in folders]

    def _view(self, folder):
        view = launchers.view(self._on_node(folder))
        return view if view.state == WAITING else View(view.state, view.evidence, submitted=True)

    def cancel(self, folder):
        with self._locked():
            self.home(folder).send("cancel.json", (folder / "cancel.json").read_bytes())

    def clean(self, folder):
        launchers.clear(self._on_node(folder))
        mirror.refresh(folder, self.home(folder))
        shutil.rmtree(self._on_node(folder), ignore_errors=True)

    def home(self, folder):
        return FolderFiles(self._on_node(folder))

    def job_ids(self, folder):
        return []

    def interpreter(self):
        return None

    def diagnose(self, site):
        return guarded("options", lambda: [check_options(self)])

    def running(self):
        """The folders of the runs that are alive on the node."""
        folders = Path(self.node).glob(".scriptrun/runs/*/*")
        return [folder for folder in folders if launchers.view(folder).state == ALIVE]

    def _on_node(self, folder):
        return Path(self.node, ".scriptrun", "runs", folder.parent.name, folder.name)

    def _locked(self):
        return flocks.flock(Path(self.node, "lock"))


class _Launcher(threading.Thread):
    """Starts one launcher on the node, and reaps it."""

    def __init__(self, order):
        super().__init__(daemon=True)
        self.order, self.ended, self.error = order, threading.Event(), "its launcher ended at once"

    def run(self):
        try:
            launchers.start(self.order, self.order.runtime).wait()
        except OSError as error:
            self.error = error.strerror
        finally:
            self.ended.set()
