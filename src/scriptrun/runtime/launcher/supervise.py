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
LOOK, BEAT = 0.2, 20.0

#: one entry for each SIGTERM since ``handle_sigterm``
_asked: "list[bool]" = []


def listen() -> None:
    """From now on, treat SIGTERM as a request to stop the ranks."""
    signal.signal(signal.SIGTERM, lambda *_: _asked.append(True))


def asked() -> bool:
    """Whether SIGTERM has arrived since ``handle_sigterm``."""
    return bool(_asked)


TOO_LONG = "exceeded max_run_duration_seconds="


class Ending:
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
        stopped: str = "",
        canceled: bool = False,
        failed: "int | Task | None" = None,
        at: "float | None" = None,
    ) -> None:
        self.status, self.usage, self.stopped, self.canceled = status, usage, stopped, canceled
        self.failed, self.at = failed, at
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


class Watch:
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
    on_told: "Optional[Callable[[list[int]], object]]" = None
    #: called to stop the processes, instead of SIGTERM to each process group
    terminate: "Optional[Callable[[list[int]], object]]" = None
    #: finds a failure among ranks below the processes; its argument says whether the processes
    #: have ended
    inside: "Optional[Callable[[bool], Failure | None]]" = None
    #: seconds before the limit at which the processes get SIGTERM, to save and exit
    warn = 0.0
    #: whether ranks below the processes are still alive after the processes have ended
    below: "Optional[Callable[[], bool]]" = None
    #: the stop reason if SIGTERM arrives; "" ignores SIGTERM
    on_term = ""
    #: translates the wait status of a process that wraps another: (pid, status) to status
    translate: "Optional[Callable[[int, int], int]]" = None
    #: why the processes can no longer be supervised; "" while they can
    troubled: "Optional[Callable[[], str]]" = None

    def __init__(
        self, pids: "list[int]", limit: "float | None", grace: float, cancel: str, beat: str
    ) -> None:
        self.living, self.limit, self.grace = list(pids), limit, grace
        self.cancel, self.beat = cancel, beat
        self.started = time.monotonic()
        self.stopped, self.canceled = "", False
        self.kill_at: "float | None" = None
        self._first: "Failure | None" = None
        self._last: "int | None" = None
        self._at: "float | None" = None
        self._usage: "Usage" = {"user_seconds": 0.0, "system_seconds": 0.0, "peak_memory_kb": 0}
        self._beats, self._next_beat = 0, self.started + BEAT
        self._released = False
        self._wake = processes.waker()
        self._deaths = _Deaths(self.living) if len(self.living) > 1 else None

    def wait(self) -> "Ending":
        """Wait until all processes have ended, and return an ExitSummary."""
        while self.living or self._held():
            ended = self._ended()
            for pid, status, usage in ended:
                self._note(pid, status, usage)
            if not ended:
                self._reap_orphans()
                self._look()
                processes.doze(self._wake, LOOK)
        if self._first and self.inside is not None:
            self._first = self.inside(True) or self._first  # known now?
        failed, last = self._first or (None, self._last)
        return Ending(last, self._usage, self.stopped, self.canceled, failed, self._at)

    def _held(self) -> bool:
        """Whether to keep waiting without processes: for ranks below them, or for other nodes."""
        if self.below is not None and self.below():
            return True
        return self.peers is not None and self.kill_at is None and self.peers.held()

    def _ended(self) -> "list[tuple[int, int, struct_rusage]]":
        """(pid, status, usage) of processes that have ended, in order of death."""
        found = []
        for pid in self.living if self._deaths is None else self._deaths.seen(self.living):
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended and self.translate is not None:
                status = self.translate(pid, status)
            if ended:
                found.append((pid, status, usage))
        return found

    def _note(self, pid: int, status: int, usage: "struct_rusage") -> None:
        self.living.remove(pid)
        self._usage["user_seconds"] = round(self._usage["user_seconds"] + usage.ru_utime, 3)
        self._usage["system_seconds"] = round(self._usage["system_seconds"] + usage.ru_stime, 3)
        self._usage["peak_memory_kb"] = max(self._usage["peak_memory_kb"], usage.ru_maxrss)
        if self.kill_at is not None:
            self._last = status
        elif status and not (self._released and pid in self.servers):
            self._fail(pid, status)
        elif pid not in self.servers or self._last is None:
            self._last = 0 if self._released else status

    def _fail(self, pid: int, status: int) -> None:
        seen = self.inside(True) if self.inside is not None else None
        self._first, self._at = seen or (pid, status), time.time()
        if self.living or (self.below is not None and self.below()):
            self._stop(time.monotonic(), "")

    def _reap_orphans(self) -> None:
        """Reap adopted orphans, and no supervised process."""
        while hasattr(os, "waitid"):  # not on macOS, which has no subreapers
            try:
                seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if seen is None or seen.si_pid in self.living:
                return
            os.waitpid(seen.si_pid, 0)

    def _look(self) -> None:
        now = time.monotonic()
        if now >= self._next_beat:
            self._heartbeat(now)
        if self.peek_at is not None and now >= self.peek_at:
            self.peek_at = None
            if self.on_limit is not None:
                self.on_limit(self.living)
        if self.kill_at is not None:
            if now >= self.kill_at:
                processes.end_descendants(signal.SIGKILL, self.living)
                self.kill_at = now + 1.0
        elif os.path.exists(self.cancel):
            self.canceled = True
            self._stop(now, "")
        elif self.limit is not None and now - self.started >= self.limit - self.warn:
            if self.on_limit is not None:
                self.on_limit(self.living)
            kill_at = self._stop(time.monotonic(), TOO_LONG + "{:g}".format(self.limit))
            self.kill_at = kill_at + max(0.0, self.warn - self.grace)
        elif _asked and self.on_term:
            if self.on_told is not None:
                self.on_told(self.living)
            self._stop(time.monotonic(), self.on_term)
        else:
            self._look_around(now)

    def _look_around(self, now: float) -> None:
        """Check the ranks below the processes, and the job's other nodes."""
        failed = self.inside(False) if self.inside is not None else None
        lost = self.troubled() if self.troubled is not None else ""
        if failed is not None:
            self._first, self._at = failed, time.time()
            self._stop(now, "")
        elif lost:
            self._stop(now, lost)
        elif self.peers is not None:
            trouble = self.peers.look()
            if trouble:
                self._stop(now, trouble)
                self._at = None  # the cause is elsewhere
                return
        if self.servers and not self._released and self.servers.issuperset(self.living):
            if self.peers is None or self.peers.all_idle():
                self._released = True
                self._terminate()

    def _stop(self, now: float, why: str) -> float:
        """Stop the processes because of ``why``; return when they are killed."""
        self.stopped = why
        self._at = self._at or time.time()
        self.kill_at = kill_at = now + self.grace
        self._terminate()
        return kill_at

    def _terminate(self) -> None:
        if self.terminate is not None:
            self.terminate(self.living)
            return
        for pid in self.living:
            processes.end_group(pid, signal.SIGTERM)

    def _heartbeat(self, now: float) -> None:
        self._beats += 1
        self._next_beat = now + BEAT
        try:
            files.write_atomic(self.beat, str(self._beats).encode())
        except OSError:
            pass  # a full disk: the next one may succeed


class _Deaths:
    """The order in which processes died, from the kernel's event queue (Linux)."""

    def __init__(self, pids: "list[int]") -> None:
        self._pids: "dict[int, int]" = {}
        self._poll: "select.epoll | None" = None
        try:
            self._poll = select.epoll()
            for pid in pids:
                handle = os.pidfd_open(pid)
                self._pids[handle] = pid
                self._poll.register(handle, select.EPOLLIN)
        except (AttributeError, OSError):  # macOS, an old kernel, Python 3.8
            self._poll = None

    def seen(self, living: "list[int]") -> "list[int]":
        """Those of ``living`` that may have ended, in order of death."""
        if self._poll is None:
            return list(living)
        found = []
        for handle, _ in self._poll.poll(0):
            found.append(self._pids.pop(handle))
            self._poll.unregister(handle)
            os.close(handle)
        return found
