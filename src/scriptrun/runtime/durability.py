"""Bring many files to the disk at once (Python 3.6+, standard library only).

A few files are synced one by one; for many, one call syncs their file system, which is far cheaper
than a journal's commit for each.
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
#: SYNC_FILE_RANGE_WRITE: begin, and do not wait
_START_WRITING = 2


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
    _start_writing(found)
    for path in found:
        try:
            files.sync_file(path)
        except FileNotFoundError:
            pass  # removed meanwhile, as heartbeats are


def _start_writing(paths: "list[str]") -> None:
    """Let the disk begin with all files, so that one commit of a journal covers them."""
    write = _c_function("sync_file_range")
    if write is None:
        return
    from ctypes import c_longlong

    begin, size = c_longlong(0), c_longlong(0)  # all of it
    for path in paths:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue  # removed, or not readable
        write(handle, begin, size, _START_WRITING)  # an error for folders, which does no harm
        os.close(handle)


def _sync(paths: "list[str]") -> None:
    if len(paths) > _FEW:
        one_of_each = {os.stat(path).st_dev: path for path in paths}
        if all(_sync_file_system(path) for path in one_of_each.values()):
            return
    for path in paths:
        files.sync_file(path)


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

    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
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
