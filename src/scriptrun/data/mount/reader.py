"""Read the files of a mount: from the local cache if possible, else from their stores."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from scriptrun.data.datasets.content import Root
from scriptrun.data.datasets.manifest import Row
from scriptrun.data.errors import DatastoreException, FileChanged
from scriptrun.data.mount.answer import OnDisk
from scriptrun.data.mount.block_cache import Keep, key_of
from scriptrun.data.mount.large_files import Large, Loose, Place, Pools
from scriptrun.data.mount.plan import identity
from scriptrun.data.mount.small_files import SMALL, Small
from scriptrun.data.stores.object import ObjectStore
from scriptrun.data.stores.protocol import Entry, Store

Following = Callable[[str, int], list[Row]]
#: files to keep open, at most
_OPEN = 256


class _Whole:
    """A whole file on the local disk."""

    def __init__(self, file: FileIO) -> None:
        self._file = file

    def read(self, offset: int, size: int, limit: float) -> OnDisk:
        """A range of the file; fewer bytes at its end."""
        return OnDisk(self._file, offset, size)


class Reader:
    """Reads files by their rows. ``next_rows(path, count)`` returns the rows after a path."""

    def __init__(self, roots: list[Root], keep: Keep, limit: float, following: Following) -> None:
        self._roots, self._keep, self._limit = roots, keep, limit
        self._stores: list[Store] = [root.place.store() for root in roots]
        self._names = [identity(root) for root in roots]
        self._pools, self._loose = Pools(), Loose()
        self._small = Small(
            keep,
            self._pools,
            lambda path, count: [self.place(row) for row in following(path, count)],
        )
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Large | _Whole] = OrderedDict()
        for store in self._stores:
            if isinstance(store, ObjectStore):  # loading obstore takes longer than a small read
                self._pools.now.submit(store.prepare)

    def place(self, row: Row) -> Place:
        """The location of a row's file."""
        root = self._roots[row.place]
        path = root.key_of(row)
        key = key_of(self._names[row.place], path, row.etag, row.size) if row.etag else ""
        return Place(row, self._stores[row.place], path, key)

    def stat(self, row: Row) -> Entry | None:
        """The current entry of a row's file in its store."""
        return self._stores[row.place].stat(self._roots[row.place].key_of(row))

    def read(self, row: Row, offset: int, size: int) -> bytes | OnDisk:
        """Read up to ``size`` bytes at ``offset``.

        Raises DatastoreException if the store fails or sends nothing in time.
        """
        if offset >= row.size:
            return b""
        if row.size <= SMALL:
            return self._small.read(self.place(row), self._limit)[offset : offset + size]
        return self._opened(row).read(offset, min(size, row.size - offset), self._limit)

    def _opened(self, row: Row) -> Large | _Whole:
        """The open file; closes the least recently read one if too many are open."""
        with self._lock:
            file = self._open.get(row.path)
            if file is None:
                file = self._open[row.path] = self._make(row)
                if len(self._open) > _OPEN:
                    self._open.popitem(last=False)  # closed once its last reader has finished
            else:
                self._open.move_to_end(row.path)
            return file

    def _make(self, row: Row) -> Large | _Whole:
        place = self.place(row)
        kept = self._keep.open(place.key)
        if kept is not None:
            return _Whole(kept)
        if place.store.folder is not None:
            return self._local(place, place.store.folder)
        blocks = None
        with contextlib.suppress(OSError):  # the disk is full: do without a cache
            blocks = self._keep.blocks(place.key, row.size)
        return Large(place, blocks, self._loose, self._pools)

    def _local(self, place: Place, folder: Path) -> _Whole:
        entry = place.store.stat(place.path)
        if entry is None or (place.row.etag and entry.etag != place.row.etag):
            raise FileChanged(f"File {place.path!r} in {place.store.name} has changed.")
        try:
            return _Whole(FileIO(folder / place.path))
        except OSError as error:
            raise DatastoreException(
                f"Cannot read {place.path!r} in {place.store.name}: {error.strerror}."
            ) from None
