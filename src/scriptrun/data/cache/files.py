"""The data cache: files from datastores, stored once per machine and shared by all runs.

Below ``$SCRIPTRUN_CACHE/data``: ``files/ab/KEY`` is one whole file. Its key is a digest of the
store, the path, the ETag and the size, so its content never changes; its modification time holds a
checksum of that (``freeze``). ``blocks/`` holds files that
mounts have read in part, ``layouts/`` the folders that runs see (``layout``). A file that a layout
uses has more than one link and is never removed. When the cache would exceed its limit, the least
recently used of the other files are removed first.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from scriptrun.data.datasets.sources import StoreRef
from scriptrun.data.errors import DatastoreException
from scriptrun.runtime import disks
from scriptrun.store import paths, sizes, trees
from scriptrun.store.locks import flocks

#: the time of every cached file, in nanoseconds since 1970: the first seconds of 2000
FIXED_MTIME = 946_684_800 * 10**9
#: variable with the cache's maximum size ("50GB", "200 GiB"); default: half of the disk
LIMIT = "SCRIPTRUN_DATA_CACHE_SIZE"
#: seconds after which an unfinished file counts as abandoned
_ABANDONED = 86400.0


def store_identity(store_ref: StoreRef) -> str:
    """A text that identifies the store of ``store_ref``, the same in every workspace."""
    if store_ref.datastore is None:
        return repr(sorted({"url": store_ref.url, "query": store_ref.query}.items()))
    identity = {"name": store_ref.datastore.name, "record": store_ref.datastore.record()}
    return repr(sorted(identity.items()))


def cache_key(origin: str, path: str, etag: str, size: int) -> str:
    """The name of a file in the cache. Files without an ETag may change: do not cache them."""
    text = "\0".join([origin, path, etag, str(size)])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class CachedItem(NamedTuple):
    """A removable item of the cache: its path, the bytes that removing it frees, its last use."""

    path: Path
    size: int
    last_used: float


class Cache:
    """The data cache in ``folder`` (default: this user's), below ``limit`` bytes if possible."""

    def __init__(self, folder: Path | None = None, limit: int | None = None) -> None:
        self.folder = folder or paths.cache_folder("data")
        self._limit = limit

    @property
    def layouts(self) -> Path:
        """The folder of all layouts."""
        return self.folder / "layouts"

    def file(self, key: str) -> Path:
        """The path of the cached file ``key``, which may not exist yet."""
        return self.folder / "files" / key[:2] / key

    def lock_path(self, name: str) -> Path:
        """The path of the lock file ``name``."""
        return self.folder / "locks" / f"{name}.lock"

    def discard(self, key: str) -> None:
        """Remove a file whose content is wrong."""
        self.file(key).unlink(missing_ok=True)

    def total_size(self) -> int:
        """The bytes of everything in the cache."""
        files = sum(status.st_size for _, status in self._all_files())
        return files + sum(item.size for item in self._block_items())

    def limit(self) -> int:
        """The maximum size of the cache in bytes."""
        if self._limit is not None:
            return self._limit
        setting = os.environ.get(LIMIT, "")
        if setting:
            return sizes.size(setting, LIMIT)
        return (self.total_size() + shutil.disk_usage(self.folder).free) // 2

    def make_room(self, size: int) -> int:
        """Remove unused items, least recently used first, until ``size`` more bytes fit.

        Returns the bytes freed. Items in use stay even if that exceeds the limit: only a full disk
        is an error.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        return self._free(self.total_size() + size - self.limit())

    def clear(self) -> int:
        """Remove everything that no run uses; return the bytes freed."""
        return self._free(1 << 62)

    def prune(self, before: float) -> int:
        """Remove items not used since ``before`` (seconds since 1970); return the bytes freed."""
        return self._free(1 << 62, before)

    def _free(self, size: int, before: float = float("inf")) -> int:
        if size <= 0:
            return 0
        freed = 0
        for item in sorted(
            [*self._unused_items(), *self._block_items(), *self._layout_items()], key=_last_used
        ):
            if freed >= size or item.last_used >= before:
                break
            if item.path.parent == self.layouts:
                freed += self._remove_layout(item.path)
            elif item.path.parent.name == "blocks":
                freed += _remove_blocks(item)
            else:
                freed += _remove(item)
        return freed

    def _remove_layout(self, layout: Path) -> int:
        """Remove an unused layout and the files that only it used; return the bytes freed."""
        flock = flocks.try_flock(self.lock_path(f"{layout.name}.use"))
        if flock is None:
            return 0
        with flock:
            inodes = {
                os.lstat(os.path.join(folder, name)).st_ino
                for folder, _, names in os.walk(layout)
                for name in names
            }
            trees.remove(layout)
        unused = [
            CachedItem(path, status.st_size, 0.0)
            for path, status in self._single_link_files(inodes)
        ]
        return sum(map(_remove, unused))

    def _layout_items(self) -> Iterator[CachedItem]:
        for path, status in _scan(self.layouts):
            yield CachedItem(path, 0, max(status.st_mtime, status.st_atime))

    def _unused_items(self) -> Iterator[CachedItem]:
        """Files that no layout uses, and abandoned partial files."""
        for path, status in self._single_link_files():
            if not path.name.startswith(".") or status.st_mtime < time.time() - _ABANDONED:
                yield CachedItem(path, status.st_size, status.st_atime)

    def _single_link_files(
        self, inodes: set[int] | None = None
    ) -> Iterator[tuple[Path, os.stat_result]]:
        """Files with a single link, only those whose inode is in ``inodes`` if given."""
        for path, status in self._all_files():
            if status.st_nlink == 1 and (inodes is None or status.st_ino in inodes):
                yield path, status

    def _all_files(self) -> Iterator[tuple[Path, os.stat_result]]:
        root = self.folder / "files"
        for name in _names(root):
            yield from _scan(root / name)

    def _block_items(self) -> Iterator[CachedItem]:
        """The files that mounts have read in part."""
        for path, status in _scan(self.folder / "blocks"):
            if path.suffix != ".map":
                yield CachedItem(path, status.st_blocks * 512, status.st_mtime)


def freeze(path: str | os.PathLike[str]) -> None:
    """Make a complete file read-only and set its fixed modification time.

    That is FIXED_MTIME and, in nanoseconds, 1 and the CRC-32 of the content; without these where
    the file system keeps no nanoseconds.
    """
    os.chmod(path, 0o444)
    with open(path, "rb", buffering=0) as file:
        mark = FIXED_MTIME + 1 + _checksum(file)
    os.utime(path, ns=(time.time_ns(), mark))
    if os.stat(path).st_mtime_ns != mark:
        os.utime(path, ns=(time.time_ns(), FIXED_MTIME))


def is_frozen(status: os.stat_result, size: int = -1) -> bool:
    """Whether a file of that look may be as it was frozen; ``size`` -1 is any."""
    return size in (-1, status.st_size) and 0 <= status.st_mtime_ns - FIXED_MTIME <= 1 << 32


def is_whole(file: BinaryIO, size: int = -1) -> bool:
    """Whether an open file of the cache has the content that it was frozen with."""
    status = os.fstat(file.fileno())
    if not is_frozen(status, size):
        return False
    checksum = status.st_mtime_ns - FIXED_MTIME - 1
    return checksum < 0 or _checksum(file) == checksum


def _checksum(file: BinaryIO) -> int:
    checksum = 0
    file.seek(0)
    while data := file.read(1 << 20):
        checksum = zlib.crc32(data, checksum)
    file.seek(0)
    return checksum


def write_error(error: OSError, folder: Path) -> DatastoreException:
    """The error for a cache folder that cannot be written, e.g. because the disk is full."""
    return DatastoreException(
        f"Cannot write the data cache {str(folder)!r}: {disks.describe(error, folder)}.",
        "Free some disk space, or set SCRIPTRUN_CACHE to a folder on a larger disk.",
    )


def _last_used(item: CachedItem) -> float:
    return item.last_used


def _remove(item: CachedItem) -> int:
    """Remove one file; return the bytes freed."""
    try:
        item.path.unlink()
    except OSError:  # another process removed it
        return 0
    return item.size


def _remove_blocks(item: CachedItem) -> int:
    """Remove a partly read file unless a mount has it open; return the bytes freed."""
    flock = flocks.try_flock(item.path)
    if flock is None:
        return 0
    with flock:
        item.path.with_name(f"{item.path.name}.map").unlink(missing_ok=True)
        return _remove(item)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _scan(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        try:
            yield Path(entry.path), entry.stat(follow_symlinks=False)
        except OSError:
            continue
