"""A local or mounted directory as a store. Uses only the standard library."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from scriptrun.data.errors import DatastoreException, FileChanged, FileExists, FileMissing
from scriptrun.data.stores.protocol import PIECE, Entry

#: suffix of files that are still being written; they are not listed
_PART = ".scriptrun-part"


class LocalStore:
    """The files below ``folder``. The ETag is the modification time in nanoseconds."""

    sums = False
    at_once = min(4, os.cpu_count() or 1)

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder

    @property
    def folder(self) -> Path | None:
        """The directory itself."""
        return self._folder

    def list(self, folder: str = "") -> Iterator[Entry]:
        """All files below ``folder``; follows linked folders, but no cycles."""
        place = self._folder / folder if folder else self._folder
        if place.is_dir():
            yield from self._walk(os.fspath(place), f"{folder}/" if folder else "", ())

    def _walk(self, place: str, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[Entry]:
        try:
            with os.scandir(place) as found:
                entries = sorted(found, key=_listing_order)
        except OSError as error:
            raise self._cannot("list", prefix or "its folder", error) from None
        for entry in entries:
            if entry.is_dir():
                status = entry.stat()
                here = (status.st_dev, status.st_ino)
                if here not in above:
                    yield from self._walk(entry.path, f"{prefix}{entry.name}/", (*above, here))
            elif entry.is_file() and not entry.name.endswith(_PART):
                yield _entry(prefix + entry.name, entry.stat())

    def stat(self, path: str) -> Entry | None:
        """The file at ``path``, or None."""
        try:
            status = os.stat(self._folder / path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._cannot("read", path, error) from None
        return None if os.path.isdir(self._folder / path) else _entry(path, status)

    def read(self, path: str, start: int, end: int, etag: str = "") -> bytes:
        """The bytes from ``start`` up to ``end``."""
        with self._open(path, etag) as file:
            file.seek(start)
            return file.read(max(0, end - start))

    def pieces(
        self, path: str, etag: str = "", start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """The file, or a range of it, piece by piece."""
        with self._open(path, etag) as file:
            yield from ranged(file, start, end)

    def write(self, path: str, file: BinaryIO, new: bool = False) -> Entry:
        """Copy ``file`` next to its target, then rename it (with ``new``: link it)."""
        target = self._folder / path
        part = target.with_name(f".{uuid.uuid4().hex[:12]}{_PART}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with open(part, "xb") as out:
                    shutil.copyfileobj(file, out, PIECE)
                _publish(part, target, new)
            finally:
                part.unlink(missing_ok=True)
            return _entry(path, os.stat(target))
        except _There:
            raise FileExists(f"File {path!r} already exists in {self.name}.") from None
        except OSError as error:
            raise self._cannot("write", path, error) from None

    def delete(self, path: str) -> None:
        """Remove the file if it exists."""
        try:
            (self._folder / path).unlink(missing_ok=True)
        except OSError as error:
            raise self._cannot("remove", path, error) from None

    def _open(self, path: str, etag: str) -> BinaryIO:
        try:
            file = open(self._folder / path, "rb")  # noqa: SIM115
        except (FileNotFoundError, NotADirectoryError):
            raise FileMissing(f"File {path!r} not found in {self.name}.") from None
        except OSError as error:
            raise self._cannot("read", path, error) from None
        if etag and _entry(path, os.fstat(file.fileno())).etag != etag:
            file.close()
            raise FileChanged(f"File {path!r} in {self.name} has changed.")
        return file

    def _cannot(self, done: str, what: str, error: OSError) -> DatastoreException:
        return DatastoreException(
            f"Cannot {done} {what.rstrip('/')} in {self.name}: {error.strerror}.",
            f"Its folder is {self._folder}.",
        )


class _There(Exception):
    """The target file already exists."""


def _publish(part: Path, target: Path, new: bool) -> None:
    """Give the file its final name; with ``new`` by a link, which never overwrites."""
    if new:
        try:
            os.link(part, target)
            return
        except FileExistsError:
            raise _There from None
        except OSError:
            if target.exists():
                raise _There from None
    os.replace(part, target)


def ranged(file: BinaryIO, start: int, end: int | None) -> Iterator[bytes]:
    """Yield the bytes of an open file from ``start`` up to ``end`` (None: to its end)."""
    file.seek(start)
    left = -1 if end is None else end - start
    while left and (piece := file.read(PIECE if left < 0 else min(PIECE, left))):
        left -= len(piece) if left > 0 else 0
        yield bytes(piece)


def _listing_order(entry: os.DirEntry[str]) -> str:
    """Sort key by whole paths: ``a-b`` comes before the files in the folder ``a``."""
    return f"{entry.name}/" if entry.is_dir() else entry.name


def _entry(path: str, status: os.stat_result) -> Entry:
    return Entry(path, status.st_size, f"{status.st_mtime_ns:x}", status.st_mtime)
