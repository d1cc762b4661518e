"""Object storage through obstore: Azure Blob, S3 and compatible servers, Google Cloud Storage."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from scriptrun.data.errors import (
    DatastoreException,
    FileChanged,
    FileExists,
    FileMissing,
    NoRanges,
    Refused,
    Unreachable,
    not_whole,
)
from scriptrun.data.stores.checksums import Sums, part_size, size_of
from scriptrun.data.stores.protocol import PIECE, Entry
from scriptrun.data.stores.timeouts import waited

#: opens the obstore store on first use, since that loads a large library
Opener = Callable[[], Any]
#: parts of one file to upload in parallel
_PARTS_AT_ONCE = 4


class ObjectStore:
    """The objects of one bucket or container, or those below a prefix."""

    folder: Path | None = None
    sums = True
    at_once = 32

    def __init__(self, name: str, opener: Opener, sealed: bool = True) -> None:
        """``sealed``: the connection itself protects the bytes in transit (TLS)."""
        self.name = name
        self._opener = opener
        self._sealed = sealed
        self._lock = threading.Lock()
        self._opened: Any = None

    def prepare(self) -> None:
        """Load obstore ahead of the first request; sends no request."""
        with contextlib.suppress(Exception):  # reported on first use
            self._store()

    def list(self, folder: str = "") -> Iterator[Entry]:
        """Every object below ``folder``, a page of 1,000 at a time."""
        import obstore

        try:
            pages = iter(obstore.list(self._store(), folder or None, chunk_size=1000))
            while page := waited(lambda: next(pages, None)):
                for entry in map(_entry, page):
                    if entry.size or not self._is_marker(entry.path):
                        yield entry
        except Exception as error:
            self._failed(error, "list", folder or "its files")

    def _is_marker(self, path: str) -> bool:
        """Whether an empty object only marks a folder: its key ends with a slash.

        obstore lists it without the slash, so there is no object of that name.
        """
        return self.stat(path) is None

    def stat(self, path: str) -> Entry | None:
        """The object at ``path``, or None."""
        import obstore

        try:
            return _entry(waited(lambda: obstore.head(self._store(), path)))
        except FileNotFoundError:
            return None
        except Exception as error:
            self._failed(error, "read", path)

    def read(self, path: str, start: int, end: int, etag: str = "") -> bytes:
        """A range of the object; without range requests, cut from the whole."""
        if end <= start:
            return b""
        try:
            return b"".join(self._get(path, etag, {"range": (start, end)}))
        except NoRanges:
            return b"".join(self._get(path, etag, {}))[start:end]

    def pieces(
        self, path: str, etag: str = "", start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """The object, or a range of it, as it arrives."""
        options: dict[str, Any] = {}
        if end is not None:
            options["range"] = (start, end)
        elif start:
            options["range"] = {"offset": start}
        yield from self._get(path, etag, options)

    def _get(self, path: str, etag: str, options: dict[str, Any]) -> Iterator[bytes]:
        import obstore

        wanted: Any = {**options, "if_match": f'"{etag}"'} if etag else options
        try:
            found = obstore.get(self._store(), path, options=wanted)
            if etag and _bare(found.meta["e_tag"]) != etag:  # If-Match unsupported
                raise FileChanged(f"File {path!r} in {self.name} has changed.")
            begin, end = found.range
            if end - begin <= PIECE:  # for small files a stream would double the cost
                yield bytes(found.bytes())
                return
            for piece in found.stream(PIECE):
                yield bytes(piece)
        except Exception as error:
            self._failed(error, "read", path)

    def write(self, path: str, file: BinaryIO, new: bool = False) -> Entry:
        """Upload the object; a large one in parts, visible once the last has arrived.

        Verifies it by its ETag if that is the MD5 (of parts: the MD5 of theirs). Otherwise it
        compares the size, and without TLS also reads the object back.
        """
        import obstore

        size = size_of(file)
        sent = Sums(file, part_size(size))
        how: dict[str, Any] = {"chunk_size": sent.part, "max_concurrency": _PARTS_AT_ONCE}
        if new and size <= sent.part:
            how["mode"] = "create"
        elif new and self.stat(path) is not None:
            raise FileExists(f"File {path!r} already exists in {self.name}.")
        try:
            data: Any = sent.read() if size <= sent.part else sent
            done = waited(lambda: obstore.put(self._store(), path, data, **how))
        except Exception as error:
            self._failed(error, "write", path)
        if sent.size != size:
            raise DatastoreException(f"The local file for {path!r} changed during the upload.")
        return self._checked(Entry(path, size, _bare(done["e_tag"])), sent)

    def _checked(self, entry: Entry, sent: Sums) -> Entry:
        """The entry of the uploaded object; raises DatastoreException if it differs."""
        if entry.etag == sent.etag():
            return entry if "-" not in entry.etag else self.stat(entry.path) or entry
        there = entry
        if entry.size > sent.part:  # in parts: some servers report a different ETag later
            there = self.stat(entry.path) or Entry(entry.path, -1)
        if there.size != entry.size or not (self._sealed or self._reads_as(there, sent)):
            raise not_whole(entry.path, self.name)
        return there

    def _reads_as(self, entry: Entry, sent: Sums) -> bool:
        back = Sums(None, sent.part)
        try:
            for piece in self.pieces(entry.path, entry.etag):
                back.add(piece)
        except (FileChanged, FileMissing):  # another client has written or removed it since
            return True
        return back.etag() == sent.etag()

    def delete(self, path: str) -> None:
        """Remove the object if it exists."""
        import obstore

        try:
            waited(lambda: obstore.delete(self._store(), path))
        except FileNotFoundError:
            pass
        except Exception as error:
            self._failed(error, "remove", path)

    def _store(self) -> Any:
        with self._lock:
            if self._opened is None:
                self._opened = self._opener()
            return self._opened

    def _failed(self, error: Exception, did: str, what: str) -> NoReturn:
        if isinstance(error, DatastoreException):
            raise error
        if type(error).__name__ == "AlreadyExistsError":
            raise FileExists(f"File {what!r} already exists in {self.name}.") from None
        if type(error).__name__ == "PreconditionError" and self.stat(what) is None:
            error = FileNotFoundError()
        raise _sentence(error, self.name, did, what) from None


#: error codes of S3 and Azure Blob, and our messages for them
_CODES = {
    "NoSuchBucket": "its bucket does not exist",
    "ContainerNotFound": "its container does not exist",
    "ContainerBeingDeleted": "its container is being deleted",
    "SignatureDoesNotMatch": "invalid key",
    "InvalidAccessKeyId": "unknown access key",
    "AuthorizationFailure": "invalid key, or permission denied",
    "AuthenticationFailed": "invalid or expired key or token",
    "ExpiredToken": "expired token",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
    "NoAuthenticationInformation": "credentials required",
}
_CREDENTIALS = (
    "Credentials come from the environment, the provider's own chain (login, role), or a named "
    "secret (scriptrun secret set). See docs/how-to/datastores.md."
)


def _sentence(error: Exception, name: str, did: str, what: str) -> DatastoreException:
    """Translate an error of obstore; its text may contain addresses and headers, so drop it."""
    kind, text = type(error).__name__, str(error)
    if kind == "PreconditionError":
        return FileChanged(f"File {what!r} in {name} has changed.")
    code = next(iter(re.findall(r"<Code>(\w+)</Code>", text)), "")
    if code not in _CODES and isinstance(error, FileNotFoundError):
        return FileMissing(f"File {what!r} not found in {name}.")
    if "non-partial response" in text:
        return NoRanges(f"The server of {name} does not support range requests.")
    status = next(iter(re.findall(r"status code: (\d{3})", text)), "")
    refused = kind in ("PermissionDeniedError", "UnauthenticatedError") or status in ("401", "403")
    reason = _CODES.get(code) or _reason(text, status, refused)
    later = status in _LATER or reason in _BROKEN
    kinds = {_MAY_NOT: Refused, _CODES["AuthorizationFailure"]: Refused}
    return (Unreachable if later else kinds.get(reason, DatastoreException))(
        f"Cannot {did} {what} in {name}: {reason}.",
        _CREDENTIALS if refused or reason == _NONE_FOUND else "",
    )


def _reason(text: str, status: str, refused: bool) -> str:
    if _METADATA in text:
        return _NONE_FOUND
    if refused:
        return _MAY_NOT
    if status:
        return f"the server returned {status}"
    for pattern, reason in _REASONS.items():
        if re.search(pattern, text):
            return reason
    return _BREAK


#: HTTP statuses worth a retry
_LATER = ("408", "429", "500", "502", "503", "504")
#: the metadata service of cloud machines, the last place to look for credentials
_METADATA = "169.254.169.254"
_MAY_NOT = "invalid credentials, or permission denied"
_NONE_FOUND = "no valid credentials found"
_BREAK = "the connection was lost or the response was invalid"
_REASONS = {
    "Error parsing Path|empty path segment": "it contains an invalid path (e.g. ../x or a//b)",
    "kind: Connect|Connection refused|dns error": "the server is unreachable",
    "kind: Timeout|timed out": "the request timed out",
    r"[Cc]redential|[Tt]oken": _NONE_FOUND,
}
_BROKEN = (_BREAK, "the server is unreachable", "the request timed out")


def _entry(meta: Any) -> Entry:
    modified = meta.get("last_modified")
    return Entry(
        meta["path"],
        meta["size"],
        _bare(meta.get("e_tag")),
        modified.timestamp() if modified else 0.0,
    )


def _bare(etag: str | None) -> str:
    """The ETag without quotes and weak prefix: servers are inconsistent about these."""
    return (etag or "").removeprefix("W/").strip('"')
