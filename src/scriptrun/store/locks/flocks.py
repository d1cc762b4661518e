"""Lock files on the local disk: the kernel releases one when its last holder ends, even by a crash.

For the local disk only (``paths``): on shared file systems, builds use leases instead (``leases``).
A lock file is never removed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType


class Flock:
    """A lock that is held until ``release``, or until every process that has it open has ended.

    ``close`` closes only this process's copy: a child that inherited ``fileno()`` still holds it.
    """

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle = handle

    def fileno(self) -> int:
        """The file descriptor, for ``subprocess.Popen(pass_fds=...)``."""
        return self._handle

    def set_inheritable(self, inheritable: bool) -> None:
        """Set whether children started from now on inherit the lock (default: no)."""
        os.set_inheritable(self._handle, inheritable)

    def touch(self) -> None:
        """Mark the file as in use, so that cleaners of /tmp spare it (once a day is enough)."""
        try:
            os.utime(self.path)
        except OSError:
            pass

    def close(self) -> None:
        """Close this process's copy; children that inherited the lock still hold it."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def release(self) -> None:
        """Release the lock, also for children that inherited it."""
        if self._handle >= 0:
            _unlock(self._handle)
        self.close()

    def __enter__(self) -> Flock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def try_flock(path: str | os.PathLike[str]) -> Flock | None:
    """Lock ``path`` (created if missing) without waiting; None if another process holds it."""
    return _acquire(Path(path), blocking=False)


def share(path: str | os.PathLike[str]) -> Flock:
    """Take a shared lock on ``path``, waiting for an exclusive holder.

    ``try_flock`` returns None while any shared lock is held. (Windows: exclusive instead.)
    """
    lock = _acquire(Path(path), blocking=True, shared=True)
    assert lock is not None
    return lock


@contextmanager
def flock(
    path: str | os.PathLike[str], on_wait: Callable[[], None] | None = None
) -> Iterator[Flock]:
    """Hold the lock ``path`` for the block, waiting as long as it takes.

    ``on_wait`` is called once if another process holds the lock.
    """
    lock = try_flock(path)
    if lock is None:
        if on_wait is not None:
            on_wait()
        lock = _acquire(Path(path), blocking=True)
    assert lock is not None
    with lock:
        yield lock


def _acquire(path: Path, blocking: bool, shared: bool = False) -> Flock | None:
    while True:
        handle = _open(path)
        try:
            locked = _lock(handle, blocking, shared)
            if locked and _still_exists(path, handle):
                return Flock(path, handle)
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # busy, or a cleaner removed the file: then retry with a new one
        if not locked:
            return None


def _open(path: Path) -> int:
    """Open or create the lock file. Read access is enough to lock, so all users can share one.

    Without O_CREAT for a file that exists: the kernel refuses that in /tmp for others' files.
    """
    flags = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    for _ in range(100):
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            handle = _create(path, flags)
            if handle is not None:
                return handle
        except PermissionError:
            try:
                return os.open(path, flags & ~os.O_RDWR)
            except PermissionError:
                time.sleep(0.01)  # its creator is about to make it readable
    return os.open(path, flags & ~os.O_RDWR)


def _create(path: Path, flags: int) -> int | None:
    try:
        handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return None
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return None
    if sys.platform != "win32":
        os.fchmod(handle, 0o644)  # whatever the umask: other users' locks are the same file
    return handle


def _still_exists(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False


if sys.platform == "win32":

    def _lock(handle: int, blocking: bool, shared: bool = False) -> bool:
        import msvcrt

        while True:
            try:
                os.lseek(handle, 0, os.SEEK_SET)
                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
                return True
            except OSError:
                if not blocking:
                    return False
                time.sleep(0.05)

    def _unlock(handle: int) -> None:
        import msvcrt

        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:

    def _lock(handle: int, blocking: bool, shared: bool = False) -> bool:
        import fcntl

        try:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(handle, kind | (0 if blocking else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def _unlock(handle: int) -> None:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_UN)
