"""What a mount keeps on the local disk: whole files, and the blocks of those read in part.

Below the cache's folder: ``files/ab/KEY`` is a whole file; ``blocks/KEY.BOOT`` one of which some
blocks are there, and ``blocks/KEY.BOOT.map`` says which, a byte for each (1: there). A block's byte
is written after the block. The key is a digest of the store, the path, the ETag and the size, so
what is there never changes. Blocks of an earlier boot are not used: they may not have reached the
disk. Whoever reads blocks holds a lock on their file together with others (flock), so that nobody
removes it; the cache's limit is kept, and where it leaves no room nothing is kept.
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

from scriptrun.data.cache.files import Cache, settle
from scriptrun.runtime import identity
from scriptrun.store.locks import flocks

#: bytes of one block
BLOCK = 64 << 10
#: bytes for which room is made at once, at most
_STEP = 1 << 30
#: seconds for which a full cache is taken for full
_PAUSE = 5.0


def key_of(store: str, path: str, etag: str, size: int) -> str:
    """The name under which a file is kept; ``store`` tells its store from others."""
    return hashlib.sha256("\0".join([store, path, etag, str(size)]).encode()).hexdigest()


class Room:
    """How much more may be kept in the cache's ``folder``; others may keep there too."""

    def __init__(self, folder: str) -> None:
        self._cache = Cache(Path(folder))
        self._limit = self._cache.limit()
        self._left, self._full_until = 0, 0.0
        #: bytes that were counted in, and may not be on the disk yet
        self._being_written = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Count in ``size`` bytes, which the block writes; OSError where the limit has no room."""
        with self._lock:
            if size > self._left:
                self._left = self._more(size)
            self._left -= size
            self._being_written += size
        try:
            yield
        finally:
            with self._lock:
                self._being_written -= size

    def _more(self, size: int) -> int:
        if time.monotonic() >= self._full_until:
            step = max(size, min(_STEP, self._limit // 20))
            self._cache.make_room(step + self._being_written)
            left = min(step, self._limit - self._cache.used() - self._being_written)
            if left >= size:
                return left
            self._full_until = time.monotonic() + _PAUSE
        raise OSError(errno.ENOSPC, "the data cache is full")


class Keep:
    """The folder; "" keeps nothing. Its methods raise OSError where the disk refuses."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._boot = identity.boot()[:8]
        if folder:
            for name in ("files", "blocks"):
                os.makedirs(os.path.join(folder, name), exist_ok=True)
            self.room = Room(folder)

    def file(self, key: str) -> str:
        """Where the whole file is, once it is there."""
        return os.path.join(self._folder, "files", key[:2], key)

    def open(self, key: str) -> FileIO | None:
        """The whole file, open, or None where it is not there."""
        if not self._folder or not key:
            return None
        try:
            return FileIO(self.file(key))
        except OSError:
            return None

    def save(self, key: str, data: bytes) -> None:
        """Keep a whole file."""
        if not self._folder or not key:
            return
        part = os.path.join(self._folder, "blocks", f"{uuid.uuid4().hex[:12]}.part")
        try:
            with self.room.taken(len(data)):
                with open(part, "xb") as out:
                    out.write(data)
                self._publish(part, key)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(part)

    def blocks(self, key: str, size: int) -> Blocks | None:
        """The file as far as it is there, to be read and added to; None where nothing is kept."""
        if not self._folder or not key:
            return None
        return Blocks(self, key, os.path.join(self._folder, "blocks", f"{key}.{self._boot}"), size)

    def _publish(self, part: str, key: str) -> None:
        target = self.file(key)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        settle(part)
        os.replace(part, target)


class Blocks:
    """A file of which some blocks are on the disk; several threads and processes add to it."""

    def __init__(self, keep: Keep, key: str, path: str, size: int) -> None:
        self._keep, self._key, self._path = keep, key, path
        self.count = -(-size // BLOCK)
        self.file = FileIO(flocks.share(path).fileno(), "r+")  # locked until it is closed
        self._map = _grown(f"{path}.map")
        self.descriptor = self.file.fileno()
        if os.fstat(self.descriptor).st_size != size:  # it is new; a map may be of one before
            os.ftruncate(self._map.fileno(), 0)
            os.ftruncate(self.descriptor, size)
        there = os.pread(self._map.fileno(), self.count, 0)
        self.there = bytearray(there.ljust(self.count, b"\0"))
        self._lock = threading.Lock()

    def write(self, parts: list[bytes | memoryview], offset: int) -> None:
        """Put bytes, one part after the other, at their place; they count once ``has`` says so."""
        size = sum(map(len, parts))
        with self._keep.room.taken(size):
            done = os.pwritev(self.descriptor, parts, offset)
            left = b"".join(parts)[done:] if done < size else b""
            while left:
                offset += done
                done = os.pwrite(self.descriptor, left, offset)
                left = left[done:]

    def has(self, first: int, end: int) -> None:
        """Note that the blocks from ``first`` up to ``end`` are there."""
        ones = b"\1" * (end - first)
        os.pwrite(self._map.fileno(), ones, first)
        with self._lock:
            self.there[first:end] = ones
            whole = 0 not in self.there
        if whole:
            self._whole()

    def _whole(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            self._keep._publish(self._path, self._key)
            os.unlink(f"{self._path}.map")


def _grown(path: str) -> FileIO:
    """A file to be read and written, made where it is not there."""
    return FileIO(path, "r+", opener=lambda name, flags: os.open(name, flags | os.O_CREAT, 0o600))
