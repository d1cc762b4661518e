"""Supervise processes: exits, cancellation, the time limit (Python 3.8+)."""

import os
import select
import signal
import time

from .. import files, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from resource import struct_rusage
    from typing import Optional, Tuple, Union

    from scriptrun.runtime.hints import Usage
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.multinode.peers import Peers

    #: the process that failed (its pid, or a task below mpirun), and its wait status
    Failure = Tuple[Union[int, Task], int]


#: seconds between checks for a cancellation request, and between heartbeats
POLL_SECONDS, HEARTBEAT_SECONDS = 0.2, 20.0

#: one entry for each SIGTERM since ``handle_sigterm``
_stop_signals: "list[bool]" = []


def handle_sigterm() -> None:
    """From now on, treat SIGTERM as a request to stop the ranks."""
    signal.signal(signal.SIGTERM, lambda *_: _stop_signals.append(True))


def stop_requested() -> bool:
    """Whether SIGTERM has arrived since ``handle_sigterm``."""
    return bool(_stop_signals)


TOO_LONG = "exceeded max_run_duration_seconds="


class ExitSummary:
    """How the supervised processes ended.

    ``status`` is the wait status of the first that failed, else of the last (None: there were
    none). ``failed`` is the pid or task that failed by itself, ``failed_at`` the time of the
    failure or stop (seconds since 1970). ``stop_reason`` says why they were stopped, or is "".
    ``usage`` is the total. ``starved``: the failed rank itself reported running out of memory.
    """

    def __init__(
        self,
        status: "int | None",
        usage: "Usage",
        stop_reason: str = "",
        canceled: bool = False,
        failed: "int | Task | None" = None,
        failed_at: "float | None" = None,
    ) -> None:
        self.status, self.usage, self.stop_reason, self.canceled = (
            status,
            usage,
            stop_reason,
            canceled,
        )
        self.failed, self.failed_at = failed, failed_at
        self.starved = getattr(failed, "starved", False)

    @property
    def exit_code(self) -> "int | None":
        """The exit code, or None if killed by a signal."""
        if self.status is None:
            return 0
        return os.WEXITSTATUS(self.status) if os.WIFEXITED(self.status) else None

    @property
    def signal(self) -> "str | None":
        """The name of the signal that killed it, or None."""
        if self.status is None or not os.WIFSIGNALED(self.status):
            return None
        return processes.signal_name(os.WTERMSIG(self.status))


