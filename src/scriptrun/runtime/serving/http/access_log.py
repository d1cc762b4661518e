"""One line for each request, in the run's log: method, path, status, milliseconds."""

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional

    from scriptrun.runtime.serving.http.messages import Request

_LONGEST_PATH = 200
#: bytes of lines that one worker writes at most
LIMIT = 64 * 1024 * 1024
_NO_MORE = b"note: the log is large; this worker's further requests are not logged\n"


class AccessLog:
    """Collects lines, and writes them together before the server waits.

    Health checks that succeed, ``GET /``, are left out. After ``limit`` bytes it says so, and
    writes no more.
    """

    def __init__(self, descriptor: int = 1, limit: int = LIMIT) -> None:
        self._descriptor, self._left = descriptor, limit
        self._lines: "List[str]" = []

    def add(self, request: "Optional[Request]", status: int, since: float) -> None:
        """Note the answer to a request whose head arrived at ``since`` (time.perf_counter)."""
        if request is None:
            self._lines.append("invalid request {}\n".format(status))
            return
        if request.path == "/" and status == 200:
            return
        milliseconds = (time.perf_counter() - since) * 1000
        path = request.path if len(request.path) <= _LONGEST_PATH else request.path[:_LONGEST_PATH]
        self._lines.append(
            "{} {} {} {:.1f} ms\n".format(request.method, path, status, milliseconds)
        )

    def flush(self) -> None:
        """Write the lines."""
        if not self._lines:
            return
        data = "".join(self._lines).encode("ascii", "backslashreplace")
        self._lines = []
        if self._left <= 0:
            return
        self._left -= len(data)
        if self._left <= 0:
            data += _NO_MORE
        try:
            os.write(self._descriptor, data)
        except OSError:
            pass  # a full disk must not end the service
