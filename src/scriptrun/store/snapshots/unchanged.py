"""Whether a source still looks as it did when its last snapshot was taken: nothing is read.

Separate from ``take``, since a warm submission needs only this.
"""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun.runtime import workdir
from scriptrun.spec.values import Value
from scriptrun.store.snapshots import folder as snapshot_folder
from scriptrun.store.snapshots import stat_cache
from scriptrun.store.snapshots.ignore import Rules, rules_for


class Taken(Value):
    """A finished snapshot, as the closing record of a stat cache holds it."""

    digest: str
    files: int
    size: int
    warnings: tuple[str, ...]
    packs: tuple[str, ...]


def unchanged(source: bytes, cache: Path) -> Taken | None:
    """The last snapshot if every folder of ``source`` still looks the same, else None."""
    stack = [(b"", rules_for(source))]
    with stat_cache.Reader(cache) as reader:
        record = reader.next()
        while stack:
            path, above = stack.pop()
            seen = _same(source, path, above, record)
            if seen is None:
                return None
            if seen.environment is None:
                snapshot_folder.push_folders(stack, seen)
                record = reader.next()
        closing = reader.closing() if record is None else None
    return Taken(*closing) if closing is not None else None


def _same(
    source: bytes, path: bytes, above: Rules, record: stat_cache.Record | None
) -> snapshot_folder.Listing | None:
    """The folder ``path`` if it looks as in ``record`` or is a Python environment, else None."""
    decided = None
    if record is not None and record.path == path:
        decided = snapshot_folder.Decided(record.stamp, record.left_out, None)
    try:
        seen = snapshot_folder.list_folder(source, path, above, decided)
    except OSError:
        return None
    if seen.environment is not None:
        return seen
    if record is None or decided is None or seen.rules.stamp != record.stamp:
        return None
    return seen if stat_cache.appearance(seen) == record.appearance else None


def standing(store: Path, packs: set[str] | None) -> bool:
    """Whether all ``packs`` exist."""
    return packs is not None and all(os.path.exists(workdir.pack_path(store, p)) for p in packs)


def touched(path: str) -> bool:
    """Whether ``path`` exists; marks it as used now, so that garbage collection spares it."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError:
        return os.path.exists(path)  # another user's file
    return True
