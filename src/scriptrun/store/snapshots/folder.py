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

StatSignature = tuple[int, int, int, int, int]
"""Mode, size, modification and change time (ns) and inode: if equal, so is the content."""
UNTRUSTED: StatSignature = (0, 0, 0, 0, 0)
"""A signature that equals no other: the file is read again next time."""


class Listing:
    """One folder, sorted by name: files (all that are not folders), folders, and ignored names.

    ``environment`` is set for a Python environment; then the rest stays empty.
    """

    def __init__(self, path: bytes, rules: Rules) -> None:
        self.path = path
        self.rules = rules
        self.files: list[tuple[bytes, StatSignature]] = []
        self.folders: list[bytes] = []
        self.ignored: list[bytes] = []
        self.reasons: dict[bytes, Reason] = {}
        self.environment: Reason | None = None


class Decisions(Value):
    """Earlier decisions about a folder's names under rules with ``stamp``; folders end in ``/``.

    ``included`` None means: everything that is not in ``ignored``.
    """

    stamp: str | None = None
    ignored: Collection[bytes] = ()
    included: Collection[bytes] | None = ()


def signature_of(status: os.stat_result) -> StatSignature:
    """The signature to compare to see whether a file is unchanged."""
    return (
        status.st_mode,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
    )


def is_settled(signature: StatSignature) -> bool:
    """Whether any later change of the file will change ``signature``: its times are old enough."""
    return max(signature[2], signature[3]) < time.time_ns() - FRESH


def join(folder: bytes, name: bytes) -> bytes:
    """``name`` below ``folder``."""
    return folder + b"/" + name if folder else name


def list_folder(
    source: bytes, path: bytes, parent_rules: Rules, decisions: Decisions | None = None
) -> Listing:
    """The folder ``path`` of ``source``, under the rules ``parent_rules``.

    Reuses ``decisions`` made under the same rules. Raises OSError if the folder cannot be read.
    """
    with os.scandir(join(source, path)) as scan:
        entries = sorted(scan, key=attrgetter("name"))
    names = {entry.name: entry for entry in entries}
    listing = Listing(path, parent_rules)
    listing.environment = parent_rules.environment(path, frozenset(names))
    if listing.environment is not None:
        return listing
    listing.rules = rules = parent_rules.below(path, names.get(parent_rules.kind))
    if decisions is None or rules.stamp != decisions.stamp:
        decisions = Decisions()
    for entry in entries:
        _classify(listing, entry, decisions)
    return listing


def _classify(listing: Listing, entry: os.DirEntry[bytes], decisions: Decisions) -> None:
    name = entry.name
    is_folder = entry.is_dir(follow_symlinks=False)
    key = name + b"/" if is_folder else name
    if key in decisions.ignored:
        listing.ignored.append(key)
        return
    if decisions.included is not None and key not in decisions.included:
        reason = listing.rules.reason(join(listing.path, name), is_folder)
        if reason is not None:
            listing.ignored.append(key)
            listing.reasons[key] = reason
            return
    if is_folder:
        listing.folders.append(name)
        return
    try:
        listing.files.append((name, _entry_signature(entry)))
    except FileNotFoundError:
        pass  # removed while it was listed


def _entry_signature(entry: os.DirEntry[bytes]) -> StatSignature:
    signature = signature_of(entry.stat(follow_symlinks=False))
    if not stat.S_ISLNK(signature[0]):
        return signature
    try:
        # If a link leads out of the source, its target counts as well.
        target = os.stat(entry.path)
    except OSError:
        return signature
    if not stat.S_ISREG(target.st_mode):
        return (*signature[:4], signature[4] ^ stat.S_IFMT(target.st_mode))
    return (
        signature[0],
        target.st_size,
        max(signature[2], target.st_mtime_ns),
        max(signature[3], target.st_ctime_ns),
        target_hash(target),
    )


def target_hash(status: os.stat_result) -> int:
    """A hash that changes with a link's target; replaces the inode in the link's signature."""
    return hash(
        (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode)
    )


def walk_order(folder: bytes) -> list[bytes]:
    """The sort key of a walk: a folder before its contents, then by name."""
    return folder.split(b"/") if folder else []


def push_folders(stack: list[tuple[bytes, Rules]], listing: Listing) -> None:
    """Push the folders of ``listing`` on a walk's stack, the first on top."""
    stack.extend((join(listing.path, name), listing.rules) for name in reversed(listing.folders))
