"""One thread a process that writes out, every tenth of a second, what was logged (Python 3.6+).

It sleeps for good while nothing is logged. A fork leaves it behind: the child starts its own.
"""

import atexit
import os
import sys
import threading
import time

PERIOD = 0.1


class Beat:
    """Calls ``flush()`` of every writer that joined, while there is something to write.

    ``idle`` tells a writer that it must call ``wake``; ``direct`` that the interpreter is going
    down and that it must write at once.
    """

    def __init__(self):
        self.writers = {}
        self.direct = False
        self._fresh()

    def _fresh(self):
        self.pid = os.getpid()
        self.idle = True
        self._signal = threading.Lock()  # a lock as a signal: safe to give in a signal handler
        self._signal.acquire()
        self._thread = None

    def after_fork(self):
        """Forget the parent's thread; does nothing in the process that it was called in before."""
        if self.pid != os.getpid():
            self._fresh()

    def wake(self):
        """See to it that what was logged is written within a period."""
        self.idle = False
        if self._thread is None:
            self._start()
        try:
            self._signal.release()
        except RuntimeError:
            pass  # it has been woken already

    def flush(self):
        """Write all that is waiting, now. True if there was something."""
        wrote = [writer.flush() for writer in list(self.writers.values())]
        return any(wrote)

    def _start(self):
        self._thread = threading.Thread(target=self._run, args=(self._signal,), daemon=True)
        self._thread.name = "scriptrun-metrics"
        try:
            self._thread.start()
        except RuntimeError:  # no more threads, or the interpreter is going down
            self.direct = True
        _at_process_end(self)

    def _run(self, signal):
        while True:
            signal.acquire()
            while not self.idle:
                time.sleep(PERIOD)
                if not self.flush():
                    self.idle = True
                    if any(writer.waiting() for writer in list(self.writers.values())):
                        self.idle = False

    def end(self):
        """The interpreter ends: write all, and from here on every line at once."""
        self.after_fork()
        self.direct = True
        self.flush()
        for writer in list(self.writers.values()):
            writer.say_lost()


def _at_process_end(beat):
    if not getattr(beat, "registered", False):
        beat.registered = True
        atexit.register(beat.end)
    # children that multiprocessing forked end without atexit's handlers, but not without these
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, beat.flush, exitpriority=-100)


BEAT = Beat()
