"""Files from datastores that this machine keeps for all its runs: each once, in one folder.

Below ``$SCRIPTRUN_CACHE/data``: ``files/ab/KEY`` is one whole file; its key is a digest of the
store, the path, the ETag and the size, so what is there never changes. ``blocks/`` holds what
mounts have read in part, ``layouts/`` the folders that runs see (``layout``). A file that a layout
holds has more than one link and is never removed; of the others those go first that nobody has
asked for longest, when the folder would become larger than its limit.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scriptrun.data.datasets.sources import Place
from scriptrun.data.errors import DatastoreException
from scriptrun.store import paths, sizes
from scriptrun.store.locks import flocks

#: the time of every cached file, in nanoseconds since 1970: the first second of 2000
FIXED = 946_684_800 * 10**9
#: what may be cached in all, in bytes ("50GB", "200 GiB"); default: half of what the disk has
LIMIT = "SCRIPTRUN_DATA_CACHE_SIZE"
#: seconds after which an unfinished file is taken for one that nobody goes on with
_ABANDONED = 86400.0


def origin_of(place: Place) -> str:
    """What tells the store behind ``place`` from others, whatever workspace names it."""
    if place.datastore is None:
        return repr(sorted({"url": place.url, "query": place.query}.items()))
    named = {"name": place.datastore.name, "record": place.datastore.record()}
    return repr(sorted(named.items()))


def key_of(origin: str, path: str, etag: str, size: int) -> str:
    """The name under which a file is kept. What has no ETag must not be kept: it may change."""
    text = "\0".join([origin, path, etag, str(size)])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Item(NamedTuple):
    """One thing that is kept: its path, what removing it frees in bytes, when it was last used."""

    path: Path
    size: int
    used: float


class Cache:
    """The folder ``folder`` (default: this user's), at most ``limit`` bytes large where it can."""

    def __init__(self, folder: Path | None = None, limit: int | None = None) -> None:
        self.folder = folder or paths.cache_folder("data")
        self._limit = limit

    @property
    def layouts(self) -> Path:
        """Where the folders lie that runs see."""
        return self.folder / "layouts"

    def file(self, key: str) -> Path:
        """Where the file ``key`` lies, once it is there."""
        return self.folder / "files" / key[:2] / key

    def lock(self, name: str) -> Path:
        """The lock file of that name."""
        return self.folder / "locks" / f"{name}.lock"

    def drop(self, key: str) -> None:
        """Forget a file, for what is there is not what should be."""
        self.file(key).unlink(missing_ok=True)

    def used(self) -> int:
        """Bytes of all that is kept."""
        files = sum(status.st_size for _, status in self._every())
        return files + sum(each.size for each in self._blocks())

    def limit(self) -> int:
        """How many bytes may be kept."""
        if self._limit is not None:
            return self._limit
        named = os.environ.get(LIMIT, "")
        if named:
            return sizes.size(named, LIMIT)
        return (self.used() + shutil.disk_usage(self.folder).free) // 2

    def make_room(self, wanted: int) -> int:
        """Remove what nobody uses, the longest unused first, until ``wanted`` bytes more fit.

        Returns how many bytes were freed. What is in use stays, and the limit is passed over for
        it: only the disk's own end is an error.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        return self._free(self.used() + wanted - self.limit())

    def clear(self) -> int:
        """Remove all that no run uses; how many bytes that freed."""
        return self._free(1 << 62)

    def prune(self, before: float) -> int:
        """Remove what nobody has used since ``before`` (seconds since 1970); bytes freed."""
        return self._free(1 << 62, before)

    def _free(self, wanted: int, before: float = float("inf")) -> int:
        if wanted <= 0:
            return 0
        freed = 0
        for item in sorted([*self._loose(), *self._blocks(), *self._laid_out()], key=_age):
            if freed >= wanted or item.used >= before:
                break
            if item.path.parent == self.layouts:
                freed += self._let_go(item.path)
            elif item.path.parent.name == "blocks":
                freed += _remove_blocks(item)
            else:
                freed += _remove(item)
        return freed

    def _let_go(self, layout: Path) -> int:
        """Remove a folder that no run uses, and the files that nobody else holds."""
        lock = flocks.try_flock(self.lock(f"{layout.name}.use"))
        if lock is None:
            return 0
        with lock:
            held = {
                os.lstat(os.path.join(folder, name)).st_ino
                for folder, _, names in os.walk(layout)
                for name in names
            }
            remove_tree(layout)
        loose = [Item(path, status.st_size, 0.0) for path, status in self._files(held)]
        return sum(map(_remove, loose))

    def _laid_out(self) -> Iterator[Item]:
        for path, status in _scan(self.layouts):
            yield Item(path, 0, max(status.st_mtime, status.st_atime))

    def _loose(self) -> Iterator[Item]:
        """The whole files that no layout holds; what is being fetched is young."""
        for path, status in self._files():
            if not path.name.startswith(".") or status.st_mtime < time.time() - _ABANDONED:
                yield Item(path, status.st_size, status.st_atime)

    def _files(self, among: set[int] | None = None) -> Iterator[tuple[Path, os.stat_result]]:
        """Each file that has one link only; ``among`` are the inodes that are asked for."""
        for path, status in self._every():
            if status.st_nlink == 1 and (among is None or status.st_ino in among):
                yield path, status

    def _every(self) -> Iterator[tuple[Path, os.stat_result]]:
        root = self.folder / "files"
        for name in _names(root):
            yield from _scan(root / name)

    def _blocks(self) -> Iterator[Item]:
        """What mounts have read in part."""
        for path, status in _scan(self.folder / "blocks"):
            if path.suffix != ".map":
                yield Item(path, status.st_blocks * 512, status.st_mtime)


def settle(place: str | os.PathLike[str]) -> None:
    """Give a whole file its fixed time, and take the right to write it."""
    os.chmod(place, 0o444)
    os.utime(place, ns=(time.time_ns(), FIXED))


def full(error: OSError, folder: Path) -> DatastoreException:
    """The sentence for a disk that has no room, or refuses."""
    return DatastoreException(
        f"Cannot write the data cache {str(folder)!r}: {error.strerror}.",
        "Free some disk space, or set SCRIPTRUN_CACHE to a folder on a larger disk.",
    )


def remove_tree(place: Path) -> None:
    """Remove a folder whose parts cannot be written to; a plain file too."""
    if place.is_symlink() or not place.is_dir():
        place.unlink(missing_ok=True)
        return
    for folder, _, _ in os.walk(place):
        try:
            os.chmod(folder, 0o755)
        except OSError:
            pass
    shutil.rmtree(place, ignore_errors=True)


def _age(item: Item) -> float:
    return item.used


def _remove(item: Item) -> int:
    """Remove one file; how many bytes that freed."""
    try:
        item.path.unlink()
    except OSError:  # somebody else has removed it
        return 0
    return item.size


def _remove_blocks(item: Item) -> int:
    """Remove what mounts have read of a file, unless one has it open; bytes freed."""
    lock = flocks.try_flock(item.path)
    if lock is None:
        return 0
    with lock:
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
