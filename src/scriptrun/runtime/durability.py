"""Bring many files to the disk at once (Python 3.6+, standard library only).

A few files are synced each by a thread; for many, one call syncs their file system, which is far
cheaper than a journal's commit for each.
"""

import os
import stat

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scriptrun.runtime.hints import StrPath

#: so many files are synced one by one
_FEW = 24


def sync_files(paths: "Iterable[StrPath]") -> None:
    """Wait until the content of all ``paths``, files or folders, is on the disk."""
    if files.must_sync():
        _sync([str(path) for path in paths])


def sync_tree(*folders: "StrPath") -> None:
    """Wait until everything below ``folders`` is on the disk; links are not followed."""
    if not files.must_sync():
        return
    found: "list[str]" = []
    for folder in map(str, folders):
        for path in _below(folder):
            found.append(path)
            if len(found) > _FEW and _sync_file_system(folder):
                found.clear()
                break
    for error in files.sync_together(found):
        if not isinstance(error, FileNotFoundError):  # removed meanwhile, as heartbeats are
            raise error


def _sync(paths: "list[str]") -> None:
    if len(paths) > _FEW:
        one_of_each = {os.stat(path).st_dev: path for path in paths}
        if all(_sync_file_system(path) for path in one_of_each.values()):
            return
    for error in files.sync_together(paths):
        raise error


def _below(folder: str) -> "Iterator[str]":
    """The folders and regular files of a tree."""
    for directory, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(directory, name)
            try:
                if stat.S_ISREG(os.lstat(path).st_mode):
                    yield path
            except FileNotFoundError:
                pass  # another process removed it
        yield directory


def _sync_file_system(path: str) -> bool:
    """Sync the file system of ``path``; False where there is no call for that.

    Raises OSError if the disk fails.
    """
    syncfs = _c_function("syncfs")
    if syncfs is None:
        return False
    import ctypes

    handle = os.open(path, files.READ_FLAGS)
    try:
        if syncfs(handle) == 0:
            return True
        error = ctypes.get_errno()
    finally:
        os.close(handle)
    if files.cannot_sync(error):
        return False
    raise OSError(error, os.strerror(error), path)


def _c_function(name: str) -> "Callable[..., int] | None":
    """A function of Linux's C library that Python does not have; None elsewhere."""
    import ctypes

    try:
        function: "Callable[..., int]" = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (AttributeError, OSError, TypeError):
        return None
    return function
