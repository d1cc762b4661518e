"""Any storage with an fsspec driver: SFTP, FTP, WebDAV and others."""

from __future__ import annotations

import datetime
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from scriptrun.data.errors import (
    DatastoreException,
    FileChanged,
    FileExists,
    FileMissing,
    StoreUnreachable,
    corrupted_upload,
    missing_package,
)
from scriptrun.data.stores.limits import ListingLimit
from scriptrun.data.stores.local import read_range
from scriptrun.data.stores.protocol import PIECE_SIZE, FileEntry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fsspec import AbstractFileSystem
    from fsspec.spec import AbstractBufferedFile

    from scriptrun.runtime.hints import Json


class FsspecStore:
    """The files below ``root`` of an fsspec ``protocol``, opened with ``options``."""

    folder: Path | None = None
    sums = False
    at_once = 4

    def __init__(self, name: str, protocol: str, root: str, options: Json) -> None:
        self.name = name
        self.root = root.rstrip("/")
        self._protocol = protocol
        self._options = options
        self._thread_local = threading.local()

    def list(self, folder: str = "") -> Iterator[FileEntry]:
        """Every file below ``folder``, sorted here since drivers do not guarantee an order."""
        try:
            self._system().invalidate_cache()
            infos = _find(self._system(), self._full_path(folder), ListingLimit(self.name))
        except FileNotFoundError:
            return
        except Exception as error:
            self._raise_error(error, "list", folder or "its files")
        prefix_length = (
            len(self._full_path("").strip("/")) + 1 if self._full_path("").strip("/") else 0
        )
        entries = [
            _entry(str(name).strip("/")[prefix_length:], info) for name, info in infos.items()
        ]
        yield from sorted(entries)

    def stat(self, path: str) -> FileEntry | None:
        """The file at ``path``, or None."""
        try:
            self._system().invalidate_cache()
            info = self._system().info(self._full_path(path))
        except FileNotFoundError:
            return None
        except Exception as error:
            self._raise_error(error, "read", path)
        return _entry(path, info) if info.get("type") == "file" else None

    def read(self, path: str, start: int, end: int, etag: str = "") -> bytes:
        """The bytes from ``start`` up to ``end``."""
        self._check(path, etag)
        try:
            return bytes(self._system().cat_file(self._full_path(path), start=start, end=end))
        except Exception as error:
            self._raise_error(error, "read", path)

    def pieces(
        self, path: str, etag: str = "", start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """The file, or a range of it, piece by piece."""
        self._check(path, etag)
        try:
            with self._system().open(self._full_path(path), "rb") as file:
                _read_ahead(file, start, end)
                yield from read_range(file, start, end)
        except Exception as error:
            self._raise_error(error, "read", path)

    def write(self, path: str, file: BinaryIO, new: bool = False) -> FileEntry:
        """Store ``file``; whether a partial file is visible depends on the driver.

        Drivers have no conditional writes: with ``new`` it checks right before.
        """
        if new and self.stat(path) is not None:
            raise FileExists(f"File {path!r} already exists in {self.name}.")
        begin = file.tell()
        try:
            self._system().makedirs(self._full_path(path).rpartition("/")[0], exist_ok=True)
            with self._system().open(self._full_path(path), "wb") as out:
                if hasattr(out, "set_pipelined"):  # SFTP: do not wait for each response
                    out.set_pipelined(True)
                shutil.copyfileobj(file, out, PIECE_SIZE)
        except Exception as error:
            self._raise_error(error, "write", path)
        entry = self._wait_for_size(path, file.tell() - begin)
        if entry is None:
            raise corrupted_upload(path, self.name)
        return entry

    def _wait_for_size(self, path: str, size: int) -> FileEntry | None:
        """Wait until the file has ``size``; None if another writer replaced it."""
        for pause in (0.0, 0.1, 0.4, 1.0):
            time.sleep(pause)
            entry = self.stat(path)
            if entry is not None and entry.size == size:
                return entry
        return None

    def delete(self, path: str) -> None:
        """Remove the file if it exists."""
        try:
            self._system().rm_file(self._full_path(path))
        except FileNotFoundError:
            pass
        except Exception as error:
            self._raise_error(error, "remove", path)

    def _full_path(self, path: str) -> str:
        return f"{self.root}/{path}" if path else self.root

    def _check(self, path: str, etag: str) -> None:
        entry = self.stat(path) if etag else None
        if entry is not None and entry.etag != etag:
            raise FileChanged(f"File {path!r} in {self.name} has changed.")

    def _system(self) -> AbstractFileSystem:
        """The driver, one per thread since many use a single connection."""
        if not hasattr(self._thread_local, "system"):
            self._thread_local.system = _open(self._protocol, self._options)
        return self._thread_local.system

    def _raise_error(self, error: Exception, action: str, subject: str) -> NoReturn:
        if isinstance(error, DatastoreException):
            raise error
        if isinstance(error, FileNotFoundError):
            raise FileMissing(f"File {subject!r} not found in {self.name}.") from None
        if isinstance(error, PermissionError):
            reason = "permission denied"
            raise DatastoreException(
                f"Cannot {action} {subject} in {self.name}: {reason}."
            ) from None
        self._thread_local.__dict__.pop(
            "system", None
        )  # its connection may be broken: open a new one next time
        error_class = StoreUnreachable if isinstance(error, _RETRYABLE) else DatastoreException
        raise error_class(f"Cannot {action} {subject} in {self.name}: {_reason(error)}.") from None


def _find(system: AbstractFileSystem, root: str, limit: ListingLimit) -> Json:
    """All files below ``root`` with their facts; ends where the server's folders do not.

    A driver with a listing of its own gives all at once. The others are walked folder by folder.
    """
    from fsspec import AbstractFileSystem as Base

    if type(system).find is not Base.find:
        found: Json = system.find(root, detail=True)
        return found
    infos: Json = {}
    top_depth = -1
    for path, folders, names in system.walk(root, detail=True):
        depth = path.strip("/").count("/")
        top_depth = depth if top_depth < 0 else top_depth
        limit.enter(path, depth - top_depth)
        for info in (*folders.values(), *names.values()):
            limit.add()
            if info.get("type") != "directory":
                infos[info["name"]] = info
    if not infos and system.isfile(root):
        infos[root] = system.info(root)
    return infos


def _read_ahead(file: AbstractBufferedFile, start: int, end: int | None) -> None:
    """Enable read-ahead for SFTP (paramiko), which otherwise requests one small piece at a time."""
    if hasattr(file, "prefetch"):
        file.seek(start)
        file.prefetch(file.stat().st_size if end is None else end)


#: errors worth a retry
_RETRYABLE = (OSError, EOFError)
#: messages for the exceptions of drivers
_REASONS = {
    "AuthenticationException": "invalid username, key or password",
    "BadHostKeyException": "the host key does not match the known one",
    "ConnectionRefusedError": "connection refused",
    "NoValidConnectionsError": "connection refused",
    "EOFError": "the connection was lost",
    "OSError": "the connection was lost",
    "SSHException": "the connection was lost",
    "TimeoutError": "the request timed out",
    "gaierror": "unknown host name",
}


def _reason(error: Exception) -> str:
    return _REASONS.get(type(error).__name__, type(error).__name__)


def _open(protocol: str, options: Json) -> AbstractFileSystem:
    try:
        import fsspec
    except ImportError:
        raise missing_package("fsspec", f"A datastore on {protocol}") from None
    try:
        return fsspec.filesystem(protocol, skip_instance_cache=True, **options)
    except ValueError:
        raise DatastoreException(
            f"fsspec has no driver for {protocol!r}.",
            "Install the driver, or check the name of the protocol.",
        ) from None
    except ImportError as error:
        missing = getattr(error, "name", None) or "a driver"
        raise DatastoreException(
            f"A datastore on {protocol} requires a package that is not installed: {missing}.",
            "For each protocol's package, see fsspec's documentation.",
        ) from None
    except Exception as error:
        raise DatastoreException(
            f"Cannot open a datastore on {protocol}: {_reason(error)}.",
            "Check its host, options and credentials.",
        ) from None


def _entry(path: str, info: Json) -> FileEntry:
    names = ("mtime", "modified", "last_modified", "modify", "created")
    modified = _timestamp(next((info[name] for name in names if info.get(name)), 0.0))
    size = int(info.get("size") or 0)
    etag = info.get("ETag") or info.get("etag") or (f"{modified:.6f}-{size}" if modified else "")
    return FileEntry(path, size, str(etag).strip('"'), modified)


def _timestamp(moment: str | float | datetime.datetime) -> float:
    """A driver's time in seconds since 1970: it may be a datetime, digits (FTP) or a number."""
    if isinstance(moment, str):
        digits = moment.partition(".")[0]
        try:
            moment = datetime.datetime.strptime(digits + "+0000", "%Y%m%d%H%M%S%z")
        except ValueError:
            return 0.0
    return float(moment.timestamp() if hasattr(moment, "timestamp") else moment)
