"""The folder in which runs see a dataset version: laid out once per machine and shared.

``layouts/KEY/files/`` in the cache holds the dataset's files under their own names: hard links to
cached files, or symbolic links to files that are local already. ``layouts/KEY/done`` exists once
all files do; its modification time is the last use. KEY is a digest of the manifest and its
stores. ``layouts/KEY/looks`` holds the change times of downloaded files when they were last
compared with their checksums. Every user of a layout holds a shared lock, so that it is not
removed. Completing it takes a second, exclusive lock, so that 20 runs download a dataset once.
Files have a fixed modification time: a file with another one was changed by a script.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

from scriptrun.data.cache import files as cache_files
from scriptrun.data.cache import transfer
from scriptrun.data.cache.download import RemoteFile, TransferStopped, fetch
from scriptrun.data.cache.files import Cache, freeze
from scriptrun.data.datasets.content import Content
from scriptrun.data.datasets.manifest import ManifestRow
from scriptrun.data.errors import DatastoreException, FileChanged, FileMissing
from scriptrun.data.stores.protocol import FileEntry, Store, is_unchanged
from scriptrun.runtime import durability, foreign_names
from scriptrun.runtime.files import read_bytes, write_atomic
from scriptrun.spec.digests import digest_of
from scriptrun.spec.values import Value
from scriptrun.store import trees
from scriptrun.store.file_stamp import is_settled
from scriptrun.store.locks import flocks
from scriptrun.store.locks.flocks import Flock

#: called with (files downloaded, all files, bytes downloaded, all bytes)
Progress = Callable[[int, int, int, int], object]


class LaidOut(Value, frozen=False):
    """A dataset's folder on this machine, locked until ``release``.

    ``fetched`` files with ``fetched_bytes`` were downloaded for it; the rest was cached.
    ``from_remote`` is true if any of its files come from a remote store.
    """

    folder: Path
    files: int
    fetched: int
    fetched_bytes: int
    from_remote: bool
    is_private: bool = False
    flock: Flock | None = None

    def release(self) -> None:
        """Unlock the layout so that the cache may remove it; remove a private one now."""
        flock, self.flock = self.flock, None
        if flock is not None:
            if self.is_private:
                trees.remove(self.folder.parent)
            flock.release()


class Layout:
    """The layout of ``content``, a fixed version, in ``cache``.

    ``private_key`` is unique to this run, for a dataset with files that have no ETag: changes to
    them cannot be detected, so each run downloads them again.
    """

    def __init__(self, content: Content, cache: Cache, private_key: str = "") -> None:
        assert content.manifest is not None
        self.content, self.cache, self.private_key = content, cache, private_key
        self.roots = content.resolve_roots()
        self.stores: list[Store] = [root.store_ref.store() for root in self.roots]
        self.origins = [cache_files.store_identity(root.store_ref) for root in self.roots]
        digest = digest_of(
            [
                content.manifest.path.stem,
                content.steps,
                private_key,
                [*map(str, self.roots)],
                self.origins,
            ]
        )
        self.name = digest[:32]
        self.path = cache.layouts / self.name
        self.folder = self.path / "files"
        self._marker = self.path / "done"

    def lay_out(self, progress: Progress | None = None) -> LaidOut:
        """Download the missing files and return the locked folder.

        Raises FileChanged or FileMissing if a file does not match the version, and
        DatastoreException if a store or the disk fails.
        """
        flock = flocks.share(self.cache.lock_path(f"{self.name}.use"))
        try:
            self._check_local()
            if self.is_complete() and self._changed():
                with flocks.flock(self.cache.lock_path(f"{self.name}.build")):
                    self._drop(self._changed())
            fetched, size = (0, 0) if self.is_complete() else self._complete(progress)
            count = sum(1 for _ in self.content.rows()) if not self.is_complete() else self._count()
        except BaseException:
            flock.release()
            raise
        from_remote = any(store.folder is None for store in self.stores)
        return LaidOut(
            self.folder, count, fetched, size, from_remote, bool(self.private_key), flock
        )

    def _count(self) -> int:
        try:
            return int(read_bytes(self._marker) or b"0")
        except (OSError, ValueError):
            return 0

    def is_complete(self) -> bool:
        """Whether all files exist; if so, updates the time of the last use."""
        try:
            os.utime(self._marker)
            os.utime(self.path)
            return True
        except FileNotFoundError:
            return False

    def _complete(self, progress: Progress | None) -> tuple[int, int]:
        with flocks.flock(self.cache.lock_path(f"{self.name}.build")):
            if self.is_complete():
                return 0, 0
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                _make_writable(self.folder)
                missing = [row for row in self._safe_rows() if not self._holds(row)]
                self._link_local(missing)
                remote_rows = [row for row in missing if self.stores[row.root_index].folder is None]
                self._fetch(remote_rows, progress)
                self._note_looks()
                _make_read_only(self.folder)
                durability.sync_tree(self.folder)  # all files at once, before they count
                self._marker.write_text(str(sum(1 for _ in self.content.rows())))
            except OSError as error:
                raise self._write_error(error) from None
        return len(remote_rows), sum(max(0, row.size) for row in remote_rows)

    def _safe_rows(self) -> Iterator[ManifestRow]:
        for row in self.content.rows():
            foreign_names.check(row.path, "The list of the dataset's files")
            yield row

    def _holds(self, row: ManifestRow) -> bool:
        """Whether the layout has the file; removes what is damaged, as by a power cut."""
        path, target = self.folder / row.path, self._local_path(row)
        if _is_whole(path, row) if target is None else _is_link(path, target):
            return True
        if os.path.lexists(path):
            trees.remove(path)
        return False

    def _check_local(self) -> None:
        """Raise an error if a local file no longer matches the version."""
        if all(store.folder is None for store in self.stores):
            return
        for row in self.content.rows():
            check_local(
                self.stores[row.root_index], self.roots[row.root_index].store_path(row), row
            )

    def _link_local(self, rows: list[ManifestRow]) -> None:
        for row in rows:
            target = self._local_path(row)
            if target is not None:
                os.symlink(target, self._target_path(row))

    def _local_path(self, row: ManifestRow) -> Path | None:
        """The file that the layout's file is a link to; None for one that is downloaded."""
        folder = self.stores[row.root_index].folder
        return None if folder is None else folder / self.roots[row.root_index].store_path(row)

    def _target_path(self, row: ManifestRow) -> Path:
        path = self.folder / row.path
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _fetch(self, rows: list[ManifestRow], progress: Progress | None) -> None:
        if not rows:
            return
        uncached = [row for row in rows if not _look(self._cached_path(row), row)]
        self._make_room(sum(max(0, row.size) for row in uncached))
        counter = _ProgressCounter(rows, progress)
        at_once = min(self.stores[row.root_index].at_once for row in rows)
        transfer.in_parallel(lambda row: self._fetch_row(row, counter), rows, at_once, counter.stop)

    def _make_room(self, size: int) -> None:
        self.cache.make_room(size)
        free = shutil.disk_usage(self.cache.folder).free
        if free < size:
            raise DatastoreException(
                f"The dataset requires {size:,} more bytes in the data cache, but the disk of "
                f"{self.cache.folder} has only {free:,} free.",
                "Free some disk space, or set SCRIPTRUN_CACHE to a folder on a larger disk.",
            )

    def _fetch_row(self, row: ManifestRow, counter: _ProgressCounter) -> None:
        """Download one file to the cache unless it is cached, and link it."""
        remote_file = self._remote_file(row)
        target = self._target_path(row)
        if not row.etag:
            fetch(remote_file, target, on_bytes=counter.add_bytes, durable=row.size < 0)
            freeze(target)
        else:
            cached = self._cached_path(row)
            while True:
                if not _is_whole(cached, row):
                    fetch(remote_file, cached, on_bytes=counter.add_bytes, durable=row.size < 0)
                    freeze(cached)
                try:
                    _link_cached(cached, target)
                    break
                except FileNotFoundError:
                    continue  # it was just removed to make room
        counter.add_file()

    def _remote_file(self, row: ManifestRow) -> RemoteFile:
        path = self.roots[row.root_index].store_path(row)
        return RemoteFile(
            self.stores[row.root_index], FileEntry(path, row.size, row.etag), row.path
        )

    def _cached_path(self, row: ManifestRow) -> Path:
        return self.cache.file(self._cache_key(row))

    def _cache_key(self, row: ManifestRow) -> str:
        path = self.roots[row.root_index].store_path(row)
        return cache_files.cache_key(self.origins[row.root_index], path, row.etag, row.size)

    def _write_error(self, error: OSError) -> DatastoreException:
        if isinstance(error, NotADirectoryError | FileExistsError | IsADirectoryError):
            return DatastoreException(
                f"Cannot create {error.filename!r}: it is both a file and a folder in the dataset.",
                "Leave one of them out of the dataset.",
            )
        return cache_files.write_error(error, self.cache.folder)

    def repair(self) -> list[str]:
        """Remove files that a script changed or added, so that they are downloaded again.

        Returns their paths in the dataset.
        """
        changed = self._changed()
        self._drop(changed)
        return changed

    def _changed(self) -> list[str]:
        """The paths of what was added to the layout, and of its files that are not as they were."""
        count, changed = 0, []
        for row in self.content.rows():
            count += 1
            target = self._local_path(row)
            if target is not None and not _is_link(self.folder / row.path, target):
                changed.append(row.path)
        changed += self._damaged()
        if not changed and trees.count(self.folder) == count:
            return []
        return changed + trees.unexpected(self.folder, (row.path for row in self.content.rows()))

    def _drop(self, paths: list[str]) -> None:
        """Remove files from the layout and the cache, so that they are downloaded again."""
        if not paths:
            return
        rows = {row.path: row for row in self.content.rows()}
        self._marker.unlink(missing_ok=True)
        _make_writable(self.folder)
        for path in paths:
            if path in rows:
                self.cache.discard(self._cache_key(rows[path]))
            trees.remove(self.folder / path)

    def _remote_rows(self) -> Iterator[ManifestRow]:
        return (row for row in self.content.rows() if self.stores[row.root_index].folder is None)

    def _damaged(self) -> list[str]:
        """The paths of downloaded files that are missing or have other content.

        A file is read only if it looks different than when it was last compared: any change in
        place, and another link to it, changes its change time.
        """
        damaged, looks, noted = [], array("q"), self._noted_looks()
        for number, row in enumerate(self._remote_rows()):
            path = self.folder / row.path
            look = _look(path, row)
            is_known = number < len(noted) and noted[number] == look
            if not look or not (is_known or _is_whole(path, row)):
                damaged.append(row.path)
            looks.append(_settled(look))
        if looks != noted:
            self._write_looks(looks)
        return damaged

    def _note_looks(self) -> None:
        """Note how the files, all just downloaded or compared, look now."""
        looks = (_settled(_look(self.folder / row.path, row)) for row in self._remote_rows())
        self._write_looks(array("q", looks))

    def _noted_looks(self) -> array[int]:
        noted = array("q")
        with contextlib.suppress(OSError, ValueError):
            noted.frombytes(read_bytes(self.path / "looks") or b"")
        return noted

    def _write_looks(self, looks: array[int]) -> None:
        with contextlib.suppress(OSError):  # a note for speed only
            write_atomic(self.path / "looks", looks.tobytes(), durable=False)


