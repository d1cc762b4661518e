"""Temporary folders that the next process removes, if their own process was killed.

Each is locked (flock) by its process for as long as that lives. So whoever gets the lock knows that
nobody uses the folder, on any host and in any container that shares it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress

PREFIX = "scriptrun-scratch-"
#: the name before the folder is locked, which is a matter of microseconds
_UNLOCKED = "scriptrun-unlocked-"


class Scratch:
    """A private temporary folder, removed by ``close`` or at the end of a ``with`` block."""

    def __init__(self, kind: str, folder: str | None = None) -> None:
        parent = folder or tempfile.gettempdir()
        sweep(parent)
        made = tempfile.mkdtemp(prefix=f"{_UNLOCKED}{kind}-", dir=parent)
        self._lock = _lock(made)
        self.path = made
        if self._lock is not None:
            self.path = os.path.join(parent, PREFIX + os.path.basename(made)[len(_UNLOCKED) :])
            os.rename(made, self.path)

    def close(self) -> None:
        """Remove the folder; what cannot be removed is left to the next sweep."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> str:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()

    def __fspath__(self) -> str:
        return self.path


def sweep(parent: str) -> None:
    """Remove this user's temporary folders in ``parent`` whose processes have ended."""
    try:
        with os.scandir(parent) as entries:
            found = [entry.path for entry in entries if entry.name.startswith(PREFIX)]
    except OSError:
        return
    for path in found:
        with suppress(OSError):
            if os.lstat(path).st_uid == os.geteuid():
                _remove_unused(path)


def _remove_unused(path: str) -> None:
    lock = _lock(path)
    if lock is None:
        return  # its process lives
    try:
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)


def _lock(path: str) -> int | None:
    """Lock the folder; None if it is locked, or this file system cannot lock folders."""
    if os.name != "posix":
        return None
    import fcntl

    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
