"""The folder in which runs see a dataset version: laid out once per machine and shared.

``layouts/KEY/files/`` in the cache holds the dataset's files under their own names: hard links to
cached files, or symbolic links to files that are local already. ``layouts/KEY/done`` exists once
all files do; its modification time is the last use. KEY is a digest of the manifest and its
stores. Every user of a layout holds a shared lock, so that it is not removed. Completing it takes a
second, exclusive lock, so that 20 runs download a dataset once. Files have a fixed modification
time: a file with another one was changed by a script.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from scriptrun.data.cache import files as caching
from scriptrun.data.cache import transfer
from scriptrun.data.cache.download import Incoming, Stopped, fetch
from scriptrun.data.cache.files import FIXED, Cache, settle
from scriptrun.data.datasets.content import Content
from scriptrun.data.datasets.manifest import Row
from scriptrun.data.errors import DatastoreException, FileChanged, FileMissing
from scriptrun.data.stores.protocol import Entry, Store, is_safe
from scriptrun.spec.digests import digest_of
from scriptrun.spec.values import Value
from scriptrun.store.locks import flocks
from scriptrun.store.locks.flocks import Flock

#: called with (files downloaded, all files, bytes downloaded, all bytes)
Progress = Callable[[int, int, int, int], object]


class Laid(Value, frozen=False):
    """A dataset's folder on this machine, locked until ``release``.

    ``fetched`` files with ``fetched_bytes`` were downloaded for it; the rest was cached.
    ``from_remote`` is true if any of its files come from a remote store.
    """

    folder: Path
    files: int
    fetched: int
    fetched_bytes: int
    away: bool
    own: bool = False
    lock: Flock | None = None

    def release(self) -> None:
        """Unlock the layout so that the cache may remove it; remove a private one now."""
        lock, self.lock = self.lock, None
        if lock is not None:
            if self.own:
                caching.remove_tree(self.folder.parent)
            lock.release()


class Layout:
    """The layout of ``content``, a fixed version, in ``cache``.

    ``private_key`` is unique to this run, for a dataset with files that have no ETag: changes to
    them cannot be detected, so each run downloads them again.
    """

    def __init__(self, content: Content, cache: Cache, own: str = "") -> None:
        assert content.fixed is not None
        self.content, self.cache, self.own = content, cache, own
        self.roots = content.places()
        self.stores: list[Store] = [root.place.store() for root in self.roots]
        self.origins = [caching.origin_of(root.place) for root in self.roots]
        digest = digest_of(
            [content.fixed.path.stem, content.steps, own, [*map(str, self.roots)], self.origins]
        )
        self.name = digest[:32]
        self.place = cache.layouts / self.name
        self.folder = self.place / "files"
        self._done = self.place / "done"

    def lay_out(self, progress: Progress | None = None) -> Laid:
        """Download the missing files and return the locked folder.

        Raises FileChanged or FileMissing if a file does not match the version, and
        DatastoreException if a store or the disk fails.
        """
        lock = flocks.share(self.cache.lock(f"{self.name}.use"))
        try:
            self._check_local()
            fetched, size = (0, 0) if self.is_done() else self._complete(progress)
            count = sum(1 for _ in self.content.rows()) if not self.is_done() else self._count()
        except BaseException:
            lock.release()
            raise
        away = any(store.folder is None for store in self.stores)
        return Laid(self.folder, count, fetched, size, away, bool(self.own), lock)

    def _count(self) -> int:
        try:
            return int(self._done.read_text())
        except (OSError, ValueError):
            return 0

    def is_done(self) -> bool:
        """Whether all files exist; if so, updates the time of the last use."""
        try:
            os.utime(self._done)
            os.utime(self.place)
            return True
        except FileNotFoundError:
            return False

    def _complete(self, progress: Progress | None) -> tuple[int, int]:
        with flocks.flock(self.cache.lock(f"{self.name}.build")):
            if self.is_done():
                return 0, 0
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                _let_write(self.folder)
                missing = [row for row in self._safe_rows() if not self._is_there(row)]
                self._link_local(missing)
                away = [row for row in missing if self.stores[row.place].folder is None]
                self._fetch(away, progress)
                _make_read_only(self.folder)
                self._done.write_text(str(sum(1 for _ in self.content.rows())))
            except OSError as error:
                raise self._refused(error) from None
        return len(away), sum(max(0, row.size) for row in away)

    def _safe_rows(self) -> Iterator[Row]:
        for row in self.content.rows():
            if not is_safe(row.path):
                raise DatastoreException(f"{row.path!r} is not a valid relative path.")
            yield row

    def _is_there(self, row: Row) -> bool:
        return os.path.lexists(self.folder / row.path)

    def _check_local(self) -> None:
        """Raise an error if a local file no longer matches the version."""
        if all(store.folder is None for store in self.stores):
            return
        for row in self.content.rows():
            check_local(self.stores[row.place], self.roots[row.place].key_of(row), row)

    def _link_local(self, rows: list[Row]) -> None:
        for row in rows:
            store = self.stores[row.place]
            if store.folder is not None:
                place = self._room_for(row)
                os.symlink(store.folder / self.roots[row.place].key_of(row), place)

    def _room_for(self, row: Row) -> Path:
        place = self.folder / row.path
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _fetch(self, rows: list[Row], progress: Progress | None) -> None:
        if not rows:
            return
        wanted = [row for row in rows if not self.cache.file(self._key(row)).exists()]
        self._see_to_room(sum(max(0, row.size) for row in wanted))
        told = _Told(rows, progress)
        at_once = min(self.stores[row.place].at_once for row in rows)
        transfer.in_parallel(lambda row: self._get(row, told), rows, at_once, told.stop)

    def _see_to_room(self, size: int) -> None:
        self.cache.make_room(size)
        room = shutil.disk_usage(self.cache.folder).free
        if room < size:
            raise DatastoreException(
                f"The dataset requires {size:,} more bytes in the data cache, but the disk of "
                f"{self.cache.folder} has only {room:,} free.",
                "Free some disk space, or set SCRIPTRUN_CACHE to a folder on a larger disk.",
            )

    def _get(self, row: Row, told: _Told) -> None:
        """Download one file to the cache unless it is cached, and link it."""
        each = self._incoming(row)
        place = self._room_for(row)
        if not row.etag:
            fetch(each, place, told=told.bytes)
            settle(place)
        else:
            kept = self.cache.file(self._key(row))
            while True:
                if not _is_whole(kept, row):
                    fetch(each, kept, told=told.bytes)
                    settle(kept)
                try:
                    _link(kept, place)
                    break
                except FileNotFoundError:
                    continue  # it was just removed to make room
        told.file()

    def _incoming(self, row: Row) -> Incoming:
        path = self.roots[row.place].key_of(row)
        return Incoming(self.stores[row.place], Entry(path, row.size, row.etag), row.path)

    def _key(self, row: Row) -> str:
        path = self.roots[row.place].key_of(row)
        return caching.key_of(self.origins[row.place], path, row.etag, row.size)

    def _refused(self, error: OSError) -> DatastoreException:
        if isinstance(error, NotADirectoryError | FileExistsError | IsADirectoryError):
            return DatastoreException(
                f"Cannot create {error.filename!r}: it is both a file and a folder in the dataset."
            )
        return caching.full(error, self.cache.folder)

    def mend(self) -> list[str]:
        """Remove files that a script changed or added, so that they are downloaded again.

        Returns their paths in the dataset.
        """
        wanted = {row.path: row for row in self.content.rows()}
        changed = [path for path in _below(self.folder) if path not in wanted]
        for path, row in wanted.items():
            if self.stores[row.place].folder is None and not _is_whole(self.folder / path, row):
                changed.append(path)
                self.cache.drop(self._key(row))
        if changed:
            self._done.unlink(missing_ok=True)
            _let_write(self.folder)
            for path in changed:
                caching.remove_tree(self.folder / path)
        return changed


class _Told:
    """Counts what arrives, from several threads, and reports progress once a second."""

    def __init__(self, rows: list[Row], progress: Progress | None) -> None:
        self.stop = threading.Event()
        self._all = len(rows), sum(max(0, row.size) for row in rows)
        self._files = self._bytes = 0
        self._progress = progress
        self._next = time.monotonic() + 1.0
        self._lock = threading.Lock()

    def bytes(self, count: int) -> None:
        if self.stop.is_set():
            raise Stopped
        with self._lock:
            self._bytes += count
            self._tell()

    def file(self) -> None:
        with self._lock:
            self._files += 1
            self._tell()

    def _tell(self) -> None:
        now = time.monotonic()
        if self._progress is not None and now >= self._next:
            self._next = now + 1.0
            self._progress(self._files, self._all[0], self._bytes, self._all[1])


def check_local(store: Store, path: str, row: Row) -> None:
    """Raise FileMissing or FileChanged unless a local file matches ``row``."""
    if store.folder is None:
        return
    now = store.stat(path)
    if now is None:
        raise FileMissing(f"File {path!r} is missing from {store.name}.")
    if (now.size, now.etag) != (row.size, row.etag):
        raise FileChanged(f"File {path!r} in {store.name} has changed.")


def _is_whole(place: Path, row: Row) -> bool:
    try:
        status = os.stat(place)
    except FileNotFoundError:
        return False
    return row.size in (-1, status.st_size) and status.st_mtime_ns == FIXED


def _link(kept: Path, place: Path) -> None:
    """Hard-link a cached file; copy it where the file system does not support that."""
    try:
        os.link(kept, place)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(kept, place)
        settle(place)


def _below(folder: Path) -> Iterator[str]:
    """The relative paths of all files below ``folder``; links to folders count as files."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in [*names, *links]:
            yield os.path.relpath(os.path.join(place, name), folder).replace(os.sep, "/")


def _let_write(folder: Path) -> None:
    for place, _, _ in os.walk(folder):
        os.chmod(place, 0o755)


def _make_read_only(folder: Path) -> None:
    for place, _, _ in os.walk(folder, topdown=False):
        os.chmod(place, 0o555)
