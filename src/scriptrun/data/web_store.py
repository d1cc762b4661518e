"""Files behind HTTP(S) addresses, read by the standard library: no listing, no writing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from scriptrun.data.errors import DatastoreException, FileChanged, FileMissing
from scriptrun.data.object_store import time_limit
from scriptrun.data.seam import PIECE, Entry

#: answers that may be different a moment later
_AGAIN = (408, 429, 500, 502, 503, 504)


class WebStore:
    """The files below ``root``, an address. ``headers`` go with every request (credentials)."""

    folder: Path | None = None
    at_once = 16

    def __init__(
        self, name: str, root: str, headers: dict[str, str] | None = None, query: str = ""
    ) -> None:
        self.name = name
        self._query = query
        self.root = root.rstrip("/")
        self._headers = headers or {}

    def list(self, folder: str = "") -> Iterator[Entry]:
        """Refused: HTTP has no listing."""
        raise DatastoreException(
            f"{self.name} is an HTTP address, and those cannot be listed.",
            "Name each file by its whole path, without * and without folders.",
        )

    def stat(self, path: str) -> Entry | None:
        """The file as its headers tell; None where the server answers 404 or 410."""
        try:
            with self._ask(path, "HEAD") as answer:
                return _entry(path, answer.headers)
        except FileMissing:
            return None

    def read(self, path: str, start: int, end: int, etag: str = "") -> bytes:
        """A range of the file; from a server without ranges, cut from the whole."""
        if end <= start:
            return b""
        with self._ask(path, "GET", {"Range": f"bytes={start}-{end - 1}"}) as answer:
            self._check(path, answer.headers, etag)
            if answer.status != 206:
                answer.read(start)
            return bytes(answer.read(end - start))

    def pieces(self, path: str, etag: str = "") -> Iterator[bytes]:
        """The whole file; after a broken connection it goes on where it stopped."""
        done = 0
        until = time.monotonic() + time_limit()
        while True:
            try:
                for piece in self._from(path, done, etag):
                    done += len(piece)
                    until = time.monotonic() + time_limit()
                    yield piece
                return
            except (OSError, _Short):
                if time.monotonic() > until:
                    raise self._unreachable("the connection broke again and again") from None
                time.sleep(0.2)

    def _from(self, path: str, start: int, etag: str) -> Iterator[bytes]:
        wanted = {"Range": f"bytes={start}-"} if start else {}
        with self._ask(path, "GET", wanted) as answer:
            self._check(path, answer.headers, etag)
            length = int(answer.headers.get("Content-Length") or -1)
            skip = start if start and answer.status != 206 else 0
            got = 0
            while piece := answer.read(PIECE):
                got += len(piece)
                piece, skip = piece[skip:], max(0, skip - len(piece))
                if piece:
                    yield piece
            if got < length:
                raise _Short

    def write(self, path: str, file: BinaryIO) -> Entry:
        """Refused."""
        raise self._read_only()

    def delete(self, path: str) -> None:
        """Refused."""
        raise self._read_only()

    def _read_only(self) -> DatastoreException:
        return DatastoreException(f"{self.name} is an HTTP address: it can only be read.")

    def _check(self, path: str, headers: Any, etag: str) -> None:
        if etag and _entry(path, headers).etag != etag:
            raise FileChanged(f"The file {path!r} in {self.name} has changed.")

    def _ask(self, path: str, method: str, headers: dict[str, str] | None = None) -> Any:
        """The answer to one request, which is repeated while the server asks for patience."""
        import urllib.error
        import urllib.request

        url = address(self.root, path) + self._query
        every = {"User-Agent": "scriptrun", "Accept-Encoding": "identity", **self._headers}
        request = urllib.request.Request(url, method=method, headers={**every, **(headers or {})})
        until, wait = time.monotonic() + time_limit(), 0.2
        while True:
            reason = "it does not answer"
            try:
                return urllib.request.urlopen(request, timeout=time_limit())
            except urllib.error.HTTPError as error:
                error.close()
                if error.code not in _AGAIN:
                    raise self._refused(path, error.code) from None
                reason = f"it answered {error.code}"
                wait = max(wait, _seconds(error.headers.get("Retry-After")))
            except OSError as error:
                reason = _why(error)
            if time.monotonic() + wait > until or reason == _NOBODY:
                raise self._unreachable(reason) from None
            time.sleep(wait)
            wait = min(wait * 2, 5.0)

    def _refused(self, path: str, code: int) -> DatastoreException:
        if code in (404, 410):
            return FileMissing(f"There is no file {path!r} in {self.name}.")
        what = "wants credentials, or refuses these" if code in (401, 403) else f"answered {code}"
        return DatastoreException(f"Could not read {path} in {self.name}: the server {what}.")

    def _unreachable(self, reason: str) -> DatastoreException:
        return DatastoreException(f"Could not reach {self.name}: {reason}.")


class _Short(Exception):
    """Less has arrived than was announced."""


_NOBODY = "no server of this name, or none that listens there"


def _why(error: OSError) -> str:
    import socket

    cause = getattr(error, "reason", error)
    if isinstance(cause, ConnectionRefusedError | socket.gaierror):
        return _NOBODY
    if isinstance(cause, TimeoutError):
        return "it did not answer in time"
    return f"the connection broke ({type(cause).__name__})"


def address(root: str, path: str) -> str:
    """The URL of the file at ``path`` below ``root``."""
    from urllib.parse import quote

    return f"{root}/{quote(path)}" if path else root


def _entry(path: str, headers: Any) -> Entry:
    from email.utils import parsedate_to_datetime

    etag = (headers.get("ETag") or "").removeprefix("W/").strip('"')
    changed = headers.get("Last-Modified")
    try:
        modified = parsedate_to_datetime(changed).timestamp() if changed else 0.0
    except ValueError:
        modified = 0.0
    length = headers.get("Content-Range", "").rpartition("/")[2] or headers.get("Content-Length")
    size = int(length) if length and length.isdigit() else -1
    return Entry(path, size, etag or (f"{modified:.0f}" if modified else ""), modified)


def _seconds(text: str | None) -> float:
    return min(float(text), 30.0) if text and text.isdigit() else 0.0
