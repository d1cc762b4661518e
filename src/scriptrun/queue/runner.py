"""The runner: starts queued runs in order, on demand, and exits when none is left.

A lock file ensures one per workspace, host and user. It has one thread and forks the launchers. If
it is killed, the next one continues where it left off.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import time
from pathlib import Path

from scriptrun.engines.base import ALIVE, QUEUED, UNKNOWN, NoAnswer, NoRoom
from scriptrun.engines.local import engine as local_engine
from scriptrun.environments.builder import ReadyEnvironment
from scriptrun.environments.lookup import find
from scriptrun.preparation import environment_record, prepare_run
from scriptrun.preparation import resolve as resolve_environment
from scriptrun.queue import repair, tickets, wait_reasons, workers
from scriptrun.queue import start as start_run
from scriptrun.registry import compute_targets, copies
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runtime import identity, processes
from scriptrun.runtime.launcher import (
    entry,
    launcher,  # noqa: F401 (loaded once, before the forks)
)
from scriptrun.spec import states
from scriptrun.spec.digests import digest_of
from scriptrun.spec.environment import IMAGE
from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.job import JobSpec
from scriptrun.spec.run_kinds import RUN_KINDS, handler, run_kind
from scriptrun.spec.values import Value, fresh
from scriptrun.store import container_tool, dependents, job_runtime, paths
from scriptrun.store.locks import flocks
from scriptrun.tracking import run_folder, unstarted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: maximum number of concurrent environment builds, and of tries of a run that keeps being killed
BUILDERS, TRIES = 2, 3
#: seconds between checks of the queue, and after a write error
TICK, PAUSE = 0.2, 5.0
#: seconds in which a submitter in another PID namespace (a container), whose life cannot be seen
#: from here, publishes its run
SUBMITTING = 300.0
#: seconds for which a valid environment, and the runtime of jobs, are not checked again
FRESH_SECONDS = 1.0


def main(root: str) -> None:
    """Run the queue of the workspace in ``root`` until it is empty."""
    identity.set_process_name(processes.RUNNER)
    local_engine.allow_fork()
    workspace = WorkspaceFiles.reopen(root)
    _ensure_workers(workspace)
    queue = tickets.queue_of(workspace.id)
    make_forks_cheap()
    while tickets.names(queue) and copies.is_still_there(workspace):
        flock = flocks.try_flock(workers.runner(workspace).lock_path)
        if flock is None:
            return
        with flock:
            Runner(workspace, queue, flock).run()
        # check again: a run may have been queued while the lock was still held


def _ensure_workers(workspace: WorkspaceFiles) -> None:
    """Start the missing workers of run kinds that have their own."""
    for kind in RUN_KINDS.values():
        if kind.queue and os.path.isdir(paths.runtime_root() / kind.queue / workspace.id):
            handler(kind.ensure_workers)(workspace)


def make_forks_cheap() -> None:
    """Preload what every launcher needs, and keep garbage collection off shared pages."""
    try:
        processes.libc()
    except OSError:
        pass  # launchers work without it
    gc.freeze()


class _WaitingRun(Value):
    """A run that waits, as far as the runner knows it.

    ``line`` is where it waits: nobody in a line is started before those in front of them. It is
    None for a target that has its own queue, and for a run that needs no slot.
    """

    ticket: tickets.Ticket
    job: JobSpec
    digest: str
    lockfile: Json | None
    cache: Path | None = None
    line: str | None = ""


_CANNOT_START = "cannot be started yet: system_logs/launcher.txt says why; trying again"


class Runner(Value, frozen=False):
    """The state of the runner and the processes it has started."""

    workspace: WorkspaceFiles
    queue: Path
    flock: flocks.Flock
    loaded: dict[str, _WaitingRun] = fresh(default_factory=dict)
    launched: dict[int, str] = fresh(default_factory=dict)
    building: dict[str, tuple[int, _WaitingRun]] = fresh(default_factory=dict)
    tries: dict[str, int] = fresh(default_factory=dict)
    failed: dict[str, tuple[float, str]] = fresh(default_factory=dict)
    ready: dict[str, tuple[float, ReadyEnvironment | None]] = fresh(default_factory=dict)
    runtime: tuple[float, Path | None] = (0.0, None)
    #: when to retry a run whose cluster did not answer, and its error, by ticket name
    retry_at: dict[str, tuple[float, str]] = fresh(default_factory=dict)

    def run(self) -> None:
        """Start queued runs until none is left."""
        self._wake = processes.open_wakeup_pipe()
        self._reasons = wait_reasons.Reasons(self.queue)
        while True:
            names = tickets.names(self.queue)
            if not names and not self.building:
                wait_reasons.forget(self.queue)
                return
            if not copies.is_still_there(self.workspace):
                return  # moved, or deleted: the runner of its new place continues
            pause = TICK
            self._reasons.clear()
            try:
                self._start_waiting(names)
            except OSError as error:
                pause = PAUSE  # e.g. a full disk: runs stay queued
                problem = f"{error.filename or 'the queue'}: {error.strerror}"
                self._reasons.add(
                    wait_reasons.ALL, f"cannot be started yet ({problem}); trying again"
                )
            self._reasons.write()
            processes.sleep_until_wakeup(self._wake, pause)
            self._reap()

    def _start_waiting(self, names: list[str]) -> None:
        self._stop_canceled_builds()
        started = set(self.launched.values())
        missing: set[str] = set()
        full: set[str] = set()
        for name in names:
            if name in started:
                continue
            if time.monotonic() < self.retry_at.get(name, (0.0, ""))[0]:
                self._reasons.add(tickets.run_id_of(Path(name)), self.retry_at[name][1])
                continue
            try:
                self._advance(self.queue / name, missing, full)
            except OSError:
                raise
            except Exception as error:  # a damaged file, or a bug: the others still start
                repair.end_unstartable(self.workspace, self.queue / name, error)

    def _advance(self, path: Path, missing: set[str], full: set[str]) -> None:
        """Start one run, or what it waits for.

        ``missing`` are the environments that are not ready, ``full`` the lines that have no room.
        """
        item = self._load(path)
        if item is None or item.line in full:
            return
        attempts = run_folder.attempts(item.ticket.folder)
        if self._is_over(item, attempts):
            return
        environment = None if item.digest in missing else self._find(item)
        if environment is None:
            missing.add(item.digest)
            self._build(item)
            self._reasons.add(item.job.id, "waits for its environment to be built")
            return
        has_room = self._start(item, environment, (attempts or [0])[-1] + 1)
        if not has_room and item.line is not None:
            full.add(item.line)

    def _find(self, item: _WaitingRun) -> ReadyEnvironment | None:
        """The run's environment if it is ready; a recent check is reused."""
        checked_at, environment = self.ready.get(item.digest, (0.0, None))
        if environment is None or time.monotonic() - checked_at > FRESH_SECONDS:
            checked_at = time.monotonic()
            locks_folder = self.workspace.locks_folder
            environment = find(item.job.environment, locks_folder, item.lockfile, item.cache)
            self.ready[item.digest] = (checked_at, environment)
        return environment

    def _find_runtime(self) -> Path:
        """The folder of the jobs' runtime; a recent check is reused."""
        checked_at, folder = self.runtime
        if folder is None or time.monotonic() - checked_at > FRESH_SECONDS:
            checked_at, folder = time.monotonic(), job_runtime.install(self.workspace.directory)
            self.runtime = checked_at, folder
        return folder

    def _load(self, path: Path) -> _WaitingRun | None:
        if path.name in self.loaded:
            return self.loaded[path.name]
        ticket = tickets.read(path) or repair.renew_ticket(self.workspace, path)
        if ticket is None:
            return None
        if not ticket.folder.exists():
            folder = self.workspace.find_run(tickets.run_id_of(path))
            ticket = tickets.move(ticket, folder) if folder is not None else ticket
        job = run_folder.read_job(ticket.folder)
        if job is None:
            if copies.is_still_there(self.workspace):  # else the workspace was moved
                _drop_if_abandoned(ticket)
            return None
        try:
            lockfile = environment_record.read_lockfile(ticket.folder)
        except ScriptrunError as error:
            unstarted.end_failed(ticket.folder, error.message)
            tickets.drop(ticket.path)
            return None
        cache = resolve_environment.cache_folder_of(job.target, self.workspace)
        digest = (
            job.environment.digest() + (digest_of(lockfile) if lockfile else "") + str(cache or "")
        )
        self.loaded[path.name] = _WaitingRun(ticket, job, digest, lockfile, cache, _line_of(job))
        return self.loaded[path.name]

    def _is_over(self, item: _WaitingRun, attempts: list[int]) -> bool:
        """Whether the run has ended, or was deleted, canceled or claimed by a living launcher."""
        folder = item.ticket.folder
        if not run_folder.exists(folder):
            self.loaded.pop(item.ticket.path.name, None)
            if copies.is_still_there(self.workspace):  # else the workspace was moved
                tickets.drop(item.ticket.path)
            return True
        if attempts:
            if run_folder.read_result(folder) is not None:
                tickets.drop(item.ticket.path)
                return True
            view = compute_targets.engine_of(item.job.target).poll([folder])[0]
            if view.submitted:  # the submitter was killed before it removed the ticket
                tickets.drop(item.ticket.path)
            if view.submitted or view.state in (ALIVE, QUEUED, UNKNOWN):
                return True
            killed = [number for number in attempts if not run_folder.has_ended(folder, number)]
            if len(killed) >= TRIES:
                self._end(item, f"its launcher was killed {len(killed)} times before it started")
                return True
        if os.path.lexists(folder / "cancel.json"):
            self._end(item, "canceled before it started", states.CANCELED)
            return True
        return False

    def _end(self, item: _WaitingRun, reason: str, state: str = states.FAILED) -> None:
        if not copies.is_still_there(self.workspace):
            return  # moved: the run is not to blame
        unstarted.end_failed(item.ticket.folder, reason, state)
        tickets.drop(item.ticket.path)

    def _start(self, item: _WaitingRun, environment: ReadyEnvironment, attempt: int) -> bool:
        """Start the run; False if the machine is full."""
        folder, name = item.ticket.folder, item.ticket.path.name
        try:
            start_run.start(
                self.workspace,
                item.job,
                folder,
                environment,
                item.ticket,
                attempt,
                self._find_runtime(),
            )
        except NoRoom as full:
            self._reasons.add(item.job.id, str(full))
            return False
        except NoAnswer as error:
            reason = f"{error.message.rstrip('.')}; asking again"
            self.retry_at[name] = time.monotonic() + PAUSE, reason
            self._reasons.add(item.job.id, reason)
            return True
        except ScriptrunError as error:
            self._end(item, error.message)
            return True
        self.launched.update(dict.fromkeys(entry.forked, name))
        entry.forked.clear()
        return True

    def _build(self, item: _WaitingRun) -> None:
        if item.digest in self.building or len(self.building) >= BUILDERS:
            return
        failed = self.failed.get(item.digest)
        if failed is not None and item.ticket.path.name < f"{int(failed[0] * 1e9):020d}":
            self._end(item, failed[1])  # queued before its environment failed to build
            return
        self.tries[item.digest] = self.tries.get(item.digest, 0) + 1
        if self.tries[item.digest] > TRIES:
            self._end(item, f"the build of its environment was killed {TRIES} times")
            return
        self.building[item.digest] = (self._fork_builder(item), item)

    def _fork_builder(self, item: _WaitingRun) -> int:
        owner = identity.identify()
        pid = os.fork()
        if pid:
            _make_group_leader(pid)
            return pid
        code = 70
        try:
            _make_group_leader(0)
            dependents.end_with(owner)
            self.flock.close()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _adopt_environment(item.ticket.environ)
            code = prepare_run.prepare(self.workspace, item.job, item.ticket.folder)
        finally:
            os._exit(code)

    def _stop_canceled_builds(self) -> None:
        for digest, (pid, item) in list(self.building.items()):
            if os.path.lexists(item.ticket.folder / "cancel.json"):
                _kill_group(pid)
                os.waitpid(pid, 0)
                if item.job.environment.kind == IMAGE:
                    container_tool.end_builds(pid)
                del self.building[digest]
                self.tries.pop(digest, None)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self.launched.pop(pid, None)
            if name is not None:
                self.loaded.pop(name, None)
                if status and (self.queue / name).exists():  # it could not claim the run
                    self.retry_at[name] = time.monotonic() + PAUSE, _CANNOT_START
            self._record_build(pid, status)

    def _record_build(self, pid: int, status: int) -> None:
        for digest, (builder, item) in list(self.building.items()):
            if builder != pid:
                continue
            del self.building[digest]
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1:
                result = run_folder.read_result(item.ticket.folder) or {}
                self.failed[digest] = (time.time(), result.get("reason", ""))
                self.tries.pop(digest, None)
                tickets.drop(item.ticket.path)
            elif os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
                self.tries.pop(digest, None)


