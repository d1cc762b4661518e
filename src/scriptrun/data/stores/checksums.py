"""The expected ETag of an upload, computed as the file is read."""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO

#: bytes of a part of a multipart upload, at least
PART = 8 << 20
#: parts of a file, at most: S3 allows 10,000
_MAX_PARTS = 9_000


def part_size(size: int) -> int:
    """The part size for a file of ``size`` bytes: a whole number of MiB."""
    return max(PART, -(-size // _MAX_PARTS >> 20) + 1 << 20)


def remaining_size(file: BinaryIO) -> int:
    """The number of bytes left in an open file."""
    begin = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(begin)
    return end - begin


class EtagReader:
    """An open file that computes its parts' MD5s as it is read; or bytes passed to ``add``."""

    def __init__(self, file: BinaryIO | None, part: int) -> None:
        self.part = part
        self.size = 0
        self._file = file
        self._part_digests: list[bytes] = []
        self._current = hashlib.md5(usedforsecurity=False)
        self._part_left = part

    def read(self, count: int = -1, /) -> bytes:
        """Read up to ``count`` bytes, as a file does."""
        assert self._file is not None
        data = self._file.read(count)
        self.add(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Seek, as a file does; bytes already read stay counted."""
        assert self._file is not None
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The position, as a file reports it."""
        assert self._file is not None
        return self._file.tell()

    def add(self, data: bytes) -> None:
        """Add ``data`` to the digests."""
        self.size += len(data)
        view = memoryview(data)
        while view:
            if not self._part_left:
                self._part_digests.append(self._current.digest())
                self._current, self._part_left = hashlib.md5(usedforsecurity=False), self.part
            self._current.update(view[: self._part_left])
            count = min(len(view), self._part_left)
            view, self._part_left = view[count:], self._part_left - count

    def etag(self) -> str:
        """The ETag as S3 computes it: the MD5, or the MD5 of the parts' MD5s and their number."""
        if not self._part_digests:
            return self._current.hexdigest()
        parts = [*self._part_digests, self._current.digest()]
        return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"
