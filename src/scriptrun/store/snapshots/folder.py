"""Lists one folder of a source directory: its entries, what is ignored, and stat signatures.

Paths are bytes, relative to the source, with ``/`` between names; the source itself is ``b""``.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection
from operator import attrgetter

from scriptrun.spec.values import Value
from scriptrun.store.snapshots.ignore import FRESH, Reason, Rules

Look = tuple[int, int, int, int, int]
"""Mode, size, modification and change time (ns) and inode: if equal, so is the content."""
UNTRUSTED: Look = (0, 0, 0, 0, 0)
"""A signature that equals no other: the file is read again next time."""


class Listing:
    """One folder, sorted by name: files (all that are not folders), folders, and ignored names.

    ``environment`` is set for a Python environment; then the rest stays empty.
    """

    def __init__(self, path: bytes, rules: Rules) -> None:
        self.path = path
        self.rules = rules
        self.files: list[tuple[bytes, Look]] = []
        self.folders: list[bytes] = []
        self.left_out: list[bytes] = []
        self.reasons: dict[bytes, Reason] = {}
        self.environment: Reason | None = None


class Decided(Value):
    """Earlier decisions about a folder's names under rules with ``stamp``; folders end in ``/``.

    ``included`` None means: everything that is not in ``ignored``.
    """

    stamp: str | None = None
    left_out: Collection[bytes] = ()
    kept: Collection[bytes] | None = ()


def look_at(status: os.stat_result) -> Look:
    """The signature to compare to see whether a file is unchanged."""
    return (
        status.st_mode,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
    )


def trusted(look: Look) -> bool:
    """Whether any later change of the file will change ``look``: its times are old enough."""
    return max(look[2], look[3]) < time.time_ns() - FRESH


def join(folder: bytes, name: bytes) -> bytes:
    """``name`` below ``folder``."""
    return folder + b"/" + name if folder else name


def list_folder(
    source: bytes, path: bytes, above: Rules, decided: Decided | None = None
) -> Listing:
    """The folder ``path`` of ``source``, under the rules ``above``.

    Reuses what was ``decided`` under the same rules. Raises OSError if the folder cannot be read.
    """
    with os.scandir(join(source, path)) as found:
        entries = sorted(found, key=attrgetter("name"))
    names = {entry.name: entry for entry in entries}
    listing = Listing(path, above)
    listing.environment = above.environment(path, frozenset(names))
    if listing.environment is not None:
        return listing
    listing.rules = rules = above.below(path, names.get(above.kind))
    if decided is None or rules.stamp != decided.stamp:
        decided = Decided()
    for entry in entries:
        _sort_in(listing, entry, decided)
    return listing


def _sort_in(listing: Listing, entry: os.DirEntry[bytes], decided: Decided) -> None:
    name = entry.name
    is_folder = entry.is_dir(follow_symlinks=False)
    key = name + b"/" if is_folder else name
    if key in decided.left_out:
        listing.left_out.append(key)
        return
    if decided.kept is not None and key not in decided.kept:
        reason = listing.rules.reason(join(listing.path, name), is_folder)
        if reason is not None:
            listing.left_out.append(key)
            listing.reasons[key] = reason
            return
    if is_folder:
        listing.folders.append(name)
        return
    try:
        listing.files.append((name, _look_of(entry)))
    except FileNotFoundError:
        pass  # removed while it was listed


def _look_of(entry: os.DirEntry[bytes]) -> Look:
    look = look_at(entry.stat(follow_symlinks=False))
    if not stat.S_ISLNK(look[0]):
        return look
    try:
        # If a link leads out of the source, its target counts as well.
        there = os.stat(entry.path)
    except OSError:
        return look
    if not stat.S_ISREG(there.st_mode):
        return (*look[:4], look[4] ^ stat.S_IFMT(there.st_mode))
    return (
        look[0],
        there.st_size,
        max(look[2], there.st_mtime_ns),
        max(look[3], there.st_ctime_ns),
        mixed(there),
    )


def mixed(there: os.stat_result) -> int:
    """A hash that changes with a link's target; replaces the inode in the link's signature."""
    return hash((there.st_size, there.st_mtime_ns, there.st_ctime_ns, there.st_ino, there.st_mode))


def walk_order(folder: bytes) -> list[bytes]:
    """The sort key of a walk: a folder before its contents, then by name."""
    return folder.split(b"/") if folder else []


def push_folders(stack: list[tuple[bytes, Rules]], listing: Listing) -> None:
    """Push the folders of ``listing`` on a walk's stack, the first on top."""
    stack.extend((join(listing.path, name), listing.rules) for name in reversed(listing.folders))
