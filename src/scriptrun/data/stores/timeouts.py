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
from typing import Any, TypeVar

#: seconds to establish a connection
CONNECT = 10.0
#: seconds for one request in total, while bytes keep arriving
REQUEST = 3600.0
#: seconds to wait before a retry: at first, and at most
_FIRST, _MOST = 0.2, 5.0
#: the longest Retry-After of a server that is followed, in seconds
_ASKED = 120.0
Answer = TypeVar("Answer")


def time_limit() -> float:
    """Seconds without data from a store before it fails (SCRIPTRUN_DATA_TIMEOUT, default 60)."""
    try:
        return max(1.0, float(os.environ.get("SCRIPTRUN_DATA_TIMEOUT", "60")))
    except ValueError:
        return 60.0


def waited(call: Callable[[], Answer]) -> Answer:
    """Run ``call``, which may ignore Ctrl-C for long, and return its result.

    It runs in another thread while the main thread waits, so that Ctrl-C works at once.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            done.put((call(), None))
        except BaseException as error:
            done.put((None, error))

    threading.Thread(target=work, name="scriptrun-call", daemon=True).start()
    answer, error = done.get()
    if error is not None:
        raise error
    return answer  # type: ignore[no-any-return]


class Patience:
    """Waits between retries, longer each time, until nothing has arrived for the time limit."""

    def __init__(self) -> None:
        self._limit = time_limit()
        self.renew()

    def renew(self) -> None:
        """Restart the time limit, since data has arrived."""
        self._until = time.monotonic() + self._limit
        self._wait = _FIRST

    def wait(self, asked: float = 0.0) -> bool:
        """Sleep before a retry, at least ``asked`` seconds; False if the time is up."""
        pause = max(self._wait, min(asked, _ASKED))
        if time.monotonic() + pause > self._until:
            return False
        time.sleep(pause)
        self._wait = min(self._wait * 2, _MOST)
        return True
