"""A mount's cache on the local disk: whole files, and the blocks of files read in part.

Below the cache folder: ``files/ab/KEY`` is a whole file, ``blocks/KEY.BOOT`` a file with some of
its blocks, and ``blocks/KEY.BOOT.map`` has a byte for each block (1: present), written after the
block. The key is a digest of the store, the path, the ETag and the size, so cached content never
changes. Blocks of an earlier boot are not used: they may not have reached the disk. Every reader
holds a shared lock (flock) on its block file, so that it is not removed. The cache's limit is
respected: when it is reached, nothing more is cached.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import threading
import time
import uuid
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import BinaryIO, cast

from scriptrun.data.cache import files as cache_files
from scriptrun.data.cache.files import Cache, freeze
from scriptrun.runtime import identity
from scriptrun.runtime.files import sync_file
from scriptrun.store.file_stamp import is_settled
from scriptrun.store.locks import flocks

#: bytes of one block
BLOCK = 64 << 10
#: bytes up to which a whole file is compared with its checksum when it is opened
_COMPARED = 1 << 30
#: bytes of room to make at a time, at most
_RESERVE_STEP = 1 << 30
#: seconds before a full cache is checked again
_FULL_PAUSE = 5.0


def cache_key(store: str, path: str, etag: str, size: int) -> str:
    """The name of a file in the cache; ``store`` identifies its store."""
    return hashlib.sha256("\0".join([store, path, etag, str(size)]).encode()).hexdigest()


class CacheBudget:
    """How much more may be written to the cache in ``folder``, which other processes share."""

    def __init__(self, folder: str) -> None:
        self._cache = Cache(Path(folder))
        self._limit = self._cache.limit()
        self._remaining, self._full_until = 0, 0.0
        #: bytes that are reserved but may not be on the disk yet
        self._being_written = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Reserve ``size`` bytes for the ``with`` block; raise OSError if the cache is full."""
        with self._lock:
            if size > self._remaining:
                self._remaining = self._extend(size)
            self._remaining -= size
            self._being_written += size
        try:
            yield
        finally:
            with self._lock:
                self._being_written -= size

    def _extend(self, size: int) -> int:
        if time.monotonic() >= self._full_until:
            step = max(size, min(_RESERVE_STEP, self._limit // 20))
            self._cache.make_room(step + self._being_written)
            remaining = min(step, self._limit - self._cache.total_size() - self._being_written)
            if remaining >= size:
                return remaining
            self._full_until = time.monotonic() + _FULL_PAUSE
        raise OSError(errno.ENOSPC, "the data cache is full")


class MountCache:
    """The cache in ``folder``; "" caches nothing. Its methods raise OSError if the disk fails."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._boot = identity.boot_id()[:8]
        #: by key: the change time of a file whose content was compared
        self._compared: dict[str, int] = {}
        if folder:
            for name in ("files", "blocks"):
                os.makedirs(os.path.join(folder, name), exist_ok=True)
            self.budget = CacheBudget(folder)

    def file_path(self, key: str) -> str:
        """The path of the whole file, which may not exist yet."""
        return os.path.join(self._folder, "files", key[:2], key)

    def open(self, key: str, size: int) -> FileIO | None:
        """Open the whole file; None if it is not cached, or damaged, and then removed.

        Its content is compared when this process opens it first, unless it is very large.
        """
        if not self._folder or not key:
            return None
        try:
            file = FileIO(self.file_path(key))
        except OSError:
            return None
        look = os.fstat(file.fileno()).st_ctime_ns
        if self._compared.get(key) == look:
            return file
        if size > _COMPARED:
            is_whole = cache_files.is_frozen(os.fstat(file.fileno()), size)
        else:
            is_whole = cache_files.is_whole(cast(BinaryIO, file), size)
        if not is_whole:
            file.close()
            with contextlib.suppress(OSError):
                os.unlink(self.file_path(key))
            return None
        if is_settled(look):
            self._compared[key] = look
        return file

    def save(self, key: str, data: bytes) -> None:
        """Cache a whole file."""
        if not self._folder or not key:
            return
        part = os.path.join(self._folder, "blocks", f"{uuid.uuid4().hex[:12]}.part")
        try:
            with self.budget.reserve(len(data)):
                with open(part, "xb") as out:
                    out.write(data)
                self._publish(part, key)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(part)

    def blocks(self, key: str, size: int) -> BlockFile | None:
        """Open the block file to read and extend it; None if nothing is cached."""
        if not self._folder or not key:
            return None
        return BlockFile(
            self, key, os.path.join(self._folder, "blocks", f"{key}.{self._boot}"), size
        )

    def _publish(self, part: str, key: str) -> None:
        target = self.file_path(key)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        freeze(part)
        os.replace(part, target)


class BlockFile:
    """A file with some of its blocks on the disk; several threads and processes add blocks."""

    def __init__(self, cache: MountCache, key: str, path: str, size: int) -> None:
        self._cache, self._key, self._path = cache, key, path
        self.count = -(-size // BLOCK)
        self.file = FileIO(flocks.share(path).fileno(), "r+")  # locked until it is closed
        self._map_file = _open_or_create(f"{path}.map")
        self.descriptor = self.file.fileno()
        if os.fstat(self.descriptor).st_size != size:  # new: a map is an older file's
            os.ftruncate(self._map_file.fileno(), 0)
            os.ftruncate(self.descriptor, size)
        flags = os.pread(self._map_file.fileno(), self.count, 0)
        self.present = bytearray(flags.ljust(self.count, b"\0"))
        self._lock = threading.Lock()

    def write(self, parts: list[bytes | memoryview], offset: int) -> None:
        """Write the parts at ``offset``; call ``mark_present`` once all is written."""
        size = sum(map(len, parts))
        with self._cache.budget.reserve(size):
            written = os.pwritev(self.descriptor, parts, offset)
            rest = b"".join(parts)[written:] if written < size else b""
            while rest:
                offset += written
                written = os.pwrite(self.descriptor, rest, offset)
                rest = rest[written:]

    def mark_present(self, first: int, end: int) -> None:
        """Record that the blocks from ``first`` up to ``end`` are present."""
        flags = b"\1" * (end - first)
        os.pwrite(self._map_file.fileno(), flags, first)
        with self._lock:
            self.present[first:end] = flags
            is_complete = 0 not in self.present
        if is_complete:
            self._finish()

    def _finish(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            sync_file(self._path)  # it has its size from the start, so that means nothing
            self._cache._publish(self._path, self._key)
            os.unlink(f"{self._path}.map")


def _open_or_create(path: str) -> FileIO:
    """Open a file to read and write, creating it if necessary."""
    return FileIO(path, "r+", opener=lambda name, flags: os.open(name, flags | os.O_CREAT, 0o600))
