"""Garbage collection: unreferenced snapshots, content that only they used, and leftovers.

Only what has not been used for a day is removed, so that a snapshot or submission in progress never
loses what it needs: taking a snapshot marks all that it uses.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from scriptrun.runtime import workdir

DAY = 86_400.0


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


def remove_snapshots(store: Path, referenced: Collection[str], age: float = DAY) -> int:
    """Remove the snapshots in ``store`` whose digests are not ``referenced``, and their content.

    What was used within ``age`` seconds stays. Returns the number of bytes freed.
    """
    freed = remove_leftovers(store, age)
    for path in _walk_files(store / "manifests"):
        if len(path.name) == 64 and path.name not in referenced:
            freed += _remove(path, age)
    for path in _walk_files(store / "manifests"):
        if path.suffix == ".places" and not path.with_suffix("").exists():
            freed += _remove(path, age)
    try:
        packs, objects = _in_use(store)
    except workdir.SnapshotDamaged:
        return freed  # unknown what it needs: keep all content
    for path in _walk_files(store / "packs"):
        if path.suffix in (".pack", ".index") and path.stem not in packs:
            freed += _remove_pack(store, path, age)
    for path in _walk_files(store / "objects"):
        if path.name not in objects and path.suffix != ".tmp":
            freed += _remove(path, age)
    return freed


def _in_use(store: Path) -> tuple[set[str], set[str]]:
    """The packs and the objects that the remaining snapshots refer to."""
    packs: set[str] = set()
    objects: set[str] = set()
    for path in _walk_files(store / "manifests"):
        if len(path.name) != 64:
            continue
        for kind, _, size, digest, location in workdir.entries(store, path.name):
            if location is not None:
                packs.add(location[0])
            elif kind in ("f", "x") and size:
                objects.add(digest)
    return packs, objects


def _remove_pack(store: Path, path: Path, age: float) -> int:
    """Remove the index first, so that no new snapshot relies on the pack."""
    pack = store / "packs" / f"{path.stem}.pack"
    if pack.exists() and not _is_old(pack, age):
        return 0
    return _remove(pack.with_suffix(".index"), 0) + _remove(pack, 0)


def _walk_files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            yield Path(parent, name)


def _is_old(path: Path, age: float) -> bool:
    try:
        return path.stat().st_mtime <= time.time() - age
    except FileNotFoundError:
        return False


def _remove(path: Path, age: float) -> int:
    try:
        size = path.stat().st_size
        if age and not _is_old(path, age):
            return 0
        path.unlink()
    except FileNotFoundError:
        return 0
    return size
