"""A status line on a terminal during a long operation.

Jobs are forked from the command's process, which must stay single-threaded, so a timer signal
updates the line instead of a thread.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from scriptrun.cli.terminal import streams

#: seconds before the first status line, and between updates
FIRST_DELAY, INTERVAL = 1.0, 0.5


@contextmanager
def show_status(message: str) -> Iterator[None]:
    """Show ``message`` and the elapsed seconds on stderr if the block takes over a second."""
    if not hasattr(signal, "setitimer") or not sys.stderr.isatty():
        yield
        return
    ticker = _Ticker(message)
    previous_handler = signal.signal(signal.SIGALRM, ticker)
    signal.setitimer(signal.ITIMER_REAL, FIRST_DELAY, INTERVAL)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous_handler)
        ticker.clear()


class _Ticker:
    def __init__(self, message: str) -> None:
        self._message = message
        self._started = time.monotonic()
        self._visible = False

    def __call__(self, *signal_and_frame: object) -> None:
        seconds = time.monotonic() - self._started
        streams.show_status(f"{self._message} ... {seconds:.0f} s")
        self._visible = True

    def clear(self) -> None:
        if self._visible:
            streams.show_status("")
