"""Replies to the kernel's reads: bytes, or a range of a file that it reads itself."""

from __future__ import annotations

import ctypes
import os
import threading
from io import FileIO
from typing import NamedTuple, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    #: a struct fuse_bufvec **
    Reply = ctypes._Pointer[ctypes.c_void_p]

#: from libfuse's fuse_common.h: a buffer that is a file descriptor, read at a given position
_IS_FD, _FD_SEEK = 1 << 1, 1 << 2
#: from the same: replies may be spliced to the kernel, without a copy through this process
_SPLICE_WRITE = 1 << 7
#: bytes allocated for a fuse_bufvec; newer versions of libfuse add a field at its end
_VECTOR_SIZE = 128


class DiskRange(NamedTuple):
    """A range of a local file: ``size`` bytes from ``offset``, or fewer at its end."""

    file: FileIO
    offset: int
    size: int

    def __bytes__(self) -> bytes:
        return os.pread(self.file.fileno(), self.size, self.offset)


class _BufferVector(ctypes.Structure):
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


class Connection(Protocol):
    """A new connection to the kernel: what it offers, and what is asked of it (fuse_conn_info)."""

    capable: int
    want: int
    max_read: int
    max_background: int
    congestion_threshold: int


def allow_splicing(connection: Connection) -> None:
    """Enable splicing on a new connection if the kernel supports it."""
    connection.want |= connection.capable & _SPLICE_WRITE


class ReplyWriter:
    """Writes replies into memory that libfuse frees."""

    def __init__(self) -> None:
        self._calloc = ctypes.CDLL(None).calloc
        self._calloc.restype, self._calloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t] * 2
        #: by thread: the file of its last reply, kept open until the thread's next request;
        #: only then has libfuse sent that reply
        self._open_files: dict[int, FileIO | None] = {}

    def write(self, reply: Reply, data: bytes | DiskRange) -> None:
        """Store ``data`` in ``reply``, a struct fuse_bufvec **."""
        disk_range = data if isinstance(data, DiskRange) else None
        self._open_files[threading.get_ident()] = disk_range.file if disk_range else None
        address = self._allocate(_VECTOR_SIZE)
        vector = _BufferVector.from_address(address)
        vector.count, vector.memory, vector.descriptor = 1, None, -1
        if disk_range:
            vector.flags, vector.size = _IS_FD | _FD_SEEK, disk_range.size
            vector.descriptor, vector.position = disk_range.file.fileno(), disk_range.offset
        elif data and isinstance(data, bytes):
            vector.size, vector.memory = len(data), self._allocate(len(data))
            ctypes.memmove(vector.memory, data, len(data))
        ctypes.cast(reply, ctypes.POINTER(ctypes.c_void_p))[0] = address

    def _allocate(self, size: int) -> int:
        address: int | None = self._calloc(1, size)
        if not address:
            raise MemoryError
        return address
