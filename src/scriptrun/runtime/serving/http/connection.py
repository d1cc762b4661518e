"""One client's connection: its bytes in, its requests out."""

import socket
import time

from scriptrun.runtime.serving.errors import Refused
from scriptrun.runtime.serving.http import messages, parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from scriptrun.runtime.serving.http.messages import Request, Response

#: reads a request's head; reads its body; waits for run(); sends; discards what still arrives
HEAD, BODY, WAITING, SENDING, LINGERING, CLOSED = range(6)


class Connection:
    """The state of a connection. The server that owns it moves it on."""

    __slots__ = (
        "buffer", "chunks", "deadline", "fd", "framing", "has_ended", "held", "idle_since",
        "interest", "is_last", "out", "remote", "request", "searched", "since", "sock", "state",
    )  # fmt: skip

    def __init__(self, sock: "socket.socket", remote: str, deadline: float) -> None:
        self.sock, self.remote, self.fd = sock, remote, sock.fileno()
        self.buffer = bytearray()
        self.state, self.searched, self.interest = HEAD, 0, 0
        #: bytes of its unfinished body, as counted last
        self.held = 0
        self.request: "Optional[Request]" = None
        self.framing: "Optional[parser.Framing]" = None
        self.chunks: "Optional[parser.Chunks]" = None
        self.out: "Optional[memoryview]" = None
        #: the moment at which the client must be ready; None while it waits for us
        self.deadline: "Optional[float]" = deadline
        #: whether the client sends no more, and whether the connection ends after the response
        self.has_ended, self.is_last, self.since = False, False, 0.0
        #: the moment since which it has had no request
        self.idle_since = 0.0

    def size(self) -> int:
        """The bytes of its unfinished request."""
        return len(self.buffer) + (len(self.chunks.body) if self.chunks is not None else 0)

    def is_idle(self) -> bool:
        """Whether the client has sent nothing of a request."""
        return self.state == HEAD and not self.buffer

    def take_head(self) -> "Optional[Request]":
        """The next request without its body; None while it is incomplete. Raises Refused."""
        buffer = self.buffer
        while buffer.startswith(b"\r\n"):
            del buffer[:2]
        end = buffer.find(b"\r\n\r\n", self.searched)
        if end < 0:
            self.searched = max(0, len(buffer) - 3)
        if max(end, self.searched) > parser.HEAD_LIMIT:
            raise Refused(431, "The request's headers are too large.")
        if end < 0:
            return None
        self.searched = 0
        self.request = None
        request = parser.parse_head(bytes(buffer[:end]))
        del buffer[: end + 4]
        request.remote = self.remote
        self.request, self.framing = request, parser.Framing(request)
        return request

    def has_body(self) -> bool:
        """Whether the current request has a body."""
        framing = self.framing
        return framing is not None and (framing.chunked or framing.length > 0)

    def begin_body(self, limit: int) -> None:
        """Await the body of at most ``limit`` bytes. Raises Refused."""
        framing = self.framing
        assert framing is not None
        if framing.length > limit:
            raise parser.too_large(limit)
        self.chunks = parser.Chunks(limit) if framing.chunked else None
        self.state = BODY

    def take_body(self) -> bool:
        """Read the body; whether it is complete. Raises Refused."""
        framing, request = self.framing, self.request
        assert framing is not None
        assert request is not None
        if self.chunks is not None:
            self.chunks.feed(self.buffer)
            if not self.chunks.done:
                return False
            request.body, self.chunks = bytes(self.chunks.body), None
            return True
        length = framing.length
        if len(self.buffer) < length:
            return False
        if length:
            request.body = bytes(self.buffer[:length])
            del self.buffer[:length]
        return True

    def wants_continue(self) -> bool:
        """Whether the client waits for "100 Continue" before it sends the body."""
        framing = self.framing
        return framing is not None and framing.expects_continue and not self.buffer


_STATUS_LINES = {
    status: "HTTP/1.1 {} {}\r\n".format(status, reason)
    for status, reason in messages.REASONS.items()
}


def serialize(
    response: "Response", is_last: bool, is_old: bool, date: str, without_body: bool
) -> bytes:
    """The bytes of a response; ``is_old`` for a client of HTTP/1.0."""
    status = response.status
    parts = [_STATUS_LINES.get(status) or "HTTP/1.1 {} Unknown\r\n".format(status)]
    for name, value in response.headers:
        parts.append("{}: {}\r\n".format(name, value))
    parts.append(date)
    if status >= 200 and status not in (204, 304):
        parts.append("content-length: {}\r\n".format(len(response.body)))
    else:
        without_body = True
    if is_last:
        parts.append("connection: close\r\n")
    elif is_old:
        parts.append("connection: keep-alive\r\n")
    parts.append("\r\n")
    head = "".join(parts).encode("latin-1", "replace")
    return head if without_body else head + response.body


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


class Date:
    """The header with the time, made once per second. (strftime depends on the locale.)"""

    def __init__(self) -> None:
        self._second, self._header = 0, ""

    def header(self) -> str:
        """The header's line."""
        second = int(time.time())
        if second != self._second:
            t = time.gmtime(second)
            text = "date: {}, {:02d} {} {:04d} {:02d}:{:02d}:{:02d} GMT\r\n"
            self._header = text.format(_DAYS[t[6]], t[2], _MONTHS[t[1] - 1], t[0], t[3], t[4], t[5])
            self._second = second
        return self._header
