"""One thread per process that writes logged metrics ten times a second (Python 3.6+).

It sleeps while nothing is logged. It stops before a fork (forking a process with threads is not
safe) and restarts with the next line, in the parent and in the child separately.
"""

import atexit
import functools
import os
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from scriptrun.runtime.injob.metrics.writer import MetricWriter


PERIOD = 0.1


class Beat:
    """Calls ``flush()`` of every registered writer while there is something to write.

    If ``idle``, a writer must call ``wake``. If ``write_directly``, no thread is available since
    the interpreter is shutting down, and a writer must write at once.
    """

    def __init__(self) -> None:
        self.writers: "dict[str, MetricWriter]" = {}
        self.direct = False
        self._hooked = False
        self._fresh()

    def _fresh(self) -> None:
        self.pid = os.getpid()
        self.idle = True
        self._pulse: "_Pulse | None" = None
        self._tokens = [1]  # taken by the one caller that may start the thread: pop() is atomic

    def after_fork(self) -> None:
        """Forget the parent's thread; does nothing in the same process."""
        if self.pid != os.getpid():
            self._fresh()

    def wake(self) -> None:
        """Ensure that what was logged is written within a period."""
        if self.direct:
            return
        self.idle = False
        try:
            self._tokens.pop()
        except IndexError:
            pulse = self._pulse
        else:
            pulse = self._begin()
        if pulse is not None:
            pulse.give()

    def flush(self) -> bool:
        """Write all buffered lines now. True if there were any."""
        wrote = [writer.flush() for writer in list(self.writers.values())]
        return any(wrote)

    def _begin(self) -> "_Pulse | None":
        if not self._hooked:
            self._hooked = True
            self._hook()
        # forked children of multiprocessing skip atexit handlers, but run these
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, self.flush, exitpriority=-100)
        pulse = _Pulse(self)
        try:
            pulse.thread.start()
        except RuntimeError:  # out of threads, or the interpreter is shutting down
            self.direct = self.idle = True
            return None
        self._pulse = pulse
        return pulse

    def _hook(self) -> None:
        for name in ("execv", "execve"):  # all of os.exec* go through these two
            if hasattr(os, name):
                setattr(os, name, _flushing_first(self, getattr(os, name)))
        if hasattr(os, "register_at_fork"):  # Python 3.7
            os.register_at_fork(before=self.rest, after_in_parent=self.resume)

    def rest(self) -> None:
        """Flush and stop the thread; the next line restarts it."""
        pulse, self._pulse = self._pulse, None
        if self.pid == os.getpid() and pulse is not None:
            pulse.end()
            self.flush()
            self.idle = True
            self._tokens.append(1)

    def resume(self) -> None:
        """Restart the thread if other threads have logged in the meantime."""
        if any(writer.waiting() for writer in list(self.writers.values())):
            self.wake()

    def end(self) -> None:
        """At interpreter exit: flush, and write every further line at once."""
        self.after_fork()
        self.direct = True
        self.rest()
        self.idle = True
        self.flush()
        for writer in list(self.writers.values()):
            writer.say_lost()


class _Pulse:
    """The thread of a ``Flusher``, and the signal that it waits for."""

    def __init__(self, beat: "Beat") -> None:
        self._beat = beat
        self._ended = False
        self._signal = threading.Lock()  # a lock as a signal: safe in a signal handler
        self._signal.acquire()
        self.thread = threading.Thread(target=self._run, name="scriptrun-metrics")
        self.thread.daemon = True

    def give(self) -> None:
        """Wake the thread."""
        try:
            self._signal.release()
        except RuntimeError:
            pass  # already woken

    def end(self) -> None:
        """Stop the thread and wait for it."""
        self._ended = True
        self.give()
        if self.thread is not threading.current_thread():
            self.thread.join(2.0)

    def _run(self) -> None:
        beat = self._beat
        while not self._ended:
            self._signal.acquire()
            while not beat.idle and not self._ended:
                self._signal.acquire(timeout=PERIOD)
                if not beat.flush():
                    beat.idle = True
                    if any(writer.waiting() for writer in list(beat.writers.values())):
                        beat.idle = False


def _flushing_first(beat: "Beat", execute: "Callable[..., object]") -> "Callable[..., object]":
    @functools.wraps(execute)
    def flush_and_execute(*args: object) -> object:
        beat.flush()
        return execute(*args)

    return flush_and_execute


BEAT = Beat()
atexit.register(BEAT.end)  # now: handlers registered during interpreter exit are never called
