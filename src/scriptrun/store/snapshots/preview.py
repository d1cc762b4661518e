"""What a snapshot of a directory would contain; reads no files except ignore files."""

from __future__ import annotations

import os
import stat

from scriptrun.spec.values import Value, fresh
from scriptrun.store.snapshots import folder as snapshot_folder
from scriptrun.store.snapshots import symlinks
from scriptrun.store.snapshots import warnings as snapshot_warnings
from scriptrun.store.snapshots.ignore import Reason, rules_for


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
    found = _Inspecting(source)
    stack = [(b"", rules_for(source))]
    while stack:
        path, above = stack.pop()
        try:
            seen = snapshot_folder.list_folder(source, path, above)
        except FileNotFoundError:
            continue
        except OSError as error:
            found.made.failed[path] = error.strerror or str(error)
            continue
        found.add(seen)
        snapshot_folder.push_folders(stack, seen)
    return found.finished()


def why_ignored(source: bytes, path: bytes) -> Reason | None:
    """Why a snapshot of ``source`` ignores ``path``: its own reason or that of a folder above."""
    rules = rules_for(source)
    folder = b""
    for name in path.split(b"/"):
        try:
            seen = snapshot_folder.list_folder(source, folder, rules)
        except OSError:
            return None
        if seen.environment is not None:
            return seen.environment
        reason = seen.reasons.get(name) or seen.reasons.get(name + b"/")
        if reason is not None:
            return reason
        rules, folder = seen.rules, snapshot_folder.join(folder, name)
    return None


class _Inspecting:
    def __init__(self, source: bytes) -> None:
        self.made = Inspection()
        self._source = source
        self._folders = snapshot_warnings.Folders()
        self._secrets: list[bytes] = []
        self._outside: list[bytes] = []
        self._unusual: list[bytes] = []

    def add(self, seen: snapshot_folder.Listing) -> None:
        if seen.environment is not None:
            self.made.ignored[os.fsdecode(seen.path) + "/"] = seen.environment
            return
        for name in seen.left_out:
            self.made.ignored[os.fsdecode(snapshot_folder.join(seen.path, name))] = seen.reasons[
                name
            ]
        size = 0
        count = 0
        for name, look in seen.files:
            path = snapshot_folder.join(seen.path, name)
            taken = self._size(path, look)
            if taken is not None:
                self.made.files[os.fsdecode(path)] = taken
                size += taken
                count += 1
        self._folders.add(seen.path, count, size)

    def _size(self, path: bytes, look: snapshot_folder.Look) -> int | None:
        if stat.S_ISLNK(look[0]):
            return self._size_of_link(path, look)
        if not stat.S_ISREG(look[0]):
            self._unusual.append(path)
            return None
        if snapshot_warnings.looks_secret(path.rpartition(b"/")[2]):
            self._secrets.append(path)
        return look[1]

    def _size_of_link(self, path: bytes, look: snapshot_folder.Look) -> int | None:
        try:
            link = symlinks.read(self._source, path)
        except OSError:
            return None
        if isinstance(link, symlinks.Followed):
            return look[1]
        if os.path.isabs(link.target):
            self._outside.append(path)
        return 0

    def finished(self) -> Inspection:
        self.made.size = self._folders.size
        self.made.warnings = [
            *self._folders.warnings(),
            *snapshot_warnings.secret_like(self._secrets),
            *snapshot_warnings.outside(self._outside),
            *snapshot_warnings.unusual(self._unusual),
        ]
        return self.made
