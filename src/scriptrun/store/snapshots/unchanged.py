"""Whether a source still looks as it did when its last snapshot was taken: nothing is read.

Separate from ``take``, since a warm submission needs only this.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from scriptrun.runtime import files
from scriptrun.spec.values import Value
from scriptrun.store.snapshots import folder as snapshot_folder
from scriptrun.store.snapshots import stat_cache
from scriptrun.store.snapshots.ignore import Rules, rules_for

#: the ending of a file whose time says when another user's file was used last
USED = ".used"
#: seconds; a file used so lately is not marked again, so that it keeps its times
_LATELY = 3600.0


class SnapshotResult(Value):
    """A finished snapshot, as the closing record of a stat cache holds it."""

    digest: str
    files: int
    size: int
    warnings: tuple[str, ...]
    packs: tuple[str, ...]


def find_unchanged(source: bytes, cache: Path) -> SnapshotResult | None:
    """The last snapshot if every folder of ``source`` still looks the same, else None."""
    stack = [(b"", rules_for(source))]
    with stat_cache.StatCacheReader(cache) as reader:
        record = reader.next()
        while stack:
            path, rules = stack.pop()
            listing = _list_unchanged(source, path, rules, record)
            if listing is None:
                return None
            if listing.environment is None:
                snapshot_folder.push_folders(stack, listing)
                record = reader.next()
        closing = reader.closing() if record is None else None
    return SnapshotResult(*closing) if closing is not None else None


def _list_unchanged(
    source: bytes, path: bytes, parent_rules: Rules, record: stat_cache.Record | None
) -> snapshot_folder.Listing | None:
    """The folder ``path`` if it looks as in ``record`` or is a Python environment, else None."""
    decisions = None
    if record is not None and record.path == path:
        decisions = snapshot_folder.Decisions(record.stamp, record.ignored, None)
    try:
        listing = snapshot_folder.list_folder(source, path, parent_rules, decisions)
    except OSError:
        return None
    if listing.environment is not None:
        return listing
    if record is None or decisions is None or listing.rules.stamp != record.stamp:
        return None
    return listing if stat_cache.appearance(listing) == record.appearance else None


def mark_used(path: str) -> bool:
    """Whether ``path`` exists; marks it as used now, so that garbage collection spares it."""
    return used_size(path) >= 0


def used_size(path: str) -> int:
    """The size of ``path``, -1 if it is missing; marks it as used now, as ``mark_used``."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return -1
    if abs(time.time() - status.st_mtime) > _LATELY:
        try:
            os.utime(path)
        except FileNotFoundError:
            return -1
        except OSError:  # another user's file
            with suppress(OSError):  # a read-only disk
                files.write_atomic(path + USED, b"", durable=False)
    return status.st_size
