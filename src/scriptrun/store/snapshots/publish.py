"""Writes a snapshot's manifest and places; readers see all or nothing.

Order: the content of all files reaches the disk; then the pack gets its name, the places
(exclusively), the pack's index, and last the manifest; then the names reach the disk. A process
killed in between leaves files that nothing refers to, and no snapshot.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path

from scriptrun.runtime import durability, files, workdir
from scriptrun.runtime.files import make_folders
from scriptrun.store import trees
from scriptrun.store.snapshots import stamps
from scriptrun.store.snapshots.packs import PackWriter
from scriptrun.store.snapshots.unchanged import mark_used


class Publication:
    """An unfinished manifest and its places, under temporary names."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self._hash = hashlib.sha256()
        folder = store / "manifests"
        make_folders(folder)
        name = uuid.uuid4().hex[:12]
        self._manifest = str(folder / f"{name}.tmp")
        self._places = str(folder / f"{name}.places.tmp")
        self._lines = open(self._manifest, "xb")  # noqa: SIM115
        try:
            self._places_lines = open(self._places, "xb")  # noqa: SIM115
        except OSError:
            self._lines.close()
            Path(self._manifest).unlink()
            raise
        self._places_lines.write(workdir.PLACES_HEAD)
        self.write(workdir.MANIFEST_HEAD)

    def write(self, line: bytes, place: bytes = b"") -> None:
        """Append a line to the manifest, and for a file its line to the places."""
        self._hash.update(line)
        self._lines.write(line)
        self._places_lines.write(place)

    def publish(self, packs: PackWriter) -> tuple[str, set[str], bool]:
        """Publish; returns the digest, the packs it refers to, and whether our places were used.

        If another process has published the same snapshot, theirs is used, unless it is damaged.
        """
        self._lines.close()
        self._places_lines.close()
        digest = self._hash.hexdigest()
        final = workdir.manifest_path(self.store, digest)
        os.makedirs(os.path.dirname(final), exist_ok=True)
        durability.sync_files([*packs.finish(), self._places, self._manifest])
        folders = packs.publish() | {os.path.dirname(final), str(self.store / "manifests")}
        try:
            published = self._publish_places(final + ".places", digest)
        except BaseException:
            packs.discard(published=True)  # nothing refers to it yet
            raise
        if published:
            packs.publish_index()
            used = packs.used
        else:
            packs.discard(published=True)
            used = packs_in(final + ".places") or set()
        if not _link_exclusively(self._manifest, final):
            self._keep_or_replace(final, digest)
        self.discard()
        durability.sync_files(folders)
        return digest, used, published

    def discard(self) -> None:
        """Remove the temporary files."""
        for handle in (self._lines, self._places_lines):
            try:
                handle.close()
            except OSError:
                pass  # a full disk: what is still buffered goes nowhere
        for path in (self._manifest, self._places):
            Path(path).unlink(missing_ok=True)

    def _publish_places(self, final: str, digest: str) -> bool:
        if _link_exclusively(self._places, final):
            return True
        if stamps.are_places_whole(self.store, self._manifest, final, digest):
            return False
        trees.replace(self._places, final)
        return True

    def _keep_or_replace(self, final: str, digest: str) -> None:
        """Mark the existing manifest as used now, or replace it if it is damaged."""
        if stamps.is_manifest_whole(final, digest):
            mark_used(final)
        else:
            trees.replace(self._manifest, final)


def _link_exclusively(temporary: str, final: str) -> bool:
    try:
        os.link(temporary, final)
    except FileExistsError:
        return False
    except OSError:
        if os.path.exists(final):  # a file system without hard links
            return False
        os.replace(temporary, final)
    return True


def packs_of(store: Path, digest: str) -> set[str] | None:
    """The packs that the snapshot ``digest`` refers to; None if it is not in the store."""
    manifest = workdir.manifest_path(store, digest)
    return packs_in(manifest + ".places") if os.path.exists(manifest) else None


def packs_in(places: str) -> set[str] | None:
    """The packs that a places file refers to; None if it is missing."""
    try:
        with files.open_record(places) as lines:
            lines.readline()
            return {line.split(b" ", 1)[0].decode() for line in lines if line != b"-\n"}
    except (FileNotFoundError, UnicodeDecodeError):
        return None
