"""Watching over processes: their ends, the request to cancel, the time limit (Python 3.8+)."""

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

    #: what failed (a pid, or a task below the processes), and its wait status
    Failure = Tuple[Union[int, Task], int]


#: seconds between two looks for a request to cancel, and between two heartbeats
LOOK, BEAT = 0.2, 20.0

#: whether this process was asked to end by SIGTERM, once ``listen`` was called
_asked: "list[bool]" = []


def listen() -> None:
    """Take SIGTERM from here on as the wish that the ranks be stopped."""
    signal.signal(signal.SIGTERM, lambda *_: _asked.append(True))


def asked() -> bool:
    """Whether SIGTERM came since ``listen``."""
    return bool(_asked)


TOO_LONG = "exceeded max_run_duration_seconds="


class Ending:
    """How processes came to end.

    ``status`` is the wait status of the one that failed first, else of the last (None: there was
    none); ``failed`` is its pid and ``at`` the time (seconds since 1970) if it failed by itself.
    ``stopped`` is what stopped them ("" or a sentence), since ``at``; ``usage`` is that of all.
    ``starved``: the one that failed was ended for want of memory, as is known of it alone.
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
        """The exit code, or None for a death by signal."""
        if self.status is None:
            return 0
        return os.WEXITSTATUS(self.status) if os.WIFEXITED(self.status) else None

    @property
    def signal(self) -> "str | None":
        """The name of the signal that ended it, or None."""
        if self.status is None or not os.WIFSIGNALED(self.status):
            return None
        return processes.signal_name(os.WTERMSIG(self.status))


class Watch:
    """Processes under supervision: when one fails, the others are stopped at once.

    ``limit`` and ``grace`` are seconds of the monotonic clock (a clock that jumps changes
    nothing); ``cancel`` is the path whose existence asks to cancel; ``beat`` that of the heartbeat.
    """

    #: the job's other nodes (``peers.Peers``), where there are any
    peers: "Optional[Peers]" = None
    #: pids that end only when they are told to, once nothing else of the job lives
    servers: "frozenset[int]" = frozenset()
    #: called before what ran too long is stopped
    on_limit: "Optional[Callable[[list[int]], object]]" = None
    #: when (monotonic) that is called as well, though nothing is stopped then
    peek_at: "Optional[float]" = None
    #: called before SIGTERM's wish is heard
    on_told: "Optional[Callable[[list[int]], object]]" = None
    #: called instead of SIGTERM to each process's group
    terminate: "Optional[Callable[[list[int]], object]]" = None
    #: looks at what runs below the processes; gives what failed there, a value for ``failed``. It
    #: is told whether they have ended
    inside: "Optional[Callable[[bool], Failure | None]]" = None
    #: seconds before the limit at which what runs is told, by SIGTERM, to save and to end
    warn = 0.0
    #: whether what ran below the processes lives on when these have ended
    below: "Optional[Callable[[], bool]]" = None
    #: why SIGTERM asks to stop, where it does
    on_term = ""
    #: reads the wait status of a process that stands for another: (pid, status) to status
    translate: "Optional[Callable[[int, int], int]]" = None
    #: says why what runs can't be watched any more; "" while it can
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
        """Wait for all processes' ends, whatever it takes, and return their Ending."""
        while self.living or self._held():
            ended = self._ended()
            for pid, status, usage in ended:
                self._note(pid, status, usage)
            if not ended:
                self._reap_orphans()
                self._look()
                processes.doze(self._wake, LOOK)
        if self._first and self.inside is not None:
            self._first = self.inside(True) or self._first  # who of them it was may be known by now
        failed, last = self._first or (None, self._last)
        return Ending(last, self._usage, self.stopped, self.canceled, failed, self._at)

    def _held(self) -> bool:
        """Whether there is more to wait for: ranks below, or a node without processes is needed."""
        if self.below is not None and self.below():
            return True
        return self.peers is not None and self.kill_at is None and self.peers.held()

    def _ended(self) -> "list[tuple[int, int, struct_rusage]]":
        """(pid, status, usage) of what has ended since, in the order of the deaths."""
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
        """Take the status of adopted grandchildren, and of none other than them."""
        while hasattr(os, "waitid"):  # not on macOS, where no orphan comes to us
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
        """At what runs below the processes, and at the job's other nodes."""
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
        """Have them end, because of ``why``; gives when they are killed."""
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
            pass  # a full disk: the next one may fit


class _Deaths:
    """In which order processes died: the kernel queues what it reports in that order (Linux)."""

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
        """Those of ``living`` that may have ended, first death first."""
        if self._poll is None:
            return list(living)
        found = []
        for handle, _ in self._poll.poll(0):
            found.append(self._pids.pop(handle))
            self._poll.unregister(handle)
            os.close(handle)
        return found
