"""The list of a dataset version's files: one compressed file, read lazily, named by its digest.

Layout: blocks of up to 4,096 rows, each zlib-compressed lines of JSON (``[path, size, etag,
root]``) in the order of their paths; then the index, compressed too: for each block its offset,
length, number of rows and first path; last 24 bytes: offset and length of the index (big endian)
and ``SRMANIF1``. The name is the SHA-256 of all lines.
"""

from __future__ import annotations

import bisect
import hashlib
import json
import os
import struct
import uuid
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from scriptrun.data.errors import DatasetExecutionError, DatastoreException
from scriptrun.runtime import disks
from scriptrun.runtime.files import make_folders, open_record, sync_file, sync_folder

_BLOCK = 4096
_MAGIC = b"SRMANIF1"
_TRAILER = struct.Struct(">QQ8s")
_encode = json.JSONEncoder(separators=(",", ":")).encode


class ManifestRow(NamedTuple):
    """One file of a dataset: its path there, size in bytes, ETag, and the index of its root."""

    path: str
    size: int
    etag: str
    root_index: int = 0


class ManifestSummary(NamedTuple):
    """A written manifest: its digest, the number of files, and their bytes."""

    digest: str
    files: int
    bytes: int


#: what reading a damaged manifest raises
_DAMAGES = (
    *(OSError, struct.error, zlib.error, ValueError, TypeError),
    *(OverflowError, MemoryError, RecursionError),
)


class _Block(NamedTuple):
    """An entry of the index: a block's position in the file, its rows, and its first path."""

    offset: int
    length: int
    rows: int
    first_path: str


class UnsortedRows(Exception):
    """The rows are not in the order of their paths."""


def manifest_path(folder: Path, digest: str) -> Path:
    """The path of the manifest ``digest`` in ``folder``."""
    return folder / f"{digest}.manifest"


def write(folder: Path, rows: Iterable[ManifestRow]) -> ManifestSummary:
    """Write the rows to a manifest in ``folder``. Raises UnsortedRows if they are not in order.

    Of rows with the same path, the first wins. Raises DatastoreException if the disk fails.
    """
    part = folder / f".{uuid.uuid4().hex[:12]}.part"
    try:
        make_folders(folder)
        try:
            with open(part, "xb") as out:
                summary = _write(out, rows)
            sync_file(part)
            os.replace(part, manifest_path(folder, summary.digest))
            sync_folder(folder)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise DatastoreException(
            f"Cannot write {str(folder)!r}: {disks.describe(error, folder)}."
        ) from None
    return summary


def _write(out: BinaryIO, rows: Iterable[ManifestRow]) -> ManifestSummary:
    digest, files, size = hashlib.sha256(), 0, 0
    index: list[_Block] = []
    for block in _blocks(rows):
        lines = ("\n".join([_encode(row) for row in block]) + "\n").encode("ascii")
        digest.update(lines)
        compressed = zlib.compress(lines, 1)
        index.append(_Block(out.tell(), len(compressed), len(block), block[0].path))
        out.write(compressed)
        files += len(block)
        size += sum(row.size for row in block if row.size > 0)
    compressed = zlib.compress(json.dumps(index).encode("ascii"))
    out.write(compressed + _TRAILER.pack(out.tell(), len(compressed), _MAGIC))
    return ManifestSummary(digest.hexdigest(), files, size)


def _blocks(rows: Iterable[ManifestRow]) -> Iterator[list[ManifestRow]]:
    block: list[ManifestRow] = []
    previous: str | None = None
    for row in rows:
        if previous is not None and row.path <= previous:
            if row.path == previous:
                continue
            raise UnsortedRows
        previous = row.path
        block.append(row)
        if len(block) == _BLOCK:
            yield block
            block = []
    if block:
        yield block


class Manifest:
    """A manifest file. Its index is read on first use, its blocks on demand.

    Methods raise DatasetExecutionError if the file is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._index: list[_Block] | None = None

    def rows(self, path: str = "") -> Iterator[ManifestRow]:
        """The rows in order, from the first whose path is not before ``path``."""
        index = self._load_index()
        first = (
            max(0, bisect.bisect_right([entry.first_path for entry in index], path) - 1)
            if path
            else 0
        )
        digest = hashlib.sha256()
        with self._open_file() as file:
            for offset, length, *_ in index[first:]:
                lines = self._read_lines(file, offset, length)
                digest.update(lines)
                for row in self._parse(lines):
                    if row.path >= path:
                        yield row
        if not first and digest.hexdigest() != self.path.stem:
            raise self._damaged_error()

    def skip(self, count: int) -> Iterator[ManifestRow]:
        """The rows after the first ``count``; skipped blocks are not read."""
        with self._open_file() as file:
            for offset, length, rows, _ in self._load_index():
                if count >= rows:
                    count -= rows
                    continue
                yield from self._parse(self._read_lines(file, offset, length))[count:]
                count = 0

    def find(self, path: str) -> ManifestRow | None:
        """The row of ``path``, or None; reads only one block."""
        row = next(self.rows(path), None)
        return row if row is not None and row.path == path else None

    def first_paths(self) -> list[str]:
        """The first path of every block."""
        return [entry.first_path for entry in self._load_index()]

    def lines(self, block: int) -> list[bytes]:
        """The raw rows of one block, a line of JSON each."""
        offset, length, *_ = self._load_index()[block]
        with self._open_file() as file:
            return self._read_lines(file, offset, length).splitlines()

    def _load_index(self) -> list[_Block]:
        if self._index is None:
            with self._open_file() as file:
                try:
                    end = file.seek(-_TRAILER.size, os.SEEK_END)
                    offset, length, magic = _TRAILER.unpack(file.read(_TRAILER.size))
                    if magic != _MAGIC or offset + length != end:
                        raise ValueError("not the end of a manifest")
                    file.seek(offset)
                    index = json.loads(zlib.decompress(file.read(length)))
                    self._index = [_Block(*entry) for entry in index]
                except _DAMAGES:
                    raise self._damaged_error() from None
        return self._index

    def _open_file(self) -> BinaryIO:
        try:
            return open_record(self.path)
        except OSError as error:
            raise DatasetExecutionError(
                f"Cannot read the dataset's manifest {str(self.path)!r}: {error.strerror}.",
                "Register the dataset again.",
            ) from None

    def _parse(self, lines: bytes) -> list[ManifestRow]:
        try:
            return [ManifestRow(*json.loads(line)) for line in lines.splitlines()]
        except _DAMAGES:
            raise self._damaged_error() from None

    def _read_lines(self, file: BinaryIO, offset: int, length: int) -> bytes:
        try:
            file.seek(offset)
            return zlib.decompress(file.read(length))
        except _DAMAGES:
            raise self._damaged_error() from None

    def _damaged_error(self) -> DatasetExecutionError:
        return DatasetExecutionError(
            f"The dataset's manifest {str(self.path)!r} is damaged.",
            "Register the dataset again.",
        )
