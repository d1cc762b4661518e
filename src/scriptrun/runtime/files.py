"""Write files atomically, and so that they survive a power cut (Python 3.6+).

What is acknowledged is *durable*: the file's content is on the disk before its name, and its name
before the function returns. What can be made again is written with ``durable=False``. Batches of
files: durability.py.
"""

import _thread  # as ``threading`` takes a millisecond to load
import errno
import json
import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from io import BufferedReader
    from typing import Any

    from scriptrun.runtime.hints import Json, StrPath


#: errors of a path that leads to no file or folder of the kind that is expected there
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO)
#: flags with which opening a pipe does not wait for its other end
_NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
READ_FLAGS = os.O_RDONLY | _NO_WAITING
APPEND_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NO_WAITING
#: how deeply records are nested at most; damage and malice are not
_MAX_DEPTH = 100


def unique(digits: int = 12) -> str:
    """``digits`` random hexadecimal digits, without importing uuid."""
    return os.urandom((digits + 1) // 2).hex()[:digits]


#: the variable that turns all syncs off: ``0``
FSYNC_VARIABLE = "SCRIPTRUN_FSYNC"
#: what a file system answers that cannot sync: no failure of the disk
_CANNOT_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EROFS)


def must_sync() -> bool:
    """Whether files are to survive a power cut: the only place that reads the setting."""
    return os.environ.get(FSYNC_VARIABLE) != "0"


def write_atomic(path: "StrPath", data: bytes, mode: int = 0o644, *, durable: bool = True) -> None:
    """Write ``data`` to ``path`` by a rename: readers see the old file or the new one."""
    temporary = "{}.{}.tmp".format(path, unique())
    try:
        _write_new(temporary, data, mode, sync_handle if durable else None)
        os.replace(temporary, path)
    except BaseException:
        unlink_quietly(temporary)
        raise
    if durable:
        sync_folder(os.path.dirname(str(path)))


def publish(
    path: "StrPath",
    data: bytes,
    mode: int = 0o644,
    *,
    durable: bool = True,
    may_be_empty: bool = False,
    above: "tuple[StrPath, ...]" = (),
) -> bool:
    """Write ``data`` to ``path`` unless it exists already: the first writer wins.

    Returns whether this call wrote it. Uses a hard link, which is atomic on NFS and Lustre too.
    ``may_be_empty``: readers take an empty file, after a power cut during this call, as missing;
    content and name are then synced together, which takes half the time. ``above``: folders to
    sync as well.
    """
    finish = _begin_writing if may_be_empty else sync_handle
    is_new = _link_new(path, data, mode, finish if durable else None)
    if durable:  # the other writer's file too: it may be about to do this
        folders = [os.path.dirname(str(path)) or ".", *map(str, above)]
        content = [str(path)] if may_be_empty else []
        for error in sync_together(content + (folders if os.name != "nt" else [])):
            if is_new or error.errno not in _ABSENT:
                raise error
    return is_new


def _link_new(
    path: "StrPath", data: bytes, mode: int, finish: "Callable[[int], None] | None"
) -> bool:
    temporary = "{}.{}.tmp".format(path, unique())
    try:
        _write_new(temporary, data, mode, finish)
        os.link(temporary, path)
        return True
    except FileExistsError:
        return False
    finally:
        unlink_quietly(temporary)


#: bytes; longer paths would leave the folders up to there behind
_LONGEST_PATH = 4095
#: how often folders that are removed meanwhile are made
_ATTEMPTS = 5


def make_folders(path: "StrPath", mode: int = 0o777) -> None:
    """Create the folder ``path`` and those above it that are missing, durably."""
    folder = os.path.abspath(str(path))
    if len(os.fsencode(folder)) > _LONGEST_PATH:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), folder[:200])
    for more_attempts in reversed(range(_ATTEMPTS)):
        try:
            _make_missing(folder, mode)
            return
        except FileNotFoundError:  # another process removes folders at the same time
            if not more_attempts:
                raise


def _make_missing(folder: str, mode: int) -> None:
    created = []
    while not os.path.isdir(folder):
        created.append(folder)
        folder = os.path.dirname(folder)
    for number, missing in enumerate(reversed(created), 1):
        try:
            os.mkdir(missing, mode if number == len(created) else 0o777)
        except FileExistsError:
            if not os.path.isdir(missing):
                raise
    for folder in created:
        sync_folder(os.path.dirname(folder))


def sync_folder(folder: "StrPath") -> None:
    """Wait until the names in ``folder`` are on the disk."""
    if os.name != "nt":  # Windows syncs no folders
        sync_file(str(folder) or ".")


