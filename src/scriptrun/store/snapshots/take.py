"""Takes a snapshot: one walk over the source, in step with the records of the last snapshot.

Both are in the same order, so that memory stays bounded. If every folder looks the same, nothing is
read or written; otherwise only files that look different are read.
"""

from __future__ import annotations

import marshal
from pathlib import Path

from scriptrun.runtime import workdir
from scriptrun.store.snapshots import folder as snapshot_folder
from scriptrun.store.snapshots import publish, read_file, stat_cache
from scriptrun.store.snapshots import warnings as snapshot_warnings
from scriptrun.store.snapshots.ignore import rules_for
from scriptrun.store.snapshots.packs import PackWriter
from scriptrun.store.snapshots.unchanged import Taken


class Taking:
    """Builds one snapshot; ``failed`` (path to reason) collects what cannot be read."""

    def __init__(self, store: Path, source: bytes, cache: Path) -> None:
        self.failed: dict[bytes, str] = {}
        self._source = source
        self._reader = stat_cache.Reader(cache)
        self._ahead = self._reader.next()
        self._publication = publish.Publication(store)
        self._packs = PackWriter(store)
        self._writer = stat_cache.Writer(cache)
        self._folders = snapshot_warnings.Folders()
        self._secrets: list[bytes] = []
        self._outside: list[bytes] = []
        self._unusual: list[bytes] = []

    def run(self) -> Taken | None:
        """Walk, store what is new and publish; None if anything in the source has ``failed``."""
        done = False
        try:
            self._walk()
            if self.failed:
                return None
            taken = self._publish()
            done = True
            return taken
        finally:
            self._reader.close()
            if not done:
                self._writer.discard()
                self._packs.discard()
                self._publication.discard()

    def _walk(self) -> None:
        stack = [(b"", rules_for(self._source))]
        while stack:
            path, above = stack.pop()
            record = self._record_of(path)
            try:
                seen = snapshot_folder.list_folder(self._source, path, above, _decided(record))
            except FileNotFoundError:
                continue
            except OSError as error:
                self.failed[path] = error.strerror or str(error)
                continue
            if seen.environment is None:
                self._take_folder(seen, record)
                snapshot_folder.push_folders(stack, seen)

    def _record_of(self, path: bytes) -> stat_cache.Record | None:
        """The last snapshot's record of ``path``; skips records of removed folders."""
        order = snapshot_folder.walk_order(path)
        while self._ahead is not None and snapshot_folder.walk_order(self._ahead.path) < order:
            self._ahead = self._reader.next()
        return self._ahead if self._ahead is not None and self._ahead.path == path else None

    def _take_folder(self, seen: snapshot_folder.Listing, record: stat_cache.Record | None) -> None:
        if seen.path:
            self._publication.write(b"d %s\n" % workdir.escape(seen.path))
        before = {each[0]: each for each in record.files()} if record is not None else {}
        kept: list[stat_cache.FileRecord] = []
        files = size = 0
        for name, look in seen.files:
            had = before.get(name)
            if had is None or had[1] != look or not self._still_kept(had):
                had = self._take_file(snapshot_folder.join(seen.path, name), name, look)
            if had is None:
                continue
            kept.append(had)
            if had[2]:
                files += 1
                size += self._write(seen.path, had)
        self._folders.add(seen.path, files, size)
        self._remember(seen, kept)

    def _still_kept(self, had: stat_cache.FileRecord) -> bool:
        _, _, line, place = had
        if not place:
            return bool(line)
        _, digest, size, _ = line.split(b" ", 3)
        return self._packs.has(place[:-1], digest, int(size))

    def _take_file(
        self, path: bytes, name: bytes, look: snapshot_folder.Look
    ) -> stat_cache.FileRecord | None:
        try:
            return read_file.take(self._packs, self._source, path, look)
        except read_file.Unreadable as error:
            self.failed[path] = str(error)
        except read_file.Unusual:
            self._unusual.append(path)
            return name, look, b"", b""
        except FileNotFoundError:
            pass  # removed during the walk
        return None

    def _write(self, folder: bytes, had: stat_cache.FileRecord) -> int:
        """Write the lines of one file or link; returns its size in bytes."""
        name, _, line, place = had
        self._publication.write(line, place)
        if not place:
            if line.partition(b"\0")[2].startswith(b"/"):
                self._outside.append(snapshot_folder.join(folder, name))
            return 0
        if snapshot_warnings.looks_secret(name):
            self._secrets.append(snapshot_folder.join(folder, name))
        return int(line.split(b" ", 3)[2])

    def _remember(self, seen: snapshot_folder.Listing, kept: list[stat_cache.FileRecord]) -> None:
        seen.files = [(name, look) for name, look, _, _ in kept]
        self._writer.add(
            stat_cache.Record(
                seen.path,
                seen.rules.stamp,
                stat_cache.appearance(seen),
                frozenset(seen.left_out),
                marshal.dumps(kept, 2),
            )
        )

    def _publish(self) -> Taken:
        digest, packs, ours = self._publication.publish(self._packs)
        warnings = [
            *self._folders.warnings(),
            *snapshot_warnings.secret_like(self._secrets),
            *snapshot_warnings.outside(self._outside),
            *snapshot_warnings.unusual(self._unusual),
        ]
        files, size = self._folders.files, self._folders.size
        closing = digest, files, size, tuple(warnings), tuple(sorted(packs))
        if ours or not self._packs.wrote:
            self._writer.finish(closing)
        else:
            self._writer.discard()  # it would refer to our pack, which was discarded
        return Taken(*closing)


def _decided(record: stat_cache.Record | None) -> snapshot_folder.Decided | None:
    """The last snapshot's decisions about all names that existed then."""
    if record is None:
        return None
    files, folders = marshal.loads(record.appearance)
    kept = {name for name, _ in files} | {name + b"/" for name in folders}
    return snapshot_folder.Decided(record.stamp, record.left_out, kept)
