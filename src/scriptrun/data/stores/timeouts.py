"""How long a store is waited for: the one place where time limits of data are set.

``SCRIPTRUN_DATA_TIMEOUT`` (seconds, default 60) is how long nothing may arrive: a request that is
answered "later" (429, 503), broken off or not answered is made again until so long nothing came.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

#: seconds in which a connection must stand
CONNECT = 10.0
#: seconds that one request may take in all, while bytes keep coming
REQUEST = 3600.0
#: seconds to wait before a request is made again: at first, and at most
_FIRST, _MOST = 0.2, 5.0
#: the longest that a server's own word (Retry-After) is followed, in seconds
_ASKED = 120.0
Answer = TypeVar("Answer")


def time_limit() -> float:
    """Seconds for which nothing may come from a store (SCRIPTRUN_DATA_TIMEOUT, default 60)."""
    try:
        return max(1.0, float(os.environ.get("SCRIPTRUN_DATA_TIMEOUT", "60")))
    except ValueError:
        return 60.0


def waited(call: Callable[[], Answer]) -> Answer:
    """What ``call`` returns or raises; it may be a library's that heeds no Ctrl-C for long.

    The main thread only waits for it, so that Ctrl-C ends that at once.
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
    """Waiting between attempts, longer each time, until the limit has passed without progress."""

    def __init__(self) -> None:
        self._limit = time_limit()
        self.renew()

    def renew(self) -> None:
        """Something has arrived: the limit begins anew."""
        self._until = time.monotonic() + self._limit
        self._wait = _FIRST

    def wait(self, asked: float = 0.0) -> bool:
        """Sleep before the next attempt, ``asked`` seconds at least; False when it is over."""
        pause = max(self._wait, min(asked, _ASKED))
        if time.monotonic() + pause > self._until:
            return False
        time.sleep(pause)
        self._wait = min(self._wait * 2, _MOST)
        return True
