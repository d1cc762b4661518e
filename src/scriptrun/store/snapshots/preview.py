"""What a snapshot of a directory would contain; reads no files except ignore files."""

from __future__ import annotations

import os
import stat

from scriptrun.spec.values import Value, fresh
from scriptrun.store.snapshots import folder as snapshot_folder
from scriptrun.store.snapshots import symlinks
from scriptrun.store.snapshots import warnings as snapshot_warnings
from scriptrun.store.snapshots.ignore import ENVIRONMENT_MARKS, Reason, rules_for


class Inspection(Value, frozen=False):
    """``files`` (path to bytes) and ``ignored`` (path to reason; a folder ends in ``/``) by path.

    Bytes that are not UTF-8 become surrogates in paths. ``size`` is in bytes; ``warnings`` are
    those of ``take``; ``failed`` are folders that could not be listed.
    """

    files: dict[str, int] = fresh(default_factory=dict)
    ignored: dict[str, Reason] = fresh(default_factory=dict)
    size: int = 0
    warnings: list[str] = fresh(default_factory=list)
    failed: dict[bytes, str] = fresh(default_factory=dict)


def inspect(source: bytes) -> Inspection:
    """Walk ``source`` (absolute, without links) as a snapshot does."""
    inspector = _Inspector(source)
    stack = [(b"", rules_for(source))]
    while stack:
        path, rules = stack.pop()
        try:
            listing = snapshot_folder.list_folder(source, path, rules)
        except FileNotFoundError:
            continue
        except OSError as error:
            inspector.inspection.failed[path] = error.strerror or str(error)
            continue
        inspector.add(listing)
        snapshot_folder.push_folders(stack, listing)
    return inspector.finish()


def why_ignored(source: bytes, path: bytes) -> Reason | None:
    """Why a snapshot of ``source`` ignores ``path``: its own reason or that of a folder above."""
    rules = rules_for(source)
    folder = b""
    for name in path.split(b"/"):
        here = snapshot_folder.join(source, folder)
        marks = [mark for mark in ENVIRONMENT_MARKS if os.path.lexists(os.path.join(here, mark))]
        reason = rules.environment(folder, frozenset(marks))
        if reason is not None:
            return reason
        rules = rules.inside(folder, here)
        inner = snapshot_folder.join(folder, name)
        full = os.path.join(source, inner)
        if not os.path.lexists(full):
            return None
        reason = rules.reason(inner, os.path.isdir(full) and not os.path.islink(full))
        if reason is not None:
            return reason
        folder = inner
    return None


class _Inspector:
    def __init__(self, source: bytes) -> None:
        self.inspection = Inspection()
        self._source = source
        self._folders = snapshot_warnings.FolderTotals()
        self._secrets: list[bytes] = []
        self._outside: list[bytes] = []
        self._unusual: list[bytes] = []

    def add(self, listing: snapshot_folder.Listing) -> None:
        if listing.environment is not None:
            self.inspection.ignored[os.fsdecode(listing.path) + "/"] = listing.environment
            return
        for name in listing.ignored:
            self.inspection.ignored[os.fsdecode(snapshot_folder.join(listing.path, name))] = (
                listing.reasons[name]
            )
        sizes: list[tuple[bytes, int]] = []
        for name, signature in listing.files:
            path = snapshot_folder.join(listing.path, name)
            file_size = self._size(path, signature)
            if file_size is not None:
                self.inspection.files[os.fsdecode(path)] = file_size
                sizes.append((name, file_size))
        self._folders.add(listing.path, sizes)

    def _size(self, path: bytes, signature: snapshot_folder.StatSignature) -> int | None:
        if stat.S_ISLNK(signature[0]):
            return self._size_of_link(path, signature)
        if not stat.S_ISREG(signature[0]):
            self._unusual.append(path)
            return None
        if snapshot_warnings.looks_secret(path.rpartition(b"/")[2]):
            self._secrets.append(path)
        return signature[1]

    def _size_of_link(self, path: bytes, signature: snapshot_folder.StatSignature) -> int | None:
        try:
            link = symlinks.read(self._source, path)
        except OSError:
            return None
        if isinstance(link, symlinks.Followed):
            return signature[1]
        if os.path.isabs(link.target):
            self._outside.append(path)
        return 0

    def finish(self) -> Inspection:
        self.inspection.size = self._folders.size
        self.inspection.warnings = [
            *self._folders.warnings(),
            *snapshot_warnings.secret_like(self._secrets),
            *snapshot_warnings.outside_links(self._outside),
            *snapshot_warnings.special_files(self._unusual),
        ]
        return self.inspection
