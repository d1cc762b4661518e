"""Takes a snapshot: one walk over the source, in step with the records of the last snapshot.

Both are in the same order, so that memory stays bounded. If every folder looks the same, nothing is
read or written; otherwise only files that look different are read.
"""

from __future__ import annotations

import marshal
from pathlib import Path

from scriptrun.runtime import workdir
from scriptrun.store.snapshots import folder as snapshot_folder
from scriptrun.store.snapshots import garbage, publish, read_file, stamps, stat_cache
from scriptrun.store.snapshots import warnings as snapshot_warnings
from scriptrun.store.snapshots.ignore import rules_for
from scriptrun.store.snapshots.packs import PackWriter
from scriptrun.store.snapshots.unchanged import SnapshotResult


class SnapshotBuilder:
    """Builds one snapshot; ``failed`` (path to reason) collects what cannot be read."""

    def __init__(self, store: Path, source: bytes, cache: Path) -> None:
        self.failed: dict[bytes, str] = {}
        self._source = source
        self._cache = cache
        self._store = store
        self._reader = stat_cache.StatCacheReader(cache)
        self._next_record = self._reader.next()
        garbage.remove_unfinished(store, cache.parent)
        self._publication = publish.Publication(store)
        self._packs = PackWriter(store)
        self._writer = stat_cache.StatCacheWriter(cache)
        self._folders = snapshot_warnings.FolderTotals()
        self._secrets: list[bytes] = []
        self._outside: list[bytes] = []
        self._unusual: list[bytes] = []

    def run(self) -> SnapshotResult | None:
        """Walk, store what is new and publish; None if anything in the source has ``failed``."""
        published = False
        try:
            self._walk()
            if self.failed:
                return None
            result = self._publish()
            published = True
            return result
        finally:
            self._reader.close()
            if not published:
                self._writer.discard()
                self._packs.discard()
                self._publication.discard()

    def _walk(self) -> None:
        stack = [(b"", rules_for(self._source))]
        while stack:
            path, rules = stack.pop()
            record = self._record_of(path)
            try:
                listing = snapshot_folder.list_folder(
                    self._source, path, rules, _last_decisions(record)
                )
            except FileNotFoundError:
                continue
            except OSError as error:
                self.failed[path] = error.strerror or str(error)
                continue
            if listing.environment is None:
                self._store_folder(listing, record)
                snapshot_folder.push_folders(stack, listing)

    def _record_of(self, path: bytes) -> stat_cache.Record | None:
        """The last snapshot's record of ``path``; skips records of removed folders."""
        path_order = snapshot_folder.walk_order(path)
        while (
            self._next_record is not None
            and snapshot_folder.walk_order(self._next_record.path) < path_order
        ):
            self._next_record = self._reader.next()
        return (
            self._next_record
            if self._next_record is not None and self._next_record.path == path
            else None
        )

    def _store_folder(
        self, listing: snapshot_folder.Listing, record: stat_cache.Record | None
    ) -> None:
        if listing.path:
            self._publication.write(b"d %s\n" % workdir.escape(listing.path))
        previous = (
            {file_record[0]: file_record for file_record in record.files()}
            if record is not None
            else {}
        )
        records: list[stat_cache.FileRecord] = []
        sizes: list[tuple[bytes, int]] = []
        for name, signature in listing.files:
            entry = previous.get(name)
            if entry is None or entry[1] != signature or not self._still_stored(entry):
                entry = self._store_file(snapshot_folder.join(listing.path, name), name, signature)
            if entry is None:
                continue
            records.append(entry)
            if entry[2]:
                sizes.append((name, self._write(listing.path, entry)))
        self._folders.add(listing.path, sizes)
        self._cache_folder(listing, records)

    def _still_stored(self, entry: stat_cache.FileRecord) -> bool:
        _, _, line, location = entry
        if not location:
            return bool(line)
        _, digest, size, _ = line.split(b" ", 3)
        return self._packs.has(location[:-1], digest, int(size))

    def _store_file(
        self, path: bytes, name: bytes, signature: snapshot_folder.StatSignature
    ) -> stat_cache.FileRecord | None:
        try:
            return read_file.store_file(self._packs, self._source, path, signature)
        except read_file.UnreadableFile as error:
            self.failed[path] = str(error)
        except read_file.SpecialFile:
            self._unusual.append(path)
            return name, signature, b"", b""
        except FileNotFoundError:
            pass  # removed during the walk
        return None

    def _write(self, folder: bytes, entry: stat_cache.FileRecord) -> int:
        """Write the lines of one file or link; returns its size in bytes."""
        name, _, line, location = entry
        self._publication.write(line, location)
        if not location:
            if line.partition(b"\0")[2].startswith(b"/"):
                self._outside.append(snapshot_folder.join(folder, name))
            return 0
        if snapshot_warnings.looks_secret(name):
            self._secrets.append(snapshot_folder.join(folder, name))
        return int(line.split(b" ", 3)[2])

    def _cache_folder(
        self, listing: snapshot_folder.Listing, records: list[stat_cache.FileRecord]
    ) -> None:
        listing.files = [(name, signature) for name, signature, _, _ in records]
        self._writer.add(
            stat_cache.Record(
                listing.path,
                listing.rules.stamp,
                stat_cache.appearance(listing),
                frozenset(listing.ignored),
                marshal.dumps(records, 2),
            )
        )

    def _publish(self) -> SnapshotResult:
        digest, packs, published = self._publication.publish(self._packs)
        warnings = [
            *self._folders.warnings(),
            *snapshot_warnings.secret_like(self._secrets),
            *snapshot_warnings.outside_links(self._outside),
            *snapshot_warnings.special_files(self._unusual),
        ]
        files, size = self._folders.files, self._folders.size
        closing = digest, files, size, tuple(warnings), tuple(sorted(packs))
        if published or not self._packs.has_pack:
            self._writer.finish(closing)
            stamps.remember(self._cache, self._store, digest, packs, self._packs.objects)
        else:
            self._writer.discard()  # it would refer to our pack, which was discarded
            stamps.forget(self._cache)
        return SnapshotResult(*closing)


def _last_decisions(record: stat_cache.Record | None) -> snapshot_folder.Decisions | None:
    """The last snapshot's decisions about all names that existed then."""
    if record is None:
        return None
    files, folders = marshal.loads(record.appearance)
    included = {name for name, _ in files} | {name + b"/" for name in folders}
    return snapshot_folder.Decisions(record.stamp, record.ignored, included)
