"""Checks all snapshots of a store: manifests, places, and every file's content.

Safe during submissions: what is being written has other names, and damage is looked at twice, so
that a snapshot that is removed or made whole meanwhile does not count.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from scriptrun.runtime import workdir
from scriptrun.spec.values import Value


class SnapshotDamage(Value):
    """A damaged file of the store, what is wrong with it, and what it holds."""

    path: str
    problem: str
    meaning: str


class SnapshotCheck:
    """Checks the snapshots of ``store``; ``snapshots`` and ``size`` (bytes) count what was read."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._seen: set[tuple[str, int | str]] = set()
        self.snapshots = 0
        self.size = 0

    def damages(self) -> Iterator[SnapshotDamage]:
        """All damage, snapshot by snapshot; content that several share is read once."""
        for digest in self._digests():
            self.snapshots += 1
            for damage in list(self._damages_of(digest)):
                if any(damage == again for again in self._damages_of(digest, again=True)):
                    yield damage

    def _digests(self) -> list[str]:
        paths = (self._store / "manifests").glob("??/*")
        return sorted(path.name for path in paths if len(path.name) == 64)

    def _damages_of(self, digest: str, again: bool = False) -> Iterator[SnapshotDamage]:
        reader = workdir.ContentReader(self._store)
        manifest = workdir.manifest_path(self._store, digest)
        meaning = f"Snapshot {digest[:16]} cannot be used."
        try:
            for kind, path, size, value, location in workdir.entries(self._store, digest):
                if kind not in "fx" or not size:
                    continue
                key = location or (value, -1)
                if key in self._seen and not again:
                    continue
                if not reader.is_whole(size, value, location):
                    yield self._content_damage(digest, os.fsdecode(path), value, location)
                    continue
                self._seen.add(key)
                self.size += 0 if again else size
        except (workdir.SnapshotDamaged, OSError) as error:
            if os.path.exists(manifest):  # otherwise it was just removed
                problem = str(error).replace(workdir.REPAIR, "").strip()
                yield SnapshotDamage(manifest, problem, meaning)
        finally:
            reader.close()

    def _content_damage(
        self, digest: str, name: str, content: str, location: tuple[str, int] | None
    ) -> SnapshotDamage:
        path = (
            workdir.pack_path(self._store, location[0])
            if location
            else workdir.object_path(self._store, content)
        )
        problem = f"does not have the expected SHA-256 {content}"
        if not os.path.exists(path):
            problem = "is missing"
        elif location:
            problem = f"the content at byte {location[1]:,} {problem}"
        return SnapshotDamage(path, problem, f"File {name!r} of snapshot {digest[:16]} is lost.")
