"""HTTP connections to servers that may be slow, broken or hostile.

Credentials stay with the server that they are for: a redirect to another one is followed without
them. A server that only trickles counts as one that does not respond: the status and the headers
must arrive within SCRIPTRUN_DATA_TIMEOUT, and of a body at least 1 KiB in that time. What counts
is the time spent waiting, not that between reads.
"""

from __future__ import annotations

import http.client
import io
import string
import time
import urllib.request
from collections.abc import Callable, Iterable
from typing import cast
from urllib.parse import quote, urljoin, urlsplit

from scriptrun.data.errors import DatastoreException
from scriptrun.data.stores.limits import MAX_REDIRECTS
from scriptrun.data.stores.timeouts import time_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from email.message import Message
    from typing import IO

    from _typeshed import WriteableBuffer

#: bytes that must arrive within the time limit
_LEAST_BYTES = 1024
#: bytes of status lines and headers of one response
_MAX_HEADERS = 8 << 20
_PORTS = {"http": 80, "https": 443}
#: headers that are never sent to another server
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})


#: what a response raises that does not follow the protocol
_INVALID = (http.client.HTTPException, ValueError)


class _Pace:
    """How much of its time a response has used, and whether it is fast enough."""

    def __init__(self) -> None:
        self._limit = time_limit()
        self._left = self._limit
        self._waited, self._bytes, self._headers = 0.0, 0, 0
        self._in_headers = True

    def begin_body(self, seconds: float = float("inf")) -> None:
        """The headers have arrived; the body may take ``seconds`` in all."""
        self._in_headers, self._left = False, seconds
        self._waited, self._bytes = 0.0, 0

    def seconds(self) -> float:
        """How long to wait for the next bytes. Raises TimeoutError if the time is up."""
        left = min(self._limit - self._waited, self._left)
        if left <= 0:
            raise TimeoutError("the server sends too slowly")
        return left

    def add(self, count: int, seconds: float) -> None:
        """``count`` bytes have arrived after ``seconds``."""
        self._left -= seconds
        self._waited += seconds
        self._bytes += count
        if self._bytes >= _LEAST_BYTES:
            self._waited, self._bytes = 0.0, 0
        if self._in_headers:
            self._headers += count
            if self._headers > _MAX_HEADERS:
                raise ConnectionError("the headers do not end")


class _PacedReader(io.RawIOBase):
    """The bytes of a socket, as long as they come at a reasonable pace."""

    def __init__(self, raw: socket.SocketIO, sock: socket.socket, pace: _Pace) -> None:
        super().__init__()
        self._raw, self._sock, self._pace = raw, sock, pace

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """As of any raw stream. Raises TimeoutError if the server is too slow."""
        self._sock.settimeout(self._pace.seconds())
        start = time.monotonic()
        count = self._raw.readinto(buffer) or 0
        self._pace.add(count, time.monotonic() - start)
        return count

    def close(self) -> None:
        """Close the socket, too."""
        self._raw.close()
        super().close()


class PacedResponse(http.client.HTTPResponse):
    """A response that ends with TimeoutError if the server is too slow."""

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.pace = _Pace()
        raw = cast("socket.SocketIO", self.fp.detach())
        self.fp = io.BufferedReader(_PacedReader(raw, sock, self.pace))

    def begin(self) -> None:
        """Read the status and the headers."""
        super().begin()
        self.pace.begin_body()

    def read(self, amt: int | None = None) -> bytes:
        """As usual, but whatever is wrong with the response is an OSError."""
        try:
            return super().read(amt)
        except _INVALID:
            raise ConnectionError("invalid response") from None

    def read_page(self, maximum: int, seconds: float) -> bytes:
        """The whole body, which must arrive within ``seconds``; one byte more than ``maximum``
        if it is longer.
        """
        self.pace.begin_body(seconds)
        return self.read(maximum + 1)

    def skip(self, count: int) -> None:
        """Read ``count`` bytes of the body and forget them."""
        while count > 0 and (data := self.read(min(count, 1 << 20))):
            count -= len(data)


class _HTTPConnection(http.client.HTTPConnection):
    response_class = PacedResponse


class _HTTPSConnection(http.client.HTTPSConnection):
    response_class = PacedResponse


class _HTTPHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_HTTPConnection, req)


class _HTTPSHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_HTTPSConnection, req)


class _Request(urllib.request.Request):
    redirects = 0


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects; ``credentials`` are the names of headers for the first server only."""

    def __init__(self, name: str, credentials: Iterable[str]) -> None:
        self._name = name
        self._credentials = _CREDENTIALS | {name.lower() for name in credentials}

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message
    ) -> IO[bytes] | None:
        """Send the request again, to where the server says. Its body is not read."""
        location = headers.get("Location")
        if not location:
            return None
        fp.close()
        url, reason = _target(req.full_url, location)
        count = getattr(req, "redirects", 0) + 1
        if count > MAX_REDIRECTS:
            reason = f"it redirects more than {MAX_REDIRECTS} times"
        if reason:
            raise DatastoreException(
                f"Cannot read from {self._name}: {reason}.",
                "Check the URL, or ask its server's owner.",
            )
        kept = dict(req.headers)
        if not _is_same_server(req.full_url, url):
            kept = {name: kept[name] for name in kept if name.lower() not in self._credentials}
        request = _Request(url, headers=kept, method=req.get_method())
        request.redirects = count
        opened: IO[bytes] = self.parent.open(request, timeout=req.timeout)
        return opened

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _target(url: str, location: str) -> tuple[str, str]:
    """The URL to which ``url`` redirects, and why it cannot be followed, or ""."""
    try:
        target = urljoin(url, quote(location, encoding="latin-1", safe=string.punctuation))
        parts = urlsplit(target)
        is_address = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        return "", "it redirects to an invalid URL (expected http:// or https://)"
    if urlsplit(url).scheme == "https" and parts.scheme == "http":
        return "", "it redirects from https:// to http://, which is not encrypted"
    return target, ""


def _is_same_server(url: str, other: str) -> bool:
    """Whether both have one host and port; from port 80 to TLS on 443 counts, too."""
    first, second = urlsplit(url), urlsplit(other)
    ports = [parts.port or _PORTS[parts.scheme] for parts in (first, second)]
    is_upgrade = ports == [80, 443] and (first.scheme, second.scheme) == ("http", "https")
    same = (first.scheme, ports[0]) == (second.scheme, ports[1])
    return first.hostname == second.hostname and (same or is_upgrade)


def opener(
    name: str, credentials: Iterable[str]
) -> Callable[[urllib.request.Request], PacedResponse]:
    """A function that sends a request and returns the response, as ``urlopen`` does.

    ``credentials``: names of headers that no server but the first gets. The function raises OSError
    (HTTPError for an unsuccessful status), and DatastoreException, with the ``name`` of the
    store, for a redirect that cannot be followed.
    """
    redirects = _Redirects(name, credentials)
    director = urllib.request.build_opener(_HTTPHandler, _HTTPSHandler, redirects)

    def send(request: urllib.request.Request) -> PacedResponse:
        try:
            response: PacedResponse = director.open(request, timeout=time_limit())
        except _INVALID:
            raise ConnectionError("invalid response") from None
        return response

    return send
