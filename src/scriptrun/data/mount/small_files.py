"""Small files of a mount: downloaded whole, and ahead of time when read in order."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError

from scriptrun.data.errors import FileChanged, Unreachable
from scriptrun.data.mount.block_cache import Keep
from scriptrun.data.mount.large_files import Place, Pools
from scriptrun.data.stores.timeouts import Patience

#: files up to this many bytes are downloaded whole
SMALL = 1 << 20
#: bytes of small files to hold in memory
_HELD = 64 << 20
#: files to download ahead, at most
_MOST = 64
#: sequences of files read in order to track
_RUNS = 64

Following = Callable[[str, int], list[Place]]


class Small:
    """The small files of a mount. ``next_files(path, count)`` returns the files after a path."""

    def __init__(self, keep: Keep, pools: Pools, following: Following) -> None:
        self._keep, self._pools, self._following = keep, pools, following
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[Future[bytes], int]] = OrderedDict()
        self._bytes = 0
        #: by the path expected next: how many files have been read in order before it
        self._runs: OrderedDict[str, int] = OrderedDict()

    def read(self, place: Place, limit: float) -> bytes:
        """The whole file. Raises DatastoreException if it takes more than ``limit`` seconds."""
        coming, fresh = self._get(place, self._pools.now)
        if fresh or place.row.path in self._runs:
            self._go_ahead(place.row.path)
        try:
            return coming.result(limit)
        except TimeoutError:
            raise Unreachable(f"{place.store.name} does not send {place.path!r}.") from None
        finally:
            if coming.done() and coming.exception() is not None:
                self._forget(place.row.path)

    def _get(self, place: Place, pool: ThreadPoolExecutor) -> tuple[Future[bytes], bool]:
        """The future of the file's content, and whether it is a new request."""
        path, size = place.row.path, place.row.size
        with self._lock:
            held = self._held.get(path)
            if held is not None:
                return held[0], False
            coming = pool.submit(self._bring, place)
            self._held[path] = coming, size
            self._bytes += size
            while self._bytes > _HELD:
                self._bytes -= self._held.popitem(last=False)[1][1]
            return coming, True

    def _forget(self, path: str) -> None:
        with self._lock:
            self._bytes -= self._held.pop(path, (None, 0))[1]

    def _bring(self, place: Place) -> bytes:
        """Download the file, or read it from the cache. Runs in a pool thread."""
        kept = self._keep.open(place.key)
        if kept is not None:
            with kept:
                return kept.read()
        patience = Patience()
        while True:
            try:
                data = b"".join(place.store.pieces(place.path, place.row.etag))
                break
            except Unreachable as error:
                if not patience.wait(error.after):
                    raise
        if len(data) != place.row.size:
            raise FileChanged(
                f"File {place.path!r} in {place.store.name} has changed: it has {len(data)} "
                f"bytes, expected {place.row.size}."
            )
        with contextlib.suppress(OSError):  # the disk is full: do without a cache
            self._keep.save(place.key, data)
        return data

    def _go_ahead(self, path: str) -> None:
        """Download the next files if files are being read in the order of their names."""
        run = self._runs.pop(path, 0) + 1
        after = self._following(path, min(_MOST, 1 << run) if run > 1 else 1)
        if not after:
            return
        self._runs[after[0].row.path] = run
        if len(self._runs) > _RUNS:
            self._runs.popitem(last=False)
        if run > 1:
            for place in after:
                if 0 < place.row.size <= SMALL and not os.path.exists(self._keep.file(place.key)):
                    self._get(place, self._pools.ahead)
