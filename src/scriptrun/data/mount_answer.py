"""Answers to the kernel's reads: bytes, or a place in a file from which it takes them itself."""

from __future__ import annotations

import ctypes
import os
import threading
from io import FileIO
from typing import Any, NamedTuple

#: of libfuse's fuse_common.h: a buffer that is a place in a file, not at its own position
_IS_FD, _FD_SEEK = 1 << 1, 1 << 2
#: of the same: answers may be spliced to the kernel, without a copy through this process
_SPLICE_WRITE = 1 << 7
#: bytes of a fuse_bufvec; newer versions of libfuse have one more field at its end
_VECTOR = 128


class OnDisk(NamedTuple):
    """Bytes of a file on the local disk: ``size`` from ``offset`` on, fewer where it ends."""

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
    """When the connection begins: let answers be spliced, where the kernel can."""
    connection.want |= connection.capable & _SPLICE_WRITE


class Answers:
    """Makes the answers. What they are made of is libfuse's, which frees it."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._make, self._malloc = library.calloc, library.malloc
        for each in (self._make, self._malloc):
            each.restype = ctypes.c_void_p
        self._make.argtypes, self._malloc.argtypes = [ctypes.c_size_t] * 2, [ctypes.c_size_t]
        #: by thread: the file of its last answer, which stays open until the thread asks again;
        #: only then has libfuse sent that answer
        self._held: dict[int, FileIO] = {}

    def give(self, answer: Any, found: bytes | OnDisk) -> None:
        """Put what was found where ``answer``, a struct fuse_bufvec **, points."""
        place = self._make(1, _VECTOR)
        if not place:
            raise MemoryError
        vector = _Vector.from_address(place)
        vector.count, vector.memory, vector.descriptor = 1, None, -1
        if isinstance(found, OnDisk):
            self._held[threading.get_ident()] = found.file
            vector.flags = _IS_FD | _FD_SEEK
            vector.descriptor, vector.position = found.file.fileno(), found.offset
            vector.size = found.size
        elif found:
            vector.size = len(found)
            vector.memory = self._malloc(len(found))
            ctypes.memmove(vector.memory, found, len(found))
        ctypes.cast(answer, ctypes.POINTER(ctypes.c_void_p))[0] = place
