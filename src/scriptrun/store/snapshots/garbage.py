"""Garbage collection: unreferenced snapshots, content that only they used, and leftovers.

Only what has not been used for a day is removed, so that a snapshot or submission in progress never
loses what it needs: taking a snapshot marks all that it uses. ``prune_lease`` keeps the two apart.
A power cut or a kill leaves at worst content that nothing refers to.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path

from scriptrun.runtime import durability, files, workdir
from scriptrun.spec.values import Value
from scriptrun.store.snapshots.unchanged import USED

DAY = 86_400.0
#: hexadecimal digits of a manifest's name
_DIGITS = 64
_DIGEST = re.compile(rb"[0-9a-f]{64}")


def remove_leftovers(root: Path, age: float = DAY) -> int:
    """Remove temporary files and folders (``*.tmp``) below ``root`` that are older than ``age``.

    ``age`` is in seconds. Returns the number of bytes freed.
    """
    freed = 0
    for folder, names, file_names in os.walk(root):
        for name in [name for name in names if name.endswith(".tmp")]:
            names.remove(name)
            if _is_old(Path(folder, name), age):
                shutil.rmtree(Path(folder, name), ignore_errors=True)
        for name in file_names:
            if name.endswith(".tmp"):
                freed += _remove(Path(folder, name), age)
    return freed


def clock_lead(folder: Path) -> float:
    """By how many seconds this machine's clock is ahead of that of ``folder``'s file system.

    At least 0; infinite if a file cannot be created there, so that nothing counts as old.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as handle:
            return max(0.0, time.time() - os.fstat(handle.fileno()).st_mtime)
    except OSError:
        return float("inf")


def remove_unfinished(store: Path, cache: Path) -> None:
    """Remove what killed submissions left half written in ``store`` and in the folder ``cache``."""
    for folder in (store / "manifests", store / "packs", store / "objects", cache):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            if name.endswith(".tmp"):
                with suppress(OSError):
                    _remove(folder / name, DAY)


class Garbage(Value):
    """What nothing refers to in a store: ``manifests`` and ``content``, in order of removal.

    ``size`` is their size in bytes. ``recent``: how many unreferenced snapshots were used within
    the age. ``damaged``: a snapshot that cannot be read, so all content is in use.
    """

    manifests: list[Path]
    content: list[Path]
    size: int
    recent: int = 0
    damaged: str = ""

    @property
    def snapshots(self) -> int:
        """How many snapshots go."""
        return sum(len(path.name) == _DIGITS for path in self.manifests)

    @property
    def kept(self) -> int:
        """How many of them are still there."""
        return sum(len(path.name) == _DIGITS and path.exists() for path in self.manifests)


def remove_snapshots(store: Path, referenced: Collection[str], age: float = DAY) -> int:
    """Remove the snapshots in ``store`` whose digests are not ``referenced``, and their content.

    What was used within ``age`` seconds stays. Returns the number of bytes freed.
    """
    return remove_leftovers(store, age) + remove(store, find(store, referenced, age), age)


def find(store: Path, referenced: Collection[str], age: float = DAY) -> Garbage:
    """The snapshots in ``store`` whose digests are not ``referenced``, and their content.

    Without what was used within ``age`` seconds.
    """
    sizes: dict[Path, int] = {}
    manifests = list(_walk_files(store / "manifests"))
    digests = {path.name for path in manifests if len(path.name) == _DIGITS}
    unused = [path for path in manifests if path.name in digests and path.name not in referenced]
    old = [path for path in unused if _add_old(sizes, path, age)]
    remaining = digests - {path.name for path in old}
    for path in manifests:
        if path.name not in digests and path.stem not in remaining:
            _add_old(sizes, path, age)
    removed, content = list(sizes), []
    try:
        packs, objects = _in_use(store, remaining)
    except workdir.SnapshotDamaged as error:
        return Garbage(removed, [], sum(sizes.values()), len(unused) - len(old), str(error))
    for path in _walk_files(store / "packs"):
        if path.suffix == ".pack" and path.stem not in packs and _add_old(sizes, path, age):
            index = path.with_suffix(".index")
            content += [index, path]  # the index first: no new snapshot relies on the pack
            _add_old(sizes, index, 0)
        elif path.suffix == ".index" and not path.with_suffix(".pack").exists():
            content += [path] if _add_old(sizes, path, age) else []
    for path in [*_walk_files(store / "objects"), *_walk_files(store / "packs")]:
        is_unused = path.name not in objects and path.suffix not in (".tmp", ".pack", ".index")
        if is_unused and _add_old(sizes, path, age):
            content.append(path)
    return Garbage(removed, content, sum(sizes.values()), len(unused) - len(old))


