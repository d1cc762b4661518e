"""Read HTTP/1.1 requests from bytes, strictly: what is ambiguous is refused, never guessed."""

import re

from scriptrun.runtime.serving.errors import Refused
from scriptrun.runtime.serving.http.messages import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional

#: bytes of a request line with its headers, and headers, at most
HEAD_LIMIT, HEADER_COUNT = 64 * 1024, 200
#: bytes of a chunk's size line, and of the trailers after the last chunk
_SIZE_LINE, _TRAILERS = 1024, 16 * 1024
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~\x80-\xff]+) HTTP/(\d)\.(\d)\Z")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def parse_head(data: bytes) -> Request:
    """The request in ``data``, a request line with headers, without the empty line at its end.

    Raises Refused.
    """
    lines = data.decode("latin-1").split("\r\n")
    found = _REQUEST_LINE.match(lines[0])
    if found is None:
        raise Refused(400, "The request line is not valid HTTP.")
    method, target, major, minor = found.groups()
    if major != "1":
        raise Refused(505, "The server speaks HTTP/1.1 and HTTP/1.0.")
    if len(lines) > HEADER_COUNT:
        raise Refused(431, "The request has more than {} headers.".format(HEADER_COUNT))
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or _TOKEN.match(name) is None or _CONTROL.search(value):
            raise Refused(400, "A header is not valid HTTP.")
        headers.append((name.lower(), value.strip(" \t")))
    path, query = _split_target(target)
    return Request(method, path, query, headers, version="1.0" if minor == "0" else "1.1")


def _split_target(target: str) -> "tuple[str, str]":
    if not target.startswith("/") and target != "*":
        scheme, separator, rest = target.partition("://")
        if not separator or scheme.lower() not in ("http", "https"):
            raise Refused(400, "The request's target is not a path.")
        target = "/" + rest.partition("/")[2]
    path, _, query = target.partition("#")[0].partition("?")
    return path, query


class Framing:
    """How a request's body ends, and whether the connection stays open after it."""

    __slots__ = ("chunked", "expects_continue", "keep_alive", "length")

    def __init__(self, request: Request) -> None:
        """Raises Refused for framing that two parties could read differently."""
        self.length, self.chunked, self.expects_continue = 0, False, False
        self.keep_alive = request.version == "1.1"
        lengths: "List[str]" = []
        hosts = 0
        for name, value in request.headers:
            if name == "content-length":
                lengths.append(value)
            elif name == "transfer-encoding":
                self._encode(request, value)
            elif name == "connection":
                self._connect(value.lower())
            elif name == "host":
                hosts += 1
            elif name == "expect":
                is_new = request.version != "1.0"
                self.expects_continue = is_new and value.lower() == "100-continue"
        if hosts > 1 or (hosts == 0 and request.version == "1.1"):
            raise Refused(400, "The request needs one Host header.")
        if lengths:
            self._measure(lengths)

    def _encode(self, request: Request, value: str) -> None:
        if value.lower() != "chunked" or self.chunked:
            raise Refused(501, "The only supported transfer encoding is chunked.")
        if request.version == "1.0":
            raise Refused(400, "HTTP/1.0 has no transfer encodings.")
        self.chunked = True

    def _connect(self, value: str) -> None:
        options = [option.strip() for option in value.split(",")]
        if "close" in options:
            self.keep_alive = False
        elif "keep-alive" in options:
            self.keep_alive = True

    def _measure(self, lengths: "List[str]") -> None:
        first = lengths[0]
        if self.chunked or any(each != first for each in lengths):
            raise Refused(400, "The request has contradictory lengths.")
        if not _is_number(first):
            raise Refused(400, "Content-Length is not a number.")
        self.length = int(first)


def _is_number(text: str) -> bool:
    return 0 < len(text) <= 18 and all("0" <= character <= "9" for character in text)


class Chunks:
    """Decodes a chunked body. ``feed`` takes bytes out of a buffer; ``done`` at its end."""

    __slots__ = ("_limit", "_left", "_part", "_trailers", "body", "done")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left, self._part, self._trailers = 0, "size", 0
        self.body = bytearray()
        self.done = False

    def feed(self, buffer: bytearray) -> None:
        """Decode what is in ``buffer``, and remove it there. Raises Refused."""
        while not self.done:
            if self._part == "data":
                if not self._take_data(buffer):
                    return
                continue
            line = self._take_line(buffer)
            if line is None:
                return
            self._read_line(line)

    def _take_data(self, buffer: bytearray) -> bool:
        taken = min(self._left, len(buffer))
        self.body += buffer[:taken]
        del buffer[:taken]
        self._left -= taken
        if self._left == 0:
            self._part = "end"
        return taken > 0

    def _take_line(self, buffer: bytearray) -> "Optional[bytes]":
        end = buffer.find(b"\r\n", 0, _SIZE_LINE)
        if end < 0:
            if len(buffer) >= _SIZE_LINE:
                raise Refused(400, "A line of the chunked body is too long.")
            return None
        line = bytes(buffer[:end])
        del buffer[: end + 2]
        return line

    def _read_line(self, line: bytes) -> None:
        if self._part == "end":
            if line:
                raise Refused(400, "A chunk is longer than its size.")
            self._part = "size"
        elif self._part == "trailers":
            self._trailers += len(line)
            if self._trailers > _TRAILERS:
                raise Refused(431, "The trailers are too large.")
            self.done = not line
        else:
            self._begin_chunk(line)

    def _begin_chunk(self, line: bytes) -> None:
        found = _SIZE.match(line)
        if found is None:
            raise Refused(400, "The size of a chunk is not valid.")
        self._left = int(found.group(1), 16)
        if len(self.body) + self._left > self._limit:
            raise too_large(self._limit)
        self._part = "data" if self._left else "trailers"


def too_large(limit: int) -> Refused:
    """The refusal of a body with more than ``limit`` bytes."""
    return Refused(413, "The body is larger than the limit of {} bytes.".format(limit))