class _ProgressCounter:
    """Counts what arrives, from several threads, and reports progress once a second."""

    def __init__(self, rows: list[ManifestRow], progress: Progress | None) -> None:
        self.stop = threading.Event()
        self._totals = len(rows), sum(max(0, row.size) for row in rows)
        self._files = self._bytes = 0
        self._progress = progress
        self._next_report = time.monotonic() + 1.0
        self._lock = threading.Lock()

    def add_bytes(self, count: int) -> None:
        if self.stop.is_set():
            raise TransferStopped
        with self._lock:
            self._bytes += count
            self._report()

    def add_file(self) -> None:
        with self._lock:
            self._files += 1
            self._report()

    def _report(self) -> None:
        now = time.monotonic()
        if self._progress is not None and now >= self._next_report:
            self._next_report = now + 1.0
            self._progress(self._files, self._totals[0], self._bytes, self._totals[1])


def check_local(store: Store, path: str, row: ManifestRow) -> None:
    """Raise FileMissing or FileChanged unless a local file matches ``row``."""
    if store.folder is None:
        return
    entry = store.stat(path)
    if entry is None:
        raise FileMissing(f"File {path!r} is missing from {store.name}.")
    if entry.size != row.size or not is_unchanged(store, entry, row.etag):
        raise FileChanged(f"File {path!r} in {store.name} has changed.")


def _look(path: Path, row: ManifestRow) -> int:
    """The change time of a cached file; 0 if it is missing or was changed for certain."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return status.st_ctime_ns if cache_files.is_frozen(status, row.size) else 0


def _settled(look: int) -> int:
    """The look to note: 0, which equals no other, while the file may change without a new one."""
    return look if is_settled(look) else 0


def _is_whole(path: Path, row: ManifestRow) -> bool:
    try:
        with open(path, "rb", buffering=0) as file:
            return cache_files.is_whole(file, row.size)
    except FileNotFoundError:
        return False


def _is_link(path: Path, target: Path) -> bool:
    try:
        return os.readlink(path) == str(target)
    except OSError:
        return False


def _link_cached(cached: Path, target: Path) -> None:
    """Hard-link a cached file; copy it where the file system does not support that."""
    try:
        os.link(cached, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(cached, target)
        freeze(target)


def _make_writable(folder: Path) -> None:
    for directory, _, _ in os.walk(folder):
        os.chmod(directory, 0o755)


def _make_read_only(folder: Path) -> None:
    for directory, _, _ in os.walk(folder, topdown=False):
        os.chmod(directory, 0o555)
