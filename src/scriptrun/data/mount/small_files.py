"""Small files of a mount: fetched whole, and early where they are read in order."""

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

#: files up to this size are fetched whole, in bytes
SMALL = 1 << 20
#: bytes of them that are held in memory
_HELD = 64 << 20
#: how many files are fetched ahead at most
_MOST = 64
#: how many runs of files that are read in order are told apart
_RUNS = 64

Following = Callable[[str, int], list[Place]]


class Small:
    """The small files of a mount. ``following(path, count)`` gives the files after one."""

    def __init__(self, keep: Keep, pools: Pools, following: Following) -> None:
        self._keep, self._pools, self._following = keep, pools, following
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[Future[bytes], int]] = OrderedDict()
        self._bytes = 0
        #: by the path that would come next: how many files have been read in order up to there
        self._runs: OrderedDict[str, int] = OrderedDict()

    def read(self, place: Place, limit: float) -> bytes:
        """The whole file; raises DatastoreException where it has not come within ``limit``."""
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
        """The file's content to come, and whether it was asked for only now."""
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
        """Fetch the file, or read it from the disk. For a thread of a pool."""
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
        with contextlib.suppress(OSError):  # a full disk: it goes without
            self._keep.save(place.key, data)
        return data

    def _go_ahead(self, path: str) -> None:
        """Where files are read in the order of their names, fetch the next ones."""
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
