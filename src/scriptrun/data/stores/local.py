"""A local or mounted directory as a store. Uses only the standard library."""

from __future__ import annotations

import filecmp
import hashlib
import os
import shutil
import stat
import uuid
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from scriptrun.data.errors import DatastoreException, FileChanged, FileExists, FileMissing
from scriptrun.data.stores.protocol import PIECE_SIZE, FileEntry
from scriptrun.runtime import disks, file_walk, foreign_names
from scriptrun.runtime.files import make_folders, open_record, sync_file, sync_folder
from scriptrun.spec.control_characters import escape

#: suffix of files that are still being written; they are not listed
_PART = ".scriptrun-part"
#: between a time and a digest in an ETag
_DIGEST_MARK = ":"


class LocalStore:
    """The files below ``folder``. The ETag is the modification time in nanoseconds.

    In records it may have a digest too: a file with another time and that content is the same.
    """

    sums = False
    at_once = min(4, os.cpu_count() or 1)

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._digests: dict[FileEntry, str] = {}

    @property
    def folder(self) -> Path | None:
        """The directory itself."""
        return self._folder

    def list(self, folder: str = "") -> Iterator[FileEntry]:
        """All files below ``folder``; follows linked folders, but no cycles.

        Nor does it follow links to folders that contain it, or to those of the system.
        """
        directory = self._path(folder)
        if directory.is_dir():
            above = file_walk.identities_above(os.path.realpath(directory))
            yield from self._walk(os.fspath(directory), f"{folder}/" if folder else "", above)

    def _walk(
        self, directory: str, prefix: str, ancestors: tuple[tuple[int, int], ...]
    ) -> Iterator[FileEntry]:
        try:
            with os.scandir(directory) as scan:
                entries = sorted(scan, key=_listing_order)
        except OSError as error:
            raise self._error("list", prefix or "its folder", error) from None
        for entry in entries:
            status = _status(entry)
            if status is None:
                continue
            if stat.S_ISDIR(status.st_mode):
                identity = (status.st_dev, status.st_ino)
                if identity not in ancestors and not _is_link_to_system(entry):
                    yield from self._walk(
                        entry.path, f"{prefix}{entry.name}/", (*ancestors, identity)
                    )
            elif stat.S_ISREG(status.st_mode) and not entry.name.endswith(_PART):
                yield _entry(prefix + entry.name, status)

    def stat(self, path: str) -> FileEntry | None:
        """The file at ``path``, or None."""
        try:
            status = os.stat(self._path(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._error("read", path, error) from None
        return None if stat.S_ISDIR(status.st_mode) else _entry(path, status)

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
            yield from read_range(file, start, end)

    def write(self, path: str, file: BinaryIO, new: bool = False) -> FileEntry:
        """Copy ``file`` next to its target, then rename it (with ``new``: link it).

        A target with the same content is left as it is, with its time.
        """
        target = self._path(path)
        part = target.with_name(f".{uuid.uuid4().hex[:12]}{_PART}")
        try:
            make_folders(target.parent)
            try:
                with open(part, "xb") as out:
                    shutil.copyfileobj(file, out, PIECE_SIZE)
                if new or not _has_content_of(target, part):
                    sync_file(part)
                    _publish(part, target, new)
                    sync_folder(target.parent)
            finally:
                part.unlink(missing_ok=True)
            return _entry(path, os.stat(target))
        except _AlreadyExists:
            raise FileExists(f"File {path!r} already exists in {self.name}.") from None
        except OSError as error:
            raise self._error("write", path, error) from None

    def delete(self, path: str) -> None:
        """Remove the file if it exists."""
        try:
            self._path(path).unlink(missing_ok=True)
        except OSError as error:
            raise self._error("remove", path, error) from None

    def has_etag(self, entry: FileEntry, etag: str) -> bool:
        """Whether the file ``entry`` is that of ``etag``: by its time, else by its content."""
        time, _, digest = etag.partition(_DIGEST_MARK)
        return entry.etag == time or bool(digest and self._digest(entry) == digest)

    def etag_with_digest(self, entry: FileEntry) -> str:
        """The file's ETag with a digest of its content, for what outlives another time."""
        return f"{entry.etag}{_DIGEST_MARK}{self._digest(entry)}"

    def _digest(self, entry: FileEntry) -> str:
        if entry not in self._digests:
            digest = hashlib.sha256()
            with self._open(entry.path, entry.etag) as file:
                for piece in read_range(file, 0, None):
                    digest.update(piece)
            self._digests[entry] = digest.hexdigest()[:32]
        return self._digests[entry]

    def _open(self, path: str, etag: str) -> BinaryIO:
        try:
            file = open_record(self._path(path))
        except (FileNotFoundError, NotADirectoryError):
            raise FileMissing(f"File {path!r} not found in {self.name}.") from None
        except OSError as error:
            raise self._error("read", path, error) from None
        if etag and not self.has_etag(_entry(path, os.fstat(file.fileno())), etag):
            file.close()
            raise FileChanged(f"File {path!r} in {self.name} has changed.")
        return file

    def _path(self, path: str) -> Path:
        """The file at ``path``; raises DatastoreException for one that cannot be in this folder."""
        is_root = self._folder.parent == self._folder  # nothing is outside, on no drive
        reason = "" if is_root or not path else foreign_names.problem(path.rstrip("/"))
        if reason:
            raise DatastoreException(
                f"Path {path[:200]!r} cannot be a file of {self.name}: it {reason}.",
                f"Its folder is {self._folder}.",
            )
        return self._folder / path if path else self._folder

    def _error(self, action: str, subject: str, error: OSError) -> DatastoreException:
        return DatastoreException(
            f"Cannot {action} {subject.rstrip('/')} in {self.name}: {disks.describe(error)}.",
            f"Its folder is {self._folder}.",
        )


def _has_content_of(target: Path, part: Path) -> bool:
    try:
        return target.is_file() and filecmp.cmp(target, part, shallow=False)
    except OSError:
        return False


def says_the_same(one: str, other: str) -> bool:
    """Whether the ETags of two records tell of one content: one time, or one digest.

    Records of earlier versions have the time alone.
    """
    (time, _, digest), (other_time, _, other_digest) = (
        etag.partition(_DIGEST_MARK) for etag in (one, other)
    )
    return time == other_time or bool(digest and digest == other_digest)


def digest_in(etag: str) -> str:
    """The digest that a record's ETag of a local file has, or ""."""
    return etag.partition(_DIGEST_MARK)[2]


def names_to_upload(folder: Path) -> list[str]:
    """The names of the files below ``folder``; a warning names everything that is not a file.

    Raises DatastoreException for what forbids reading it.
    """
    left_out: list[tuple[str, str]] = []
    names = file_walk.files_below(folder, leave_out=lambda *each: left_out.append(each))
    found = sorted(name for name in names if not name.endswith(_PART))
    check_readable(folder, left_out)
    if left_out:
        message = f"Not uploaded from {str(folder)!r}: {file_walk.describe(left_out)}."
        warnings.warn(escape(message), stacklevel=3)
    return found


def check_readable(folder: Path, left_out: Iterable[tuple[str, str]]) -> None:
    """Raise DatastoreException if something that is left out is a regular file or folder."""
    for name, reason in left_out:
        path = folder / name
        if not path.is_symlink() and (path.is_file() or path.is_dir()):
            raise DatastoreException(f"Cannot read {str(path)!r}: {reason}.")


class _AlreadyExists(Exception):
    """The target file already exists."""


def _publish(part: Path, target: Path, new: bool) -> None:
    """Give the file its final name; with ``new`` by a link, which never overwrites."""
    if new:
        try:
            os.link(part, target)
            return
        except FileExistsError:
            raise _AlreadyExists from None
        except OSError:
            if target.exists():
                raise _AlreadyExists from None
    os.replace(part, target)


def read_range(file: BinaryIO, start: int, end: int | None) -> Iterator[bytes]:
    """Yield the bytes of an open file from ``start`` up to ``end`` (None: to its end)."""
    file.seek(start)
    remaining = -1 if end is None else end - start
    while remaining and (
        piece := file.read(PIECE_SIZE if remaining < 0 else min(PIECE_SIZE, remaining))
    ):
        remaining -= len(piece) if remaining > 0 else 0
        yield bytes(piece)


def _listing_order(entry: os.DirEntry[str]) -> str:
    """Sort key by whole paths: ``a-b`` comes before the files in the folder ``a``."""
    status = _status(entry)
    is_folder = status is not None and stat.S_ISDIR(status.st_mode)
    return f"{entry.name}/" if is_folder else entry.name


def _is_link_to_system(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and bool(file_walk.why_system_folder(os.path.realpath(entry.path)))


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """What the entry is or leads to; None for a link to nothing, and for what was just removed."""
    try:
        return entry.stat()
    except OSError:
        return None


def _entry(path: str, status: os.stat_result) -> FileEntry:
    return FileEntry(path, status.st_size, f"{status.st_mtime_ns:x}", status.st_mtime)