def remove(
    store: Path,
    garbage: Garbage,
    age: float = DAY,
    may_delete: Callable[[], bool] = lambda: True,
) -> int:
    """Remove what ``find`` has found, unless it was used since; returns the bytes freed.

    It stops once ``may_delete`` says so.

    The content goes once the snapshots' removal is on the disk; none of it, if a snapshot stays,
    which may need it.
    """

    def free(path: Path, age: float) -> int:
        return _remove(path, age) if may_delete() else 0

    snapshots = [path for path in garbage.manifests if len(path.name) == _DIGITS]
    freed = sum(free(path, age) for path in snapshots)
    kept = {path.name for path in snapshots if os.path.lexists(path)}
    others = [path for path in garbage.manifests if len(path.name) != _DIGITS]
    freed += sum(free(path, age) for path in others if path.name[:_DIGITS] not in kept)
    if garbage.manifests:
        folders = {path.parent for path in garbage.manifests}
        durability.sync_files([folder for folder in folders if folder.is_dir()])
    for path in () if kept else garbage.content:
        if path.suffix == ".index":
            pack = path.with_suffix(".pack")
            freed += free(path, 0) if _is_old(pack, age) or not pack.exists() else 0
        else:
            freed += free(path, age)
    return freed


def _in_use(store: Path, digests: Collection[str]) -> tuple[set[str], set[str]]:
    """The packs and the objects that the snapshots ``digests`` refer to.

    Raises SnapshotDamaged if a snapshot does not say.
    """
    packs: set[str] = set()
    objects: set[str] = set()
    for digest in digests:
        path = workdir.manifest_path(store, digest)
        data = files.read_bytes(path)
        places = files.read_bytes(f"{path}.places")
        if data is None or places is None or hashlib.sha256(data).hexdigest() != digest:
            raise workdir.SnapshotDamaged(f"snapshot {digest[:16]} is damaged")
        packs.update(line.partition(b" ")[0].decode() for line in places.splitlines())
        objects.update(name.decode() for name in _DIGEST.findall(data))
    return packs, objects


def _walk_files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            yield Path(parent, name)


def _add_old(sizes: dict[Path, int], path: Path, age: float) -> bool:
    """Whether ``path`` was not used within ``age`` seconds; then add its size."""
    try:
        status = path.stat()
    except OSError:
        return False
    if age and not _is_old(path, age):
        return False
    sizes[path] = status.st_size
    return True


def _is_old(path: Path, age: float) -> bool:
    try:
        return last_used(path) <= time.time() - age
    except OSError:
        return False


def last_used(path: Path) -> float:
    """When the file was used last. Raises OSError if it is missing."""
    time_of_file = path.stat().st_mtime
    try:
        return max(time_of_file, os.stat(f"{path}{USED}").st_mtime)
    except OSError:
        return time_of_file


def _remove(path: Path, age: float) -> int:
    try:
        size = path.stat().st_size
        if age and not _is_old(path, age):
            return 0
        path.unlink()
    except OSError:
        return 0  # removed meanwhile, or in a folder that this user cannot write
    return size
