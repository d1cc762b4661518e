"""Small files of a mount: downloaded whole, and ahead of time when read in order."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError

from scriptrun.data.errors import FileChanged, StoreUnreachable
from scriptrun.data.mount.block_cache import MountCache
from scriptrun.data.mount.large_files import FetchPools, FileLocation
from scriptrun.data.stores.timeouts import Backoff

#: files up to this many bytes are downloaded whole
SMALL = 1 << 20
#: bytes of small files to hold in memory
_MEMORY_LIMIT = 64 << 20
#: files to download ahead, at most
_MAX_AHEAD = 64
#: sequences of files read in order to track
_MAX_RUNS = 64

NextFiles = Callable[[str, int], list[FileLocation]]


class SmallFiles:
    """The small files of a mount. ``next_files(path, count)`` returns the files after a path."""

    def __init__(self, cache: MountCache, pools: FetchPools, next_files: NextFiles) -> None:
        self._cache, self._pools, self._next_files = cache, pools, next_files
        self._lock = threading.Lock()
        self._contents: OrderedDict[str, tuple[Future[bytes], int]] = OrderedDict()
        self._total_size = 0
        #: by the path expected next: how many files have been read in order before it
        self._runs: OrderedDict[str, int] = OrderedDict()

    def read(self, location: FileLocation, limit: float) -> bytes:
        """The whole file. Raises DatastoreException if it takes more than ``limit`` seconds."""
        content, is_new = self._request(location, self._pools.urgent)
        if is_new or location.row.path in self._runs:
            self._fetch_ahead(location.row.path)
        try:
            return content.result(limit)
        except TimeoutError:
            raise StoreUnreachable(
                f"{location.store.name} does not send {location.path!r}."
            ) from None
        finally:
            if content.done() and content.exception() is not None:
                self._forget(location.row.path)

    def _request(
        self, location: FileLocation, pool: ThreadPoolExecutor
    ) -> tuple[Future[bytes], bool]:
        """The future of the file's content, and whether it is a new request."""
        path, size = location.row.path, location.row.size
        with self._lock:
            stored = self._contents.get(path)
            if stored is not None:
                return stored[0], False
            content = pool.submit(self._fetch, location)
            self._contents[path] = content, size
            self._total_size += size
            while self._total_size > _MEMORY_LIMIT:
                self._total_size -= self._contents.popitem(last=False)[1][1]
            return content, True

    def _forget(self, path: str) -> None:
        with self._lock:
            self._total_size -= self._contents.pop(path, (None, 0))[1]

    def _fetch(self, location: FileLocation) -> bytes:
        """Download the file, or read it from the cache. Runs in a pool thread."""
        cached = self._cache.open(location.key, location.row.size)
        if cached is not None:
            with cached:
                return cached.read()
        backoff = Backoff()
        while True:
            try:
                data = b"".join(location.store.pieces(location.path, location.row.etag))
                break
            except StoreUnreachable as error:
                if not backoff.wait(error.retry_after):
                    raise
        if len(data) != location.row.size:
            raise FileChanged(
                f"File {location.path!r} in {location.store.name} has changed: it has {len(data)} "
                f"bytes, expected {location.row.size}."
            )
        with contextlib.suppress(OSError):  # the disk is full: do without a cache
            self._cache.save(location.key, data)
        return data

    def _fetch_ahead(self, path: str) -> None:
        """Download the next files if files are being read in the order of their names."""
        run = self._runs.pop(path, 0) + 1
        locations = self._next_files(path, min(_MAX_AHEAD, 1 << run) if run > 1 else 1)
        if not locations:
            return
        self._runs[locations[0].row.path] = run
        if len(self._runs) > _MAX_RUNS:
            self._runs.popitem(last=False)
        if run > 1:
            for location in locations:
                if 0 < location.row.size <= SMALL and not os.path.exists(
                    self._cache.file_path(location.key)
                ):
                    self._request(location, self._pools.ahead)
