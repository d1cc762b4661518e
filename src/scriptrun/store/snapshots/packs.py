"""Stores files by content: small ones in one pack per snapshot, large ones as single objects.

A pack is written under a temporary name, and synced and renamed before anything refers to it. What
a power cut has left shorter than it was counts as missing. Its index (32
bytes of digest and 8 of offset per file) lists its content for later snapshots, so that nothing is
stored twice; it is published last.
"""

from __future__ import annotations

import hashlib
import os
import struct
import uuid
from collections.abc import Callable
from pathlib import Path

from scriptrun.runtime import workdir
from scriptrun.runtime.files import open_record
from scriptrun.store import trees
from scriptrun.store.snapshots.pack_index import PackIndex
from scriptrun.store.snapshots.unchanged import used_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

LARGE = 1 << 20
"""Files of at least this size (bytes) are stored as single objects: they can be cloned."""
_ENTRY = struct.Struct(">32sQ")
_MAX_OFFSETS = 30_000
"""Duplicates are detected among this many files of a snapshot (5 MB), to bound memory."""
_CHUNK = 1 << 20


class PackWriter:
    """Stores one snapshot's new content: ``publish`` completes it, ``discard`` removes it."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.used: set[str] = set()
        #: digests of the snapshot's large files
        self.objects: set[str] = set()
        self._name = uuid.uuid4().hex[:16]
        self._offsets: dict[bytes, int] = {}
        self._index: list[bytes] = []
        self._offset = 0
        self._pack: BinaryIO | None = None
        self._index_file: BinaryIO | None = None
        self._pack_index = PackIndex(store)
        self._pack_sizes: dict[str, int] = {}
        #: large files that are stored, but have no name yet: path by digest
        self._unnamed: dict[str, Path] = {}

    @property
    def has_pack(self) -> bool:
        """Whether this snapshot has a pack."""
        return self._pack is not None

    def has(self, location: bytes, digest: bytes, size: int) -> bool:
        """Whether the content at ``location`` (a line of a places file) is still in the store."""
        pack, _, offset = location.decode().partition(" ")
        if pack == "-":
            return size == 0 or self._has_object(digest.decode(), size)
        if pack not in self._pack_sizes:
            self._pack_sizes[pack] = used_size(workdir.pack_path(self.store, pack))
        if self._pack_sizes[pack] < int(offset) + size:
            return False
        self.used.add(pack)
        return True

    def _has_object(self, digest: str, size: int) -> bool:
        is_whole = (
            digest in self._unnamed or used_size(workdir.object_path(self.store, digest)) == size
        )
        if is_whole:
            self.objects.add(digest)
        return is_whole

    def add(self, data: bytes) -> tuple[bytes, bytes]:
        """Store ``data``; returns its digest (hex) and location, as written in the files."""
        hasher = hashlib.sha256(data)
        if not data:
            return hasher.hexdigest().encode(), b"-"
        key = hasher.digest()
        offset = self._offsets.get(key)
        if offset is not None:
            return hasher.hexdigest().encode(), b"%s %d" % (self._name.encode(), offset)
        location = self._pack_index.find(key)
        if location is not None:
            if self.has(location, b"", len(data)) and self._holds(location, data):
                return hasher.hexdigest().encode(), location
            self._pack_index.forget(key)
        return hasher.hexdigest().encode(), self._append(key, data)

    def add_stream(
        self, read: Callable[[int], bytes], first_chunk: bytes
    ) -> tuple[bytes, bytes, int]:
        """Store a large file (``first_chunk``, then ``read``); returns digest, location, size."""
        folder = self.store / "objects"
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{uuid.uuid4().hex[:12]}.tmp"
        try:
            digest, size = _copy_and_hash(temporary, read, first_chunk)
            if not self._has_object(digest, size) or self._is_object_damaged(digest, size):
                self._unnamed[digest] = temporary
                self._has_object(digest, size)
                return digest.encode(), b"-", size
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        temporary.unlink(missing_ok=True)
        return digest.encode(), b"-", size

    def finish(self) -> list[str | Path]:
        """Close the files and return those to sync before ``publish``."""
        self._pack_index.close()
        if self._pack is None:
            return [*self._unnamed.values()]
        assert self._index_file is not None
        self._flush_index()
        self._pack.close()
        self._index_file.close()
        return [*self._unnamed.values(), self._temporary(), self._temporary("index")]

    def publish(self) -> set[str]:
        """Name the pack and the large files: the snapshot may refer to them from now on.

        Returns the folders to sync.
        """
        folders = set()
        while self._unnamed:
            digest, temporary = self._unnamed.popitem()
            final = workdir.object_path(self.store, digest)
            os.makedirs(os.path.dirname(final), exist_ok=True)
            trees.replace(temporary, final)
            folders |= {os.path.dirname(final), str(self.store / "objects")}
        if self._pack is not None:
            os.replace(self._temporary(), workdir.pack_path(self.store, self._name))
            folders.add(str(self.store / "packs"))
        return folders

    def publish_index(self) -> None:
        """Publish the index, so that other snapshots can use the pack."""
        if self._pack is not None:
            os.replace(self._temporary("index"), self.store / "packs" / f"{self._name}.index")

    def discard(self, published: bool = False) -> None:
        """Remove everything: the snapshot failed, or another process has published the same one."""
        self._pack_index.close()
        while self._unnamed:
            self._unnamed.popitem()[1].unlink(missing_ok=True)
        if self._pack is None:
            return
        for handle in (self._pack, self._index_file):
            try:
                assert handle is not None
                handle.close()
            except OSError:
                pass  # a full disk: what is still buffered goes nowhere
        leftovers = [self._temporary(), self._temporary("index")]
        if published:
            leftovers.append(workdir.pack_path(self.store, self._name))
        for path in leftovers:
            Path(path).unlink(missing_ok=True)

    def _holds(self, location: bytes, data: bytes) -> bool:
        """Whether the content at ``location``, in a pack, is ``data``."""
        pack, _, offset = location.partition(b" ")
        try:
            with open_record(workdir.pack_path(self.store, pack.decode())) as handle:
                handle.seek(int(offset))
                return handle.read(len(data)) == data
        except (OSError, OverflowError):
            return False

    def _is_object_damaged(self, digest: str, size: int) -> bool:
        if digest in self._unnamed:
            return False
        try:
            return not workdir.ContentReader(self.store).is_whole(size, digest, None)
        except OSError:
            return True

    def _append(self, key: bytes, data: bytes) -> bytes:
        if self._pack is None:
            self._begin()
        assert self._pack is not None
        self._pack.write(data)
        offset, self._offset = self._offset, self._offset + len(data)
        if len(self._offsets) < _MAX_OFFSETS:
            self._offsets[key] = offset
        self._index.append(_ENTRY.pack(key, offset))
        if len(self._index) >= 4096:
            self._flush_index()
        self.used.add(self._name)
        return b"%s %d" % (self._name.encode(), offset)

    def _begin(self) -> None:
        (self.store / "packs").mkdir(parents=True, exist_ok=True)
        self._pack = open(self._temporary(), "xb", buffering=1 << 16)  # noqa: SIM115
        self._index_file = open(self._temporary("index"), "xb")  # noqa: SIM115

    def _flush_index(self) -> None:
        assert self._index_file is not None
        self._index_file.write(b"".join(self._index))
        self._index.clear()

    def _temporary(self, kind: str = "pack") -> str:
        return str(self.store / "packs" / f"{self._name}.{kind}.tmp")


def _copy_and_hash(
    target: Path, read: Callable[[int], bytes], first_chunk: bytes
) -> tuple[str, int]:
    hasher = hashlib.sha256()
    size = 0
    with open(target, "xb", buffering=0) as out:
        data = first_chunk
        while data:
            hasher.update(data)
            view = memoryview(data)
            while view:
                view = view[out.write(view) :]
            size += len(data)
            data = read(_CHUNK)
    return hasher.hexdigest(), size