def _line_of(job: JobSpec) -> str | None:
    """The line in which runs of a target wait: one for this machine, one for each other target."""
    traits = compute_targets.engine_of(job.target).traits
    if traits.queues or not run_kind(job.kind).takes_slot:
        return None
    return "" if traits.here else job.target.name


def _make_group_leader(pid: int) -> None:
    """Make ``pid`` a group leader; parent and child both call this, to avoid a race."""
    try:
        os.setpgid(pid, pid)
    except OSError:
        pass


def _adopt_environment(environ: dict[str, str]) -> None:
    """Use the submitter's variables (proxies, package indexes) and our own SCRIPTRUN_* ones."""
    own_variables = {
        name: value for name, value in os.environ.items() if name.startswith("SCRIPTRUN_")
    }
    os.environ.clear()
    os.environ.update({**environ, **own_variables})


def _drop_if_abandoned(ticket: tickets.Ticket) -> None:
    """Drop the ticket of a run that was deleted, or whose submitter died before publishing it."""
    if run_folder.exists(ticket.folder):
        return
    if ticket.folder.exists() and _is_submitting(ticket):
        return
    tickets.drop(ticket.path)
    shutil.rmtree(ticket.folder, ignore_errors=True)


def _is_submitting(ticket: tickets.Ticket) -> bool:
    """Whether the submitter may still publish the run; one that cannot be seen has a while."""
    if identity.is_local(ticket.submitter):
        return identity.is_alive(ticket.submitter)
    return tickets.age(ticket.path) < SUBMITTING


def _kill_group(pid: int) -> None:
    """Kill a builder and its descendants; image build steps have their own process groups."""
    descendants = processes.descendants(pid)
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(pid, number)
        except (ProcessLookupError, PermissionError):
            break
        time.sleep(0.2)
    for child in descendants:
        processes.send(child, signal.SIGKILL)
