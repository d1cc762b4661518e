"""All time limits and retries for stores.

``SCRIPTRUN_DATA_TIMEOUT`` (seconds, default 60) limits how long nothing may arrive: a request that
fails with a temporary status (429, 503), breaks off or gets no response is retried until then.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from typing import TypeVar

#: the variable with the time limit
SETTING = "SCRIPTRUN_DATA_TIMEOUT"
#: seconds to establish a connection
CONNECT = 10.0
#: seconds for one request in total, while bytes keep arriving
REQUEST = 3600.0
#: seconds to wait before a retry: at first, and at most
_FIRST_PAUSE, _MAX_PAUSE = 0.2, 5.0
#: the longest Retry-After of a server that is followed, in seconds
_MAX_RETRY_AFTER = 120.0
Result = TypeVar("Result")


def time_limit() -> float:
    """Seconds without data from a store before it fails (SCRIPTRUN_DATA_TIMEOUT, default 60)."""
    try:
        return max(1.0, float(os.environ.get(SETTING, "60")))
    except ValueError:
        return 60.0


def run_interruptible(call: Callable[[], Result]) -> Result:
    """Run ``call``, which may ignore Ctrl-C for long, and return its result.

    It runs in another thread while the main thread waits, so that Ctrl-C works at once.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    outcome: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    results: list[Result] = []

    def work() -> None:
        try:
            results.append(call())
            outcome.put(None)
        except BaseException as error:
            outcome.put(error)

    threading.Thread(target=work, name="scriptrun-call", daemon=True).start()
    error = outcome.get()
    if error is not None:
        raise error
    return results[0]


class Backoff:
    """Waits between retries, longer each time, until nothing has arrived for the time limit."""

    def __init__(self) -> None:
        self._limit = time_limit()
        self.reset()

    def reset(self) -> None:
        """Restart the time limit, since data has arrived."""
        self._deadline = time.monotonic() + self._limit
        self._pause = _FIRST_PAUSE

    def wait(self, retry_after: float = 0.0) -> bool:
        """Sleep before a retry, at least ``retry_after`` seconds; False if the time is up."""
        pause = max(self._pause, min(retry_after, _MAX_RETRY_AFTER))
        if time.monotonic() + pause > self._deadline:
            return False
        time.sleep(pause)
        self._pause = min(self._pause * 2, _MAX_PAUSE)
        return True
