"""What a source directory looked like when its last snapshot was taken, folder by folder.

One file per source and store in ``cache_root()/stat``: a cache only, private to this user. Records
come in the order of the walk, so that comparing keeps one folder in memory. Each record is its
length, its CRC and a marshalled tuple; one that does not check ends the reading.
"""

from __future__ import annotations

import marshal
import os
import struct
import zlib
from pathlib import Path
from types import TracebackType

from scriptrun.runtime.files import unique
from scriptrun.spec.digests import sha256
from scriptrun.spec.values import Value
from scriptrun.store import paths
from scriptrun.store.snapshots import folder as snapshot_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

_HEAD = struct.Struct("<II")
_FORMAT = b"scriptrun stat 2\n"

FileRecord = tuple[bytes, snapshot_folder.Look, bytes, bytes]
"""Name, look, line in the manifest, line in the places."""


class Record(Value):
    """One folder as it was: the rules' stamp, what it looked like, and (``rest``) what was kept."""

    path: bytes
    stamp: str
    appearance: bytes
    left_out: frozenset[bytes]
    rest: bytes

    def files(self) -> list[FileRecord]:
        """The folder's files, sorted by name."""
        loaded: list[FileRecord] = marshal.loads(self.rest)
        return loaded


def appearance(seen: snapshot_folder.Listing) -> bytes:
    """What is compared to see that a folder is unchanged."""
    return marshal.dumps((seen.files, seen.folders), 2)


def cache_file(store: Path, source: bytes) -> Path:
    """Where the cache of ``source`` as kept in ``store`` lies."""
    both = os.fsencode(store) + b"\0" + source
    return paths.cache_root() / "stat" / f"{sha256(both).hexdigest()[:32]}.stat"


class Reader:
    """Reads a cache from its start; an absent or damaged one is empty."""

    def __init__(self, path: Path) -> None:
        self._handle: BinaryIO | None = None
        self._last: tuple[Any, ...] | None = None
        try:
            self._handle = open(path, "rb")  # noqa: SIM115
        except OSError:
            return
        if self._handle.readline() != _FORMAT:
            self.close()

    def next(self) -> Record | None:
        """The next folder, or None at the end."""
        value = self._read()
        if value is None:
            return None
        if not isinstance(value[0], bytes):
            self._last = value
            return None
        return Record(value[0], value[1], value[2], frozenset(value[3]), value[4])

    def closing(self) -> tuple[Any, ...] | None:
        """What was written last, once ``next`` gave None; None for a cache cut off."""
        return self._last

    def close(self) -> None:
        """Close the file; nothing more is read."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()

    def _read(self) -> tuple[Any, ...] | None:
        if self._handle is None:
            return None
        head = self._handle.read(_HEAD.size)
        if len(head) == _HEAD.size:
            length, check = _HEAD.unpack(head)
            data = self._handle.read(length)
            if len(data) == length and zlib.crc32(data) == check:
                value: tuple[Any, ...] = marshal.loads(data)
                return value
        self.close()
        return None

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Writer:
    """Writes a new cache beside the old one; ``finish`` puts it in its place.

    A cache that cannot be written is no error: the next snapshot reads all files again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f"{path.name}.{unique()}.tmp")
        self._handle: BinaryIO | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = open(self._temporary, "xb")  # noqa: SIM115
        except OSError:
            return
        self._put(_FORMAT)

    def add(self, record: Record) -> None:
        """Append one folder."""
        value = (record.path, record.stamp, record.appearance, tuple(record.left_out), record.rest)
        self._dump(value)

    def finish(self, closing: tuple[Any, ...]) -> None:
        """End with ``closing`` and publish."""
        self._dump(closing)
        handle, self._handle = self._handle, None
        if handle is None:
            return
        try:
            handle.close()
            os.replace(self._temporary, self._path)
        except OSError:
            self.discard()

    def discard(self) -> None:
        """Leave the old cache as it was."""
        handle, self._handle = self._handle, None
        try:
            if handle is not None:
                handle.close()
        except OSError:
            pass
        try:
            os.unlink(self._temporary)
        except OSError:
            pass

    def _dump(self, value: tuple[Any, ...]) -> None:
        data = marshal.dumps(value, 2)
        self._put(_HEAD.pack(len(data), zlib.crc32(data)) + data)

    def _put(self, data: bytes) -> None:
        if self._handle is None:
            return
        try:
            self._handle.write(data)
        except OSError:
            self.discard()
