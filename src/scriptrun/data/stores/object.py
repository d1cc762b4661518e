"""Object storage through obstore: Azure Blob, S3 and compatible servers, Google Cloud Storage."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from scriptrun.data.errors import (
    AccessDenied,
    DatastoreException,
    FileChanged,
    FileExists,
    FileMissing,
    NoCredentials,
    NoRanges,
    StoreUnreachable,
    corrupted_upload,
    missing_package,
)
from scriptrun.data.stores.checksums import EtagReader, part_size, remaining_size
from scriptrun.data.stores.limits import ListingLimit
from scriptrun.data.stores.protocol import PIECE_SIZE, FileEntry
from scriptrun.data.stores.timeouts import run_interruptible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ObjectStore as Client

#: opens the obstore store on first use, since that loads a large library
Opener = Callable[[], "Client"]
#: parts of one file to upload in parallel
_PARTS_AT_ONCE = 4


class ObjectStore:
    """The objects of one bucket or container, or those below a prefix."""

    folder: Path | None = None
    sums = True
    at_once = 32

    def __init__(self, name: str, opener: Opener, encrypted: bool = True) -> None:
        """``encrypted``: the connection itself protects the bytes in transit (TLS)."""
        self.name = name
        self._opener = opener
        self._encrypted = encrypted
        self._lock = threading.Lock()
        self._client: Client | None = None

    def prepare(self) -> None:
        """Load obstore ahead of the first request; sends no request."""
        with contextlib.suppress(Exception):  # reported on first use
            self._store()

    def list(self, folder: str = "") -> Iterator[FileEntry]:
        """Every object below ``folder``, a page of 1,000 at a time."""
        _require_library()
        import obstore

        limit = ListingLimit(self.name)
        try:
            pages = iter(obstore.list(self._store(), folder or None, chunk_size=1000))
            while page := run_interruptible(lambda: next(pages, None)):
                for entry in map(_entry, page):
                    limit.add()
                    if entry.size or not self._is_marker(entry.path):
                        yield entry
        except Exception as error:
            self._raise_error(error, "list", folder or "its files")

    def _is_marker(self, path: str) -> bool:
        """Whether an empty object only marks a folder: its key ends with a slash.

        obstore lists it without the slash, so there is no object of that name.
        """
        return self.stat(path) is None

    def stat(self, path: str) -> FileEntry | None:
        """The object at ``path``, or None."""
        _require_library()
        import obstore

        try:
            return _entry(run_interruptible(lambda: obstore.head(self._store(), path)))
        except FileNotFoundError:
            return None
        except Exception as error:
            self._raise_error(error, "read", path)

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
        options: GetOptions = {}
        if end is not None:
            options["range"] = (start, end)
        elif start:
            options["range"] = {"offset": start}
        yield from self._get(path, etag, options)

    def _get(self, path: str, etag: str, options: GetOptions) -> Iterator[bytes]:
        _require_library()
        import obstore

        request_options: GetOptions = {**options, "if_match": f'"{etag}"'} if etag else options
        try:
            response = obstore.get(self._store(), path, options=request_options)
            if etag and _normalize_etag(response.meta["e_tag"]) != etag:  # If-Match unsupported
                raise FileChanged(f"File {path!r} in {self.name} has changed.")
            begin, end = response.range
            if end - begin <= PIECE_SIZE:  # for small files a stream would double the cost
                yield bytes(response.bytes())
                return
            for piece in response.stream(PIECE_SIZE):
                yield bytes(piece)
        except Exception as error:
            self._raise_error(error, "read", path)

    def write(self, path: str, file: BinaryIO, new: bool = False) -> FileEntry:
        """Upload the object; a large one in parts, visible once the last has arrived.

        Verifies it by its ETag if that is its MD5 (of parts: of their MD5s). Otherwise it compares
        the size, and without TLS also reads the object back.
        """
        _require_library()
        import obstore

        size = remaining_size(file)
        reader = EtagReader(file, part_size(size))
        put_options: dict[str, object] = {
            "chunk_size": reader.part,
            "max_concurrency": _PARTS_AT_ONCE,
        }
        if new and size <= reader.part:
            put_options["mode"] = "create"
        elif new and self.stat(path) is not None:
            raise FileExists(f"File {path!r} already exists in {self.name}.")
        try:
            data: bytes | EtagReader = reader.read() if size <= reader.part else reader
            result = run_interruptible(
                lambda: obstore.put(self._store(), path, data, **put_options)
            )
        except Exception as error:
            self._raise_error(error, "write", path)
        if reader.size != size:
            raise DatastoreException(
                f"The local file for {path!r} changed during the upload.", "Upload it again."
            )
        return self._verify(FileEntry(path, size, _normalize_etag(result["e_tag"])), reader)

    def _verify(self, entry: FileEntry, reader: EtagReader) -> FileEntry:
        """The entry of the uploaded object; raises DatastoreException if it differs."""
        if entry.etag == reader.etag():
            return entry if "-" not in entry.etag else self.stat(entry.path) or entry
        stored = entry
        if entry.size > reader.part:  # in parts: some servers report a different ETag later
            stored = self.stat(entry.path) or FileEntry(entry.path, -1)
        if stored.size != entry.size or not (
            self._encrypted or self._matches_on_read(stored, reader)
        ):
            raise corrupted_upload(entry.path, self.name)
        return stored

    def _matches_on_read(self, entry: FileEntry, reader: EtagReader) -> bool:
        read_back = EtagReader(None, reader.part)
        try:
            for piece in self.pieces(entry.path, entry.etag):
                read_back.add(piece)
        except (FileChanged, FileMissing):  # another client has written or removed it since
            return True
        return read_back.etag() == reader.etag()

    def delete(self, path: str) -> None:
        """Remove the object if it exists."""
        _require_library()
        import obstore

        try:
            run_interruptible(lambda: obstore.delete(self._store(), path))
        except FileNotFoundError:
            pass
        except Exception as error:
            self._raise_error(error, "remove", path)

    def _store(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = self._opener()
            return self._client

    def _raise_error(self, error: Exception, action: str, subject: str) -> NoReturn:
        if isinstance(error, DatastoreException):
            raise error
        if type(error).__name__ == "AlreadyExistsError":
            raise FileExists(f"File {subject!r} already exists in {self.name}.") from None
        if type(error).__name__ == "PreconditionError" and self.stat(subject) is None:
            error = FileNotFoundError()
        raise _translate_error(error, self.name, action, subject) from None


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


def _require_library() -> None:
    try:
        import obstore  # noqa: F401
    except ImportError:
        raise missing_package("obstore", "Object storage") from None


def _translate_error(error: Exception, name: str, action: str, subject: str) -> DatastoreException:
    """Translate an error of obstore; its text may contain addresses and headers, so drop it."""
    kind, text = type(error).__name__, str(error)
    if kind == "PreconditionError":
        return FileChanged(f"File {subject!r} in {name} has changed.")
    code = next(iter(re.findall(r"<Code>(\w+)</Code>", text)), "")
    if code not in _CODES and isinstance(error, FileNotFoundError):
        return FileMissing(f"File {subject!r} not found in {name}.")
    if "non-partial response" in text:
        return NoRanges(f"The server of {name} does not support range requests.")
    status = next(iter(re.findall(r"status code: (\d{3})", text)), "")
    is_denied = kind in ("PermissionDeniedError", "UnauthenticatedError") or status in (
        "401",
        "403",
    )
    reason = _CODES.get(code) or _reason(text, status, is_denied)
    is_temporary = status in _RETRYABLE_STATUSES or reason in _RETRYABLE_REASONS
    error_classes: dict[str, type[DatastoreException]] = {
        _DENIED: AccessDenied,
        _CODES["AuthorizationFailure"]: AccessDenied,
        _NO_CREDENTIALS: NoCredentials,
    }
    return (StoreUnreachable if is_temporary else error_classes.get(reason, DatastoreException))(
        f"Cannot {action} {subject} in {name}: {reason}.",
        _CREDENTIALS if is_denied or reason == _NO_CREDENTIALS else "",
    )


def _reason(text: str, status: str, is_denied: bool) -> str:
    if _METADATA in text:
        return _NO_CREDENTIALS
    if is_denied:
        return _DENIED
    if status:
        return f"the server returned {status}"
    for pattern, reason in _REASONS.items():
        if re.search(pattern, text):
            return reason
    return _CONNECTION_LOST


#: HTTP statuses worth a retry
_RETRYABLE_STATUSES = ("408", "429", "500", "502", "503", "504")
#: the metadata service of cloud machines, the last place to look for credentials
_METADATA = "169.254.169.254"
_DENIED = "invalid credentials, or permission denied"
_NO_CREDENTIALS = "no valid credentials found"
_CONNECTION_LOST = "the connection was lost or the response was invalid"
_REASONS = {
    "Error parsing Path|empty path segment": "it contains an invalid path (e.g. ../x or a//b)",
    "kind: Connect|Connection refused|dns error": "the server is unreachable",
    "kind: Timeout|timed out": "the request timed out",
    r"[Cc]redential|[Tt]oken": _NO_CREDENTIALS,
}
_RETRYABLE_REASONS = (_CONNECTION_LOST, "the server is unreachable", "the request timed out")


def _entry(meta: ObjectMeta) -> FileEntry:
    modified = meta.get("last_modified")
    return FileEntry(
        meta["path"],
        meta["size"],
        _normalize_etag(meta.get("e_tag")),
        modified.timestamp() if modified else 0.0,
    )


def _normalize_etag(etag: str | None) -> str:
    """The ETag without quotes and weak prefix: servers are inconsistent about these."""
    return (etag or "").removeprefix("W/").strip('"')