def sync_file(path: "StrPath") -> None:
    """Wait until the content of ``path`` is on the disk, if it may be opened."""
    if not must_sync():
        return
    try:
        handle = os.open(str(path), os.O_RDWR if os.name == "nt" else READ_FLAGS)
    except PermissionError:
        return  # may be written, but not read: its file system has its own time
    try:
        sync_handle(handle)
    finally:
        os.close(handle)


#: so many files are synced at once where a disk is slow
_THREADS = 4
#: seconds that a sync takes on a slow disk; a thread takes a tenth of that
_SLOW = 0.001


def sync_together(paths: "Iterable[str]") -> "list[OSError]":
    """Wait until all ``paths``, files or folders, are on the disk; returns the errors.

    A slow disk carries out requests that wait at the same time together, so threads send them.
    """
    rest = list(paths)
    errors: "list[OSError]" = []
    if not must_sync() or not rest:
        return errors
    began = time.perf_counter()
    _sync_rest(rest[:1], errors)
    del rest[0]
    if rest and time.perf_counter() - began > _SLOW:
        _sync_in_threads(rest, errors)
    else:
        _sync_rest(rest, errors)
    return errors


def _sync_in_threads(rest: "list[str]", errors: "list[OSError]") -> None:
    done = []
    for _ in range(min(_THREADS, len(rest)) - 1):
        lock = _thread.allocate_lock()
        lock.acquire()
        try:
            _thread.start_new_thread(_sync_rest, (rest, errors, lock))
        except RuntimeError:
            break  # no more threads: the interpreter ends, or a limit is reached
        done.append(lock)
    _sync_rest(rest, errors)
    for lock in done:
        lock.acquire()


def _sync_rest(
    rest: "list[str]", errors: "list[OSError]", done: "_thread.LockType | None" = None
) -> None:
    try:
        while rest:
            try:
                sync_file(rest.pop(0))
            except IndexError:
                return  # another thread took the last one
            except OSError as error:
                errors.append(error)
    finally:
        if done is not None:
            done.release()


def sync_handle(handle: int) -> None:
    """Wait until an open file is on the disk. Raises OSError if the disk fails."""
    if not must_sync():
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if not cannot_sync(error.errno):
            raise


def cannot_sync(number: "int | None") -> bool:
    """Whether the error means that the file system has no such call."""
    return number in _CANNOT_SYNC


def to_json(value: object) -> bytes:
    """``value`` as indented UTF-8 JSON bytes."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def read_json(path: "StrPath") -> "Any":
    """The JSON value in ``path``, or None if the file is missing or damaged in any way."""
    data = read_bytes(path)
    return None if data is None else parse_json(data)


def read_object(path: "StrPath") -> "Json | None":
    """The JSON object in ``path``, or None if the file is missing or damaged in any way."""
    value = read_json(path)
    return value if isinstance(value, dict) else None


def read_bytes(path: "StrPath") -> "bytes | None":
    """The content of the file ``path``; None if there is none: nothing, a folder, a loop of links.

    Raises OSError for a file that cannot be read.
    """
    try:
        with open_record(path) as handle:
            return handle.read()
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise


def open_record(path: "StrPath") -> "BufferedReader":
    """Open a file to read it. Raises OSError for a pipe or a device, which is not waited for."""
    return open(path, "rb", opener=regular_opener)


def regular_opener(path: str, flags: int) -> int:
    """An ``opener`` of ``open()`` for which only a regular file counts."""
    descriptor = os.open(path, flags | _NO_WAITING)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    number = errno.EISDIR if stat.S_ISDIR(mode) else errno.ENXIO
    raise OSError(number, os.strerror(number), path)


def names_in(folder: "StrPath") -> "list[str]":
    """The names in ``folder``, unordered; none if it is missing or no folder."""
    try:
        return os.listdir(folder)
    except OSError as error:
        if error.errno in _ABSENT:
            return []
        raise


def parse_json(data: bytes) -> "Any":
    """The JSON value that ``data`` holds, or None if it is invalid or nested too deeply."""
    try:
        value = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError, MemoryError):
        return None
    has_many = data.count(b"[") + data.count(b"{") > _MAX_DEPTH
    return None if has_many and _is_too_deep(value) else value


def _is_too_deep(value: object) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            item
            for each in level
            if isinstance(each, (dict, list))
            for item in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def _begin_writing(handle: int) -> None:
    """Let the disk begin with an open file, and do not wait for it."""
    if must_sync() and hasattr(os, "posix_fadvise"):
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


def _write_new(path: str, data: bytes, mode: int, finish: "Callable[[int], None] | None") -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), mode)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        if finish is not None:
            finish(handle)
    finally:
        os.close(handle)


def unlink_quietly(path: str) -> None:
    """Remove a file, if there is one and it can be removed."""
    try:
        os.unlink(path)
    except OSError:
        pass
