"""One thread per process that writes held metrics ten times a second (Python 3.6+).

It is started by the first line that is held, and sleeps while none is. It stops before a fork
(forking a process with threads is not safe) and restarts with the next line that is held, in the
parent and in the child separately.
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


class Flusher:
    """Calls ``flush()`` of every registered writer while there is something to write.

    If ``idle``, a writer must call ``wake``. If ``write_directly``, no thread is available since
    the interpreter is shutting down, and a writer must write at once.
    """

    def __init__(self) -> None:
        self.writers: "dict[str, MetricWriter]" = {}
        self.write_directly = False
        self._has_hooks = False
        self._reset()

    def _reset(self) -> None:
        self.pid = os.getpid()
        self.idle = True
        self._flush_thread: "_FlushThread | None" = None
        self._tokens = [1]  # taken by the one caller that may start the thread: pop() is atomic

    def after_fork(self) -> None:
        """Forget the parent's thread; does nothing in the same process."""
        if self.pid != os.getpid():
            self._reset()

    def wake(self) -> None:
        """Ensure that what was logged is written within a period."""
        if self.write_directly:
            return
        self.idle = False
        try:
            self._tokens.pop()
        except IndexError:
            flush_thread = self._flush_thread
        else:
            flush_thread = self._start_thread()
        if flush_thread is not None:
            flush_thread.wake()

    def flush(self) -> bool:
        """Write all buffered lines now. True if there were any."""
        wrote = [writer.flush() for writer in list(self.writers.values())]
        return any(wrote)

    def _start_thread(self) -> "_FlushThread | None":
        if not self._has_hooks:
            self._has_hooks = True
            self._install_hooks()
        # forked children of multiprocessing skip atexit handlers, but run these
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, self.flush, exitpriority=-100)
        flush_thread = _FlushThread(self)
        try:
            flush_thread.thread.start()
        except RuntimeError:  # out of threads, or the interpreter is shutting down
            self.write_directly = self.idle = True
            return None
        self._flush_thread = flush_thread
        return flush_thread

    def _install_hooks(self) -> None:
        for name in ("execv", "execve", "_exit"):  # all of os.exec* go through the first two
            if hasattr(os, name):
                setattr(os, name, _flush_before(self, getattr(os, name)))
        if hasattr(os, "register_at_fork"):  # Python 3.7
            os.register_at_fork(before=self.stop_thread, after_in_parent=self.resume)

    def stop_thread(self) -> None:
        """Flush and stop the thread; the next line restarts it."""
        flush_thread, self._flush_thread = self._flush_thread, None
        if self.pid == os.getpid() and flush_thread is not None:
            flush_thread.end()
            self.flush()
            self.idle = True
            self._tokens.append(1)

    def resume(self) -> None:
        """Restart the thread if other threads have logged in the meantime."""
        if any(writer.has_waiting() for writer in list(self.writers.values())):
            self.wake()

    def close(self) -> None:
        """At interpreter exit: flush, and write every further line at once."""
        self.after_fork()
        self.write_directly = True
        self.stop_thread()
        self.idle = True
        for writer in list(self.writers.values()):
            writer.flush_at_exit()
            writer.report_lost()


class _FlushThread:
    """The thread of a ``Flusher``, and the signal that it waits for."""

    def __init__(self, flusher: "Flusher") -> None:
        self._flusher = flusher
        self._ended = False
        self._signal = threading.Lock()  # a lock as a signal: safe in a signal handler
        self._signal.acquire()
        self.thread = threading.Thread(target=self._run, name="scriptrun-metrics")
        self.thread.daemon = True

    def wake(self) -> None:
        """Wake the thread."""
        try:
            self._signal.release()
        except RuntimeError:
            pass  # already woken

    def end(self) -> None:
        """Stop the thread and wait for it."""
        self._ended = True
        self.wake()
        if self.thread is not threading.current_thread():
            self.thread.join(2.0)

    def _run(self) -> None:
        flusher = self._flusher
        while not self._ended:
            self._signal.acquire()
            while not flusher.idle and not self._ended:
                self._signal.acquire(timeout=PERIOD)
                if not flusher.flush():
                    flusher.idle = True
                    if any(writer.has_waiting() for writer in list(flusher.writers.values())):
                        flusher.idle = False


def _flush_before(flusher: "Flusher", execute: "Callable[..., object]") -> "Callable[..., object]":
    @functools.wraps(execute)
    def flush_and_execute(*args: object) -> object:
        flusher.flush()
        return execute(*args)

    return flush_and_execute


FLUSHER = Flusher()
atexit.register(FLUSHER.close)  # now: handlers registered during interpreter exit are never called
