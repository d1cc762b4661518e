"""What a source directory looked like when its last snapshot was taken, folder by folder.

One file per source and store in ``cache_root()/stat``: only a cache, private to this user. Records
are in walk order, so that comparing needs one folder in memory. Each record is a length, a CRC and
a marshalled tuple; reading stops at the first damaged one.
"""

from __future__ import annotations

import marshal
import os
import struct
import zlib
from pathlib import Path
from types import TracebackType

from scriptrun.runtime.files import open_record, unique
from scriptrun.spec.digests import sha256
from scriptrun.spec.values import Value
from scriptrun.store import paths
from scriptrun.store.snapshots import folder as snapshot_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    #: digest, files, size, warnings, packs: the fields of a SnapshotResult
    Closing = tuple[str, int, int, tuple[str, ...], tuple[str, ...]]
    from typing import Any, BinaryIO

_HEAD = struct.Struct("<II")
_FORMAT = b"scriptrun stat 2\n"

FileRecord = tuple[bytes, snapshot_folder.StatSignature, bytes, bytes]
"""Name, look, line in the manifest, line in the places."""


class Record(Value):
    """One folder at the last snapshot; ``rest`` is its marshalled list of file records."""

    path: bytes
    stamp: str
    appearance: bytes
    ignored: frozenset[bytes]
    rest: bytes

    def files(self) -> list[FileRecord]:
        """The folder's files, sorted by name."""
        loaded: list[FileRecord] = marshal.loads(self.rest)
        return loaded


def appearance(listing: snapshot_folder.Listing) -> bytes:
    """The bytes to compare to see whether a folder is unchanged."""
    return marshal.dumps((listing.files, listing.folders), 2)


def cache_file(store: Path, source: bytes) -> Path:
    """The cache file for snapshots of ``source`` in ``store``."""
    key = os.fsencode(store) + b"\0" + source
    return paths.cache_root() / "stat" / f"{sha256(key).hexdigest()[:32]}.stat"


class StatCacheReader:
    """Reads a cache from its start; a missing or damaged one counts as empty."""

    def __init__(self, path: Path) -> None:
        self._handle: BinaryIO | None = None
        self._closing_record: Closing | None = None
        try:
            self._handle = open_record(path)
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
            self._closing_record = value
            return None
        return Record(value[0], value[1], value[2], frozenset(value[3]), value[4])

    def closing(self) -> Closing | None:
        """The closing record, once ``next`` has returned None; None if the cache is truncated."""
        return self._closing_record

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

    def __enter__(self) -> StatCacheReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class StatCacheWriter:
    """Writes a new cache next to the old one; ``finish`` replaces the old one.

    A failure to write it is ignored: the next snapshot reads all files again.
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
        value = (record.path, record.stamp, record.appearance, tuple(record.ignored), record.rest)
        self._dump(value)

    def finish(self, closing: Closing) -> None:
        """Append the record ``closing`` and publish the cache."""
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
        """Discard the new cache and keep the old one."""
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
