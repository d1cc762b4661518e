"""The expected ETag of an upload, computed as the file is read."""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO

#: bytes of a part of a multipart upload, at least
PART = 8 << 20
#: parts of a file, at most: S3 allows 10,000
_MOST = 9_000


def part_size(size: int) -> int:
    """The part size for a file of ``size`` bytes: a whole number of MiB."""
    return max(PART, -(-size // _MOST >> 20) + 1 << 20)


def size_of(file: BinaryIO) -> int:
    """The number of bytes left in an open file."""
    begin = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(begin)
    return end - begin


class Sums:
    """An open file that computes its parts' MD5s as it is read; or bytes passed to ``add``."""

    def __init__(self, file: BinaryIO | None, part: int) -> None:
        self.part = part
        self.size = 0
        self._file = file
        self._done: list[bytes] = []
        self._now = hashlib.md5(usedforsecurity=False)
        self._left = part

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
            if not self._left:
                self._done.append(self._now.digest())
                self._now, self._left = hashlib.md5(usedforsecurity=False), self.part
            self._now.update(view[: self._left])
            taken = min(len(view), self._left)
            view, self._left = view[taken:], self._left - taken

    def etag(self) -> str:
        """The ETag as S3 computes it: the MD5, or the MD5 of the parts' MD5s and their number."""
        if not self._done:
            return self._now.hexdigest()
        parts = [*self._done, self._now.digest()]
        return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"
