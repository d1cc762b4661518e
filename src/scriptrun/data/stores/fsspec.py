"""Any storage with an fsspec driver: SFTP, FTP, WebDAV and others."""

from __future__ import annotations

import datetime
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from scriptrun.data.errors import (
    DatastoreException,
    FileChanged,
    FileExists,
    FileMissing,
    Unreachable,
    needs,
    not_whole,
)
from scriptrun.data.stores.local import ranged
from scriptrun.data.stores.protocol import PIECE, Entry


class ForeignStore:
    """The files below ``root`` of an fsspec ``protocol``, opened with ``options``."""

    folder: Path | None = None
    sums = False
    at_once = 4

    def __init__(self, name: str, protocol: str, root: str, options: dict[str, Any]) -> None:
        self.name = name
        self.root = root.rstrip("/")
        self._protocol = protocol
        self._options = options
        self._own = threading.local()

    def list(self, folder: str = "") -> Iterator[Entry]:
        """Every file below ``folder``, sorted here since drivers do not guarantee an order."""
        try:
            self._system().invalidate_cache()
            found = self._system().find(self._at(folder), detail=True)
        except FileNotFoundError:
            return
        except Exception as error:
            self._failed(error, "list", folder or "its files")
        cut = len(self._at("").strip("/")) + 1 if self._at("").strip("/") else 0
        entries = [_entry(str(name).strip("/")[cut:], info) for name, info in found.items()]
        yield from sorted(entries)

    def stat(self, path: str) -> Entry | None:
        """The file at ``path``, or None."""
        try:
            self._system().invalidate_cache()
            info = self._system().info(self._at(path))
        except FileNotFoundError:
            return None
        except Exception as error:
            self._failed(error, "read", path)
        return _entry(path, info) if info.get("type") == "file" else None

    def read(self, path: str, start: int, end: int, etag: str = "") -> bytes:
        """The bytes from ``start`` up to ``end``."""
        self._check(path, etag)
        try:
            return bytes(self._system().cat_file(self._at(path), start=start, end=end))
        except Exception as error:
            self._failed(error, "read", path)

    def pieces(
        self, path: str, etag: str = "", start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """The file, or a range of it, piece by piece."""
        self._check(path, etag)
        try:
            with self._system().open(self._at(path), "rb") as file:
                _read_ahead(file, start, end)
                yield from ranged(file, start, end)
        except Exception as error:
            self._failed(error, "read", path)

    def write(self, path: str, file: BinaryIO, new: bool = False) -> Entry:
        """Store ``file``; whether a partial file is visible depends on the driver.

        Drivers have no conditional writes: with ``new`` it checks right before.
        """
        if new and self.stat(path) is not None:
            raise FileExists(f"File {path!r} already exists in {self.name}.")
        begin = file.tell()
        try:
            self._system().makedirs(self._at(path).rpartition("/")[0], exist_ok=True)
            with self._system().open(self._at(path), "wb") as out:
                if hasattr(out, "set_pipelined"):  # SFTP: do not wait for each response
                    out.set_pipelined(True)
                shutil.copyfileobj(file, out, PIECE)
        except Exception as error:
            self._failed(error, "write", path)
        there = self._written(path, file.tell() - begin)
        if there is None:
            raise not_whole(path, self.name)
        return there

    def _written(self, path: str, size: int) -> Entry | None:
        """Wait until the file has ``size``; None if another writer replaced it."""
        for pause in (0.0, 0.1, 0.4, 1.0):
            time.sleep(pause)
            there = self.stat(path)
            if there is not None and there.size == size:
                return there
        return None

    def delete(self, path: str) -> None:
        """Remove the file if it exists."""
        try:
            self._system().rm_file(self._at(path))
        except FileNotFoundError:
            pass
        except Exception as error:
            self._failed(error, "remove", path)

    def _at(self, path: str) -> str:
        return f"{self.root}/{path}" if path else self.root

    def _check(self, path: str, etag: str) -> None:
        found = self.stat(path) if etag else None
        if found is not None and found.etag != etag:
            raise FileChanged(f"File {path!r} in {self.name} has changed.")

    def _system(self) -> Any:
        """The driver, one per thread since many use a single connection."""
        if not hasattr(self._own, "system"):
            self._own.system = _open(self._protocol, self._options)
        return self._own.system

    def _failed(self, error: Exception, did: str, what: str) -> NoReturn:
        if isinstance(error, DatastoreException):
            raise error
        if isinstance(error, FileNotFoundError):
            raise FileMissing(f"File {what!r} not found in {self.name}.") from None
        if isinstance(error, PermissionError):
            why = "permission denied"
            raise DatastoreException(f"Cannot {did} {what} in {self.name}: {why}.") from None
        self._own.__dict__.pop(
            "system", None
        )  # its connection may be broken: open a new one next time
        kind = Unreachable if isinstance(error, _BROKEN) else DatastoreException
        raise kind(f"Cannot {did} {what} in {self.name}: {_reason(error)}.") from None


def _read_ahead(file: Any, start: int, end: int | None) -> None:
    """Enable read-ahead for SFTP (paramiko), which otherwise requests one small piece at a time."""
    if hasattr(file, "prefetch"):
        file.seek(start)
        file.prefetch(file.stat().st_size if end is None else end)


#: errors worth a retry
_BROKEN = (OSError, EOFError)
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


def _open(protocol: str, options: dict[str, Any]) -> Any:
    try:
        import fsspec
    except ImportError:
        raise needs("fsspec", f"A datastore on {protocol}") from None
    try:
        return fsspec.filesystem(protocol, skip_instance_cache=True, **options)
    except ValueError:
        raise DatastoreException(f"fsspec has no driver for {protocol!r}.") from None
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


def _entry(path: str, info: dict[str, Any]) -> Entry:
    names = ("mtime", "modified", "last_modified", "modify", "created")
    modified = _seconds(next((info[name] for name in names if info.get(name)), 0.0))
    size = int(info.get("size") or 0)
    etag = info.get("ETag") or info.get("etag") or (f"{modified:.6f}-{size}" if modified else "")
    return Entry(path, size, str(etag).strip('"'), modified)


def _seconds(moment: Any) -> float:
    """A driver's time in seconds since 1970: it may be a datetime, digits (FTP) or a number."""
    if isinstance(moment, str):
        digits = moment.partition(".")[0]
        try:
            moment = datetime.datetime.strptime(digits + "+0000", "%Y%m%d%H%M%S%z")
        except ValueError:
            return 0.0
    return float(moment.timestamp() if hasattr(moment, "timestamp") else moment)
