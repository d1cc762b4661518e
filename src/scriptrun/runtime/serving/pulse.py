"""A moment that a worker shares with its master: since when run() has been at work.

The worker's own watch needs Python's global lock; a run() that holds it for good, in a regular
expression for instance, is ended by the master, which reads the moment in shared memory.
"""

import mmap
import os
import struct

from scriptrun.runtime import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

_MOMENT = struct.Struct("d")
_FOLDERS = ("/dev/shm", "/tmp")  # noqa: S108 - for a file without a name


class Pulse:
    """The moment (time.monotonic), in the memory behind an open file."""

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, mmap.PAGESIZE)

    def begin(self, moment: float) -> None:
        """run() begins."""
        _MOMENT.pack_into(self._memory, 0, moment)

    def end(self) -> None:
        """run() has returned."""
        _MOMENT.pack_into(self._memory, 0, 0.0)

    def since(self) -> "Optional[float]":
        """The moment at which run() began; None if it is not at work."""
        return _MOMENT.unpack_from(self._memory, 0)[0] or None

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()


def create() -> int:
    """The descriptor of memory that processes can share. Raises OSError."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("scriptrun-pulse")
    else:
        folder = next((each for each in _FOLDERS if os.path.isdir(each)), ".")
        path = os.path.join(folder, ".scriptrun-{}".format(files.unique()))
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.unlink(path)
    os.ftruncate(descriptor, mmap.PAGESIZE)
    return descriptor