class Supervisor:
    """Supervises processes: if one fails, the others are stopped.

    ``limit`` and ``grace`` are seconds of the monotonic clock, so clock changes do not matter.
    The existence of ``cancel_path`` requests cancellation; ``heartbeat_path`` is written regularly.
    """

    #: the job's other nodes, if any
    peers: "Optional[Peers]" = None
    #: pids of servers, which are stopped once all other processes of the job have ended
    servers: "frozenset[int]" = frozenset()
    #: called before the time limit stops the processes
    on_limit: "Optional[Callable[[list[int]], object]]" = None
    #: when (monotonic) to call ``on_limit`` without stopping anything
    peek_at: "Optional[float]" = None
    #: called when SIGTERM arrives, before the processes are stopped
    on_stop_signal: "Optional[Callable[[list[int]], object]]" = None
    #: called to stop the processes, instead of SIGTERM to each process group
    terminate: "Optional[Callable[[list[int]], object]]" = None
    #: finds a failure among ranks below the processes; its argument says whether the processes
    #: have ended
    find_failure: "Optional[Callable[[bool], Failure | None]]" = None
    #: seconds before the limit at which the processes get SIGTERM, to save and exit
    warn = 0.0
    #: whether ranks below the processes are still alive after the processes have ended
    ranks_alive: "Optional[Callable[[], bool]]" = None
    #: the stop reason if SIGTERM arrives; "" ignores SIGTERM
    on_term = ""
    #: translates the wait status of a process that wraps another: (pid, status) to status
    translate_status: "Optional[Callable[[int, int], int]]" = None
    #: why the processes can no longer be supervised; "" while they can
    find_problem: "Optional[Callable[[], str]]" = None

    def __init__(
        self,
        pids: "list[int]",
        limit: "float | None",
        grace: float,
        cancel_path: str,
        heartbeat_path: str,
    ) -> None:
        self.running, self.limit, self.grace = list(pids), limit, grace
        self.cancel_path, self.heartbeat_path = cancel_path, heartbeat_path
        self.started = time.monotonic()
        self.stop_reason, self.canceled = "", False
        self.kill_at: "float | None" = None
        self._first_failure: "Failure | None" = None
        self._last_status: "int | None" = None
        self._failed_at: "float | None" = None
        self._usage: "Usage" = {"user_seconds": 0.0, "system_seconds": 0.0, "peak_memory_kb": 0}
        self._heartbeats, self._next_heartbeat = 0, self.started + HEARTBEAT_SECONDS
        self._released = False
        self._wake = processes.open_wakeup_pipe()
        self._deaths = _DeathOrder(self.running) if len(self.running) > 1 else None

    def wait(self) -> "ExitSummary":
        """Wait until all processes have ended, and return an ExitSummary."""
        while self.running or self._must_wait():
            exits = self._reap()
            for pid, status, usage in exits:
                self._record_exit(pid, status, usage)
            if not exits:
                self._reap_orphans()
                self._check()
                processes.sleep_until_wakeup(self._wake, POLL_SECONDS)
        if self._first_failure and self.find_failure is not None:
            self._first_failure = self.find_failure(True) or self._first_failure  # known now?
        failed, last = self._first_failure or (None, self._last_status)
        canceled = self.canceled or self._was_canceled_by_script()
        return ExitSummary(last, self._usage, self.stop_reason, canceled, failed, self._failed_at)

    def _was_canceled_by_script(self) -> bool:
        """Whether a script called ``run.cancel()``, and the processes ended before it was seen."""
        return bool((files.read_object(self.cancel_path) or {}).get("by"))

    def _must_wait(self) -> bool:
        """Whether to keep waiting without processes: for ranks below them, or for other nodes."""
        if self.ranks_alive is not None and self.ranks_alive():
            return True
        return self.peers is not None and self.kill_at is None and self.peers.must_wait()

    def _reap(self) -> "list[tuple[int, int, struct_rusage]]":
        """(pid, status, usage) of processes that have ended, in order of death."""
        exits = []
        for pid in self.running if self._deaths is None else self._deaths.candidates(self.running):
            ended_pid, status, usage = os.wait4(pid, os.WNOHANG)
            if ended_pid and self.translate_status is not None:
                status = self.translate_status(pid, status)
            if ended_pid:
                exits.append((pid, status, usage))
        return exits

    def _record_exit(self, pid: int, status: int, usage: "struct_rusage") -> None:
        self.running.remove(pid)
        self._usage["user_seconds"] = round(self._usage["user_seconds"] + usage.ru_utime, 3)
        self._usage["system_seconds"] = round(self._usage["system_seconds"] + usage.ru_stime, 3)
        self._usage["peak_memory_kb"] = max(self._usage["peak_memory_kb"], usage.ru_maxrss)
        if self.kill_at is not None:
            self._last_status = status
        elif status and not (self._released and pid in self.servers):
            self._record_failure(pid, status)
        elif pid not in self.servers or self._last_status is None:
            self._last_status = 0 if self._released else status

    def _record_failure(self, pid: int, status: int) -> None:
        failure = self.find_failure(True) if self.find_failure is not None else None
        self._first_failure, self._failed_at = failure or (pid, status), time.time()
        if self.running or (self.ranks_alive is not None and self.ranks_alive()):
            self._stop(time.monotonic(), "")

    def _reap_orphans(self) -> None:
        """Reap adopted orphans, and no supervised process."""
        while hasattr(os, "waitid"):  # not on macOS, which has no subreapers
            try:
                child = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if child is None or child.si_pid in self.running:
                return
            os.waitpid(child.si_pid, 0)

    def _check(self) -> None:
        now = time.monotonic()
        if now >= self._next_heartbeat:
            self._heartbeat(now)
        if self.peek_at is not None and now >= self.peek_at:
            self.peek_at = None
            if self.on_limit is not None:
                self.on_limit(self.running)
        if self.kill_at is not None:
            if now >= self.kill_at:
                processes.end_descendants(signal.SIGKILL, self.running)
                self.kill_at = now + 1.0
        elif os.path.lexists(self.cancel_path):
            self.canceled = True
            self._stop(now, "")
        elif self.limit is not None and now - self.started >= self.limit - self.warn:
            if self.on_limit is not None:
                self.on_limit(self.running)
            kill_at = self._stop(time.monotonic(), TOO_LONG + "{:g}".format(self.limit))
            self.kill_at = kill_at + max(0.0, self.warn - self.grace)
        elif _stop_signals and self.on_term:
            if self.on_stop_signal is not None:
                self.on_stop_signal(self.running)
            self._stop(time.monotonic(), self.on_term)
        else:
            self._check_ranks_and_peers(now)

    def _check_ranks_and_peers(self, now: float) -> None:
        """Check the ranks below the processes, and the job's other nodes."""
        failure = self.find_failure(False) if self.find_failure is not None else None
        problem = self.find_problem() if self.find_problem is not None else ""
        if failure is not None:
            self._first_failure, self._failed_at = failure, time.time()
            self._stop(now, "")
        elif problem:
            self._stop(now, problem)
        elif self.peers is not None:
            peer_problem = self.peers.find_problem()
            if peer_problem:
                self._stop(now, peer_problem)
                self._failed_at = None  # the cause is elsewhere
                return
        if self.servers and not self._released and self.servers.issuperset(self.running):
            if self.peers is None or self.peers.all_idle():
                self._released = True
                self._terminate()

    def _stop(self, now: float, reason: str) -> float:
        """Stop the processes because of ``reason``; return when they are killed."""
        self.stop_reason = reason
        self._failed_at = self._failed_at or time.time()
        self.kill_at = kill_at = now + self.grace
        self._terminate()
        return kill_at

    def _terminate(self) -> None:
        if self.terminate is not None:
            self.terminate(self.running)
            return
        for pid in self.running:
            processes.end_group(pid, signal.SIGTERM)

    def _heartbeat(self, now: float) -> None:
        self._heartbeats += 1
        self._next_heartbeat = now + HEARTBEAT_SECONDS
        try:
            files.write_atomic(self.heartbeat_path, str(self._heartbeats).encode(), durable=False)
        except OSError:
            pass  # a full disk: the next one may succeed


class _DeathOrder:
    """The order in which processes died, from the kernel's event queue (Linux)."""

    def __init__(self, pids: "list[int]") -> None:
        self._pid_by_handle: "dict[int, int]" = {}
        self._poll: "select.epoll | None" = None
        try:
            self._poll = select.epoll()
            for pid in pids:
                handle = os.pidfd_open(pid)
                self._pid_by_handle[handle] = pid
                self._poll.register(handle, select.EPOLLIN)
        except (AttributeError, OSError):  # macOS, an old kernel, Python 3.8
            self._poll = None

    def candidates(self, running: "list[int]") -> "list[int]":
        """Those of ``running`` that may have ended, in order of death."""
        if self._poll is None:
            return list(running)
        dead = []
        for handle, _ in self._poll.poll(0):
            dead.append(self._pid_by_handle.pop(handle))
            self._poll.unregister(handle)
            os.close(handle)
        return dead
