"""Replies to the kernel's reads: bytes, or a range of a file that it reads itself."""

from __future__ import annotations

import ctypes
import os
import threading
from io import FileIO
from typing import Any, NamedTuple

#: from libfuse's fuse_common.h: a buffer that is a file descriptor, read at a given position
_IS_FD, _FD_SEEK = 1 << 1, 1 << 2
#: from the same: replies may be spliced to the kernel, without a copy through this process
_SPLICE_WRITE = 1 << 7
#: bytes allocated for a fuse_bufvec; newer versions of libfuse add a field at its end
_VECTOR = 128


class OnDisk(NamedTuple):
    """A range of a local file: ``size`` bytes from ``offset``, or fewer at its end."""

    file: FileIO
    offset: int
    size: int

    def __bytes__(self) -> bytes:
        return os.pread(self.file.fileno(), self.size, self.offset)


class _Vector(ctypes.Structure):
    """A fuse_bufvec of libfuse 3 (fuse_common.h) that holds one buffer."""

    _fields_ = [
        ("count", ctypes.c_size_t),
        ("index", ctypes.c_size_t),
        ("off", ctypes.c_size_t),
        ("size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("memory", ctypes.c_void_p),
        ("descriptor", ctypes.c_int),
        ("position", ctypes.c_longlong),
    ]


def allow_splicing(connection: Any) -> None:
    """Enable splicing on a new connection if the kernel supports it."""
    connection.want |= connection.capable & _SPLICE_WRITE


class Answers:
    """Writes replies into memory that libfuse frees."""

    def __init__(self) -> None:
        self._make = ctypes.CDLL(None).calloc
        self._make.restype, self._make.argtypes = ctypes.c_void_p, [ctypes.c_size_t] * 2
        #: by thread: the file of its last reply, kept open until the thread's next request;
        #: only then has libfuse sent that reply
        self._held: dict[int, FileIO | None] = {}

    def give(self, answer: Any, found: bytes | OnDisk) -> None:
        """Store ``found`` in ``answer``, a struct fuse_bufvec **."""
        on_disk = found if isinstance(found, OnDisk) else None
        self._held[threading.get_ident()] = on_disk.file if on_disk else None
        place = self._made(_VECTOR)
        vector = _Vector.from_address(place)
        vector.count, vector.memory, vector.descriptor = 1, None, -1
        if on_disk:
            vector.flags, vector.size = _IS_FD | _FD_SEEK, on_disk.size
            vector.descriptor, vector.position = on_disk.file.fileno(), on_disk.offset
        elif found and isinstance(found, bytes):
            vector.size, vector.memory = len(found), self._made(len(found))
            ctypes.memmove(vector.memory, found, len(found))
        ctypes.cast(answer, ctypes.POINTER(ctypes.c_void_p))[0] = place

    def _made(self, size: int) -> int:
        place: int | None = self._make(1, size)
        if not place:
            raise MemoryError
        return place
