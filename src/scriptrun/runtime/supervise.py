"""Watching over one process: its end, the request to cancel, its time limit (Python 3.8+)."""

import os
import signal
import time

from . import files, processes

#: seconds between two looks for a request to cancel, and between two heartbeats
LOOK, BEAT = 0.2, 20.0


class Ending:
    """How a process came to end: its wait status, what stopped it ("" or a sentence), its usage."""

    def __init__(self, status, usage, stopped="", canceled=False):
        self.status, self.usage, self.stopped, self.canceled = status, usage, stopped, canceled

    @property
    def exit_code(self):
        """The exit code, or None for a death by signal."""
        return os.WEXITSTATUS(self.status) if os.WIFEXITED(self.status) else None

    @property
    def signal(self):
        """The name of the signal that ended it, or None."""
        if not os.WIFSIGNALED(self.status):
            return None
        return processes.signal_name(os.WTERMSIG(self.status))


class Watch:
    """One process under supervision.

    ``limit`` and ``grace`` are seconds of the monotonic clock (a clock that jumps changes
    nothing); ``cancel`` is the path whose existence asks to cancel; ``beat`` that of the heartbeat.
    """

    def __init__(self, pid, limit, grace, cancel, beat):
        self.pid, self.limit, self.grace = pid, limit, grace
        self.cancel, self.beat = cancel, beat
        self.started = time.monotonic()
        self.stopped, self.canceled, self.kill_at = "", False, None
        self._beats, self._next_beat = 0, self.started + BEAT
        self._wake = processes.waker()

    def wait(self):
        """Wait for the process's end, whatever it takes, and return its Ending."""
        while True:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                return Ending(status, _usage(usage), self.stopped, self.canceled)
            self._reap_orphans()
            self._look()
            self._sleep()

    def _sleep(self):
        processes.doze(self._wake, LOOK)

    def _reap_orphans(self):
        """Take the status of adopted grandchildren, and of none other than them."""
        while hasattr(os, "waitid"):  # not on macOS, where no orphan comes to us
            try:
                seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if seen is None or seen.si_pid == self.pid:
                return
            os.waitpid(seen.si_pid, 0)

    def _look(self):
        now = time.monotonic()
        if now >= self._next_beat:
            self._heartbeat(now)
        if self.kill_at is not None:
            if now >= self.kill_at:
                processes.end_descendants(signal.SIGKILL, [self.pid])
                self.kill_at = now + 1.0
        elif os.path.exists(self.cancel):
            self.canceled = True
            self._stop(now, "")
        elif self.limit is not None and now - self.started >= self.limit:
            self._stop(now, "it ran longer than max_run_duration_seconds={:g}".format(self.limit))

    def _stop(self, now, why):
        self.stopped = why
        self.kill_at = now + self.grace
        processes.end_group(self.pid, signal.SIGTERM)

    def _heartbeat(self, now):
        self._beats += 1
        self._next_beat = now + BEAT
        try:
            files.write_atomic(self.beat, str(self._beats).encode())
        except OSError:
            pass  # a full disk: the next one may fit


def _usage(usage):
    return {
        "user_seconds": round(usage.ru_utime, 3),
        "system_seconds": round(usage.ru_stime, 3),
        "peak_memory_kb": usage.ru_maxrss,
    }
