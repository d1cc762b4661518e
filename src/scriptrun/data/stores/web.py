"""Files at HTTP(S) URLs, read with the standard library.

They are read-only, and can be listed if the server has an index page for each folder.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from scriptrun.data.errors import (
    DatastoreException,
    FileChanged,
    FileMissing,
    NoListing,
    NoRanges,
    StoreUnreachable,
)
from scriptrun.data.stores.limits import MAX_PAGE_SIZE, ListingLimit, parse_size
from scriptrun.data.stores.protocol import PIECE_SIZE, FileEntry
from scriptrun.data.stores.timeouts import SETTING, Backoff, time_limit
from scriptrun.data.stores.web_headers import expected_digest, retry_after_seconds
from scriptrun.data.stores.web_listing import links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableSequence
    from http.client import HTTPMessage
    from urllib.request import Request

    from scriptrun.data.stores.web_connection import PacedResponse

#: files whose headers are requested in one batch when a folder is listed
_STAT_BATCH = 256
#: time limits that an index page may take in all
_PAGE_LIMITS = 10
#: HTTP statuses worth a retry
_RETRYABLE_STATUSES = (408, 429, 500, 502, 503, 504)


class WebStore:
    """The files below the URL ``root``. ``headers`` (credentials) are sent with every request."""

    folder: Path | None = None
    sums = False
    at_once = 16

    def __init__(
        self, name: str, root: str, headers: dict[str, str] | None = None, query: str = ""
    ) -> None:
        self.name = name
        self._query = query
        self.root = root.rstrip("/")
        self._headers = headers or {}
        self._send: Callable[[Request], PacedResponse] | None = None

    def list(self, folder: str = "") -> Iterator[FileEntry]:
        """The files that the server's index pages link. Raises NoListing if there are none."""
        yield from self._list(folder, ListingLimit(self.name))

    def _list(self, folder: str, limit: ListingLimit) -> Iterator[FileEntry]:
        prefix = f"{folder}/" if folder else ""
        names = self._list_names(folder)
        files: MutableSequence[str] = []
        for name in names:
            limit.add()
            if not name.endswith("/"):
                files.append(prefix + name)
            if name.endswith("/") or name == names[-1] or len(files) == _STAT_BATCH:
                yield from self._stat_all(files)
                files = []
            if name.endswith("/"):
                limit.enter(prefix + name, (prefix + name).count("/"))
                yield from self._list(prefix + name[:-1], limit)

    def _stat_all(self, paths: Sequence[str]) -> Sequence[FileEntry]:
        """The entries of the files; broken links are skipped."""
        from concurrent.futures import ThreadPoolExecutor

        if not paths:
            return []
        with ThreadPoolExecutor(self.at_once, "scriptrun-web") as pool:
            return [entry for entry in pool.map(self.stat, paths) if entry is not None]

    def _list_names(self, folder: str) -> Sequence[str]:
        """The names in ``folder``, sorted; those of folders end with a slash."""
        try:
            with self._request(f"{folder}/" if folder else "", "GET") as response:
                if response.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
                    text = self._read_page(response).decode("utf-8", "replace")
                    return links(text, _with_slash(response.url) if not folder else response.url)
        except FileMissing:
            pass
        raise NoListing(
            f"The HTTP server of {self.name} does not list {folder or 'its files'}.",
            "Give each file's full path, without * or folders.",
        )

    def _read_page(self, response: PacedResponse) -> bytes:
        try:
            page = response.read_page(MAX_PAGE_SIZE, _PAGE_LIMITS * time_limit())
        except OSError as error:
            raise self._connection_error(_reason(error)) from None
        if len(page) > MAX_PAGE_SIZE:
            raise DatastoreException(
                f"The server of {self.name} sends an index page of more than "
                f"{MAX_PAGE_SIZE >> 20} MiB.",
                "Give each file's full path, or let the server split the folder.",
            )
        return page

    def stat(self, path: str) -> FileEntry | None:
        """The file's entry from its headers; None if the server returns 404 or 410."""
        try:
            with self._request(path, "HEAD") as response:
                if path and response.url == _with_slash(address(self.root, path) + self._query):
                    return None  # a folder: the server redirected to its index page
                return self._entry(path, response.headers)
        except FileMissing:
            return None

    def read(self, path: str, start: int, end: int, etag: str = "") -> bytes:
        """A range of the file; without range requests, cut from the whole."""
        if end <= start:
            return b""
        with self._request(path, "GET", {"Range": f"bytes={start}-{end - 1}"}) as response:
            self._check(path, response.headers, etag)
            try:
                if response.status != 206:
                    response.skip(start)
                return bytes(response.read(end - start))
            except OSError as error:
                raise self._connection_error(_reason(error)) from None

    def pieces(
        self, path: str, etag: str = "", start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """The file, or a range of it; verified if the server sends a digest."""
        range_start = f"bytes={start}-"
        range_header = {"Range": range_start if end is None else f"{range_start}{end - 1}"}
        with self._request(
            path, "GET", range_header if start or end is not None else {}
        ) as response:
            self._check(path, response.headers, etag)
            if response.status != 206 and (start or end is not None):
                raise NoRanges(f"The server of {self.name} does not support range requests.")
            digest = expected_digest(response.headers) if response.status == 200 else None
            try:
                for piece in _body(response):
                    if digest is not None:
                        digest.add(piece)
                    yield piece
            except OSError as error:
                raise self._connection_error(_reason(error)) from None
            if digest is not None and not digest.matches():
                raise DatastoreException(
                    f"File {path!r} from {self.name} was corrupted during download: "
                    "its digest differs.",
                    "Try again. If it fails again, the connection or a proxy is altering the data.",
                )

    def write(self, path: str, file: BinaryIO, new: bool = False) -> FileEntry:
        """Raise DatastoreException: the store is read-only."""
        raise self._read_only()

    def delete(self, path: str) -> None:
        """Raise DatastoreException: the store is read-only."""
        raise self._read_only()

    def _read_only(self) -> DatastoreException:
        return DatastoreException(
            f"HTTP datastore {self.name!r} is read-only.", "Write to another datastore."
        )

    def _check(self, path: str, headers: HTTPMessage, etag: str) -> None:
        if etag and self._entry(path, headers).etag != etag:
            raise FileChanged(f"File {path!r} in {self.name} has changed.")

    def _entry(self, path: str, headers: HTTPMessage) -> FileEntry:
        from email.utils import parsedate_to_datetime

        etag = (headers.get("ETag") or "").removeprefix("W/").strip('"')
        last_modified = headers.get("Last-Modified")
        try:
            modified = parsedate_to_datetime(last_modified).timestamp() if last_modified else 0.0
        except (ValueError, OverflowError):
            modified = 0.0
        whole_length = headers.get("Content-Range", "").rpartition("/")[2]
        size = parse_size(whole_length or headers.get("Content-Length"), self.name)
        return FileEntry(path, size, etag or (f"{modified:.0f}" if modified else ""), modified)

    def _request(
        self, path: str, method: str, headers: dict[str, str] | None = None
    ) -> PacedResponse:
        """Send a request, with retries on temporary errors, and return the response."""
        import urllib.error
        import urllib.request

        url = address(self.root, path) + self._query
        all_headers = {"User-Agent": "scriptrun", "Accept-Encoding": "identity", **self._headers}
        request = urllib.request.Request(
            url, method=method, headers={**all_headers, **(headers or {})}
        )
        send = self._sender()
        backoff = Backoff()
        while True:
            retry_after = 0.0
            try:
                return send(request)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code not in _RETRYABLE_STATUSES:
                    raise self._status_error(path, error.code) from None
                reason = f"the server returned {error.code}"
                retry_after = retry_after_seconds(error.headers.get("Retry-After"))
                if retry_after > time_limit():
                    reason += (
                        f" and asks to wait {retry_after:,.0f} s, longer than {SETTING} "
                        f"({time_limit():g} s)"
                    )
            except OSError as error:
                reason = _reason(error)
            if reason == _NO_SERVER or not backoff.wait(retry_after):
                raise self._connection_error(reason) from None

    def _sender(self) -> Callable[[Request], PacedResponse]:
        if self._send is None:
            connection = importlib.import_module("scriptrun.data.stores.web_connection")
            self._send = connection.opener(self.name, self._headers)
        return self._send

    def _status_error(self, path: str, code: int) -> DatastoreException:
        if code in (404, 410):
            return FileMissing(f"File {path!r} not found in {self.name}.")
        outcome = "denied access" if code in (401, 403) else f"returned {code}"
        return DatastoreException(f"Cannot read {path!r} in {self.name}: the server {outcome}.")

    def _connection_error(self, reason: str) -> DatastoreException:
        error_class = DatastoreException if reason == _NO_SERVER else StoreUnreachable
        return error_class(f"Cannot read from {self.name}: {reason}.")


def _body(response: PacedResponse) -> Iterator[bytes]:
    """The response's body; raises OSError if it is shorter than its Content-Length."""
    while piece := response.read(PIECE_SIZE):
        yield piece
    if response.length:  # what is left of the announced length; None without one
        raise ConnectionError


_NO_SERVER = "unknown host or connection refused"


def _reason(error: Exception) -> str:
    import socket

    cause = getattr(error, "reason", error)
    if isinstance(cause, ConnectionRefusedError | socket.gaierror):
        return _NO_SERVER
    if isinstance(cause, TimeoutError):
        return "the request timed out"
    return "the connection was lost"


def address(root: str, path: str) -> str:
    """The URL of the file at ``path`` below ``root``."""
    from urllib.parse import quote

    return f"{root}/{quote(path)}" if path else root


def _with_slash(url: str) -> str:
    """The URL with a slash at the end of its path, as index pages have."""
    base, question, query = url.partition("?")
    return base.rstrip("/") + "/" + question + query
