"""Digests of what is sent, taken as it is read: the ETag that a store should give it."""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO

#: bytes of a part that a large file is sent in, at least
PART = 8 << 20
#: parts that a file may have: S3 takes 10,000
_MOST = 9_000


def part_size(size: int) -> int:
    """Bytes of a part for a file of ``size`` bytes: a whole number of MiB."""
    return max(PART, -(-size // _MOST >> 20) + 1 << 20)


def size_of(file: BinaryIO) -> int:
    """How many bytes are left of an open file."""
    begin = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(begin)
    return end - begin


class Sums:
    """An open file whose MD5 is taken as it is read, part by part; or what is given to ``add``."""

    def __init__(self, file: BinaryIO | None, part: int) -> None:
        self.part = part
        self.size = 0
        self._file = file
        self._done: list[bytes] = []
        self._now = hashlib.md5(usedforsecurity=False)
        self._left = part

    def read(self, count: int = -1, /) -> bytes:
        """As of a file."""
        assert self._file is not None
        data = self._file.read(count)
        self.add(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """As of a file; what was read before stays counted."""
        assert self._file is not None
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As of a file."""
        assert self._file is not None
        return self._file.tell()

    def add(self, data: bytes) -> None:
        """Count ``data`` in."""
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
        """The ETag of S3: the MD5, or that of the parts' MD5s and how many there are."""
        if not self._done:
            return self._now.hexdigest()
        parts = [*self._done, self._now.digest()]
        return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"
