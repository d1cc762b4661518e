"""Read the files of a mount: from the local cache if possible, else from their stores."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from scriptrun.data.datasets.content import Root
from scriptrun.data.datasets.manifest import ManifestRow
from scriptrun.data.errors import DatastoreException, FileChanged
from scriptrun.data.mount.answer import DiskRange
from scriptrun.data.mount.block_cache import MountCache, cache_key
from scriptrun.data.mount.large_files import FetchPools, FileLocation, LargeFile, MemoryBlocks
from scriptrun.data.mount.plan import store_identity
from scriptrun.data.mount.small_files import SMALL, SmallFiles
from scriptrun.data.stores.object import ObjectStore
from scriptrun.data.stores.protocol import FileEntry, Store, is_unchanged

NextRows = Callable[[str, int], list[ManifestRow]]
#: files to keep open, at most
_MAX_OPEN = 256


class _LocalFile:
    """A whole file on the local disk."""

    def __init__(self, file: FileIO) -> None:
        self._file = file

    def read(self, offset: int, size: int, limit: float) -> DiskRange:
        """A range of the file; fewer bytes at its end."""
        return DiskRange(self._file, offset, size)


class MountReader:
    """Reads files by their rows. ``next_rows(path, count)`` returns the rows after a path."""

    def __init__(
        self, roots: list[Root], cache: MountCache, time_limit: float, next_rows: NextRows
    ) -> None:
        self._roots, self._cache, self._time_limit = roots, cache, time_limit
        self._stores: list[Store] = [root.store_ref.store() for root in roots]
        self._store_ids = [store_identity(root) for root in roots]
        self._pools, self._memory = FetchPools(), MemoryBlocks()
        self._small_files = SmallFiles(
            cache,
            self._pools,
            lambda path, count: [self.locate(row) for row in next_rows(path, count)],
        )
        self._lock = threading.Lock()
        self._open_files: OrderedDict[str, LargeFile | _LocalFile] = OrderedDict()
        for store in self._stores:
            if isinstance(store, ObjectStore):  # loading obstore takes longer than a small read
                self._pools.urgent.submit(store.prepare)

    def locate(self, row: ManifestRow) -> FileLocation:
        """The location of a row's file."""
        root = self._roots[row.root_index]
        path = root.store_path(row)
        key = (
            cache_key(self._store_ids[row.root_index], path, row.etag, row.size) if row.etag else ""
        )
        return FileLocation(row, self._stores[row.root_index], path, key)

    def stat(self, row: ManifestRow) -> FileEntry | None:
        """The current entry of a row's file in its store."""
        return self._stores[row.root_index].stat(self._roots[row.root_index].store_path(row))

    def read(self, row: ManifestRow, offset: int, size: int) -> bytes | DiskRange:
        """Read up to ``size`` bytes at ``offset``.

        Raises DatastoreException if the store fails or sends nothing in time.
        """
        if offset >= row.size:
            return b""
        if row.size <= SMALL:
            return self._small_files.read(self.locate(row), self._time_limit)[
                offset : offset + size
            ]
        return self._get_open_file(row).read(offset, min(size, row.size - offset), self._time_limit)

    def _get_open_file(self, row: ManifestRow) -> LargeFile | _LocalFile:
        """The open file; closes the least recently read one if too many are open."""
        with self._lock:
            file = self._open_files.get(row.path)
            if file is None:
                file = self._open_files[row.path] = self._open_file(row)
                if len(self._open_files) > _MAX_OPEN:
                    self._open_files.popitem(last=False)  # closed once its last reader has finished
            else:
                self._open_files.move_to_end(row.path)
            return file

    def _open_file(self, row: ManifestRow) -> LargeFile | _LocalFile:
        location = self.locate(row)
        cached = self._cache.open(location.key, location.row.size)
        if cached is not None:
            return _LocalFile(cached)
        if location.store.folder is not None:
            return self._open_local(location, location.store.folder)
        blocks = None
        with contextlib.suppress(OSError):  # the disk is full: do without a cache
            blocks = self._cache.blocks(location.key, row.size)
        return LargeFile(location, blocks, self._memory, self._pools)

    def _open_local(self, location: FileLocation, folder: Path) -> _LocalFile:
        entry = location.store.stat(location.path)
        if entry is None or not is_unchanged(location.store, entry, location.row.etag):
            raise FileChanged(f"File {location.path!r} in {location.store.name} has changed.")
        try:
            return _LocalFile(FileIO(folder / location.path))
        except OSError as error:
            raise DatastoreException(
                f"Cannot read {location.path!r} in {location.store.name}: {error.strerror}."
            ) from None
