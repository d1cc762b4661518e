"""Which disk is full or read-only, in words (Python 3.6+)."""

import errno
import os
import re

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from scriptrun.runtime.hints import StrPath

#: a disk with less room than this counts as full: the next write of any size may fail
_ROOM = 64 << 10
_QUOTA = getattr(errno, "EDQUOT", errno.ENOSPC)
#: what a program prints for these errors; Python adds the file's name in quotes
_PRINTED = r"(No space left on device|Disk quota exceeded)(?:: (?:'([^'\n]+)'|\"([^\"\n]+)\"))?"
#: how much of a log's end is searched
_TAIL = 16 << 10


def is_about_disk(error: OSError) -> bool:
    """Whether ``error`` says that a disk is full or read-only, or a quota is used up."""
    return error.errno in (errno.ENOSPC, _QUOTA, errno.EROFS)


def mount_of(path: "StrPath") -> str:
    """The mount point of the file system that holds ``path``, or would."""
    folder = os.path.realpath(str(path))
    while not os.path.ismount(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


def is_full(path: "StrPath") -> bool:
    """Whether the file system that holds ``path`` has no room for files or for their bytes."""
    return bool(_shortage(path))


def _shortage(path: "StrPath") -> str:
    if not hasattr(os, "statvfs"):
        return ""
    try:
        status = os.statvfs(str(path))
    except OSError:
        try:
            status = os.statvfs(mount_of(path))
        except OSError:
            return ""
    is_root = os.geteuid() == 0
    if status.f_blocks and (
        (status.f_bfree if is_root else status.f_bavail) * status.f_frsize < _ROOM
    ):
        return "is full"
    if status.f_files and not (status.f_ffree if is_root else status.f_favail):
        return "has no room for more files (inodes)"
    return ""


def describe(error: OSError, path: "StrPath | None" = None) -> str:
    """The error in words, with the disk it is about; its plain text for any other error."""
    text = error.strerror or str(error)
    path = error.filename or path
    if not path or not is_about_disk(error):
        return text
    if error.errno == errno.EROFS:
        state = "is read-only"
    elif error.errno == _QUOTA != errno.ENOSPC:
        state = "has no room left within your quota"
    else:
        state = _shortage(path) or "is full"
    return "the disk of {} {} ({})".format(mount_of(path), state, text)


def full_among(paths: "Iterable[StrPath]") -> str:
    """The full disks that hold ``paths``, in words; "" if none is."""
    mounts = []
    for path in paths:
        if not is_full(path):
            continue
        try:
            mount = mount_of(path)
        except OSError:  # the current directory has been deleted
            continue
        if mount not in mounts:
            mounts.append(mount)
    return "; ".join(
        "the disk of {} {} (No space left on device)".format(mount, _shortage(mount))
        for mount in mounts
    )


def cause_of_failure(logs: "Iterable[StrPath]", own: "list[str]", others: "list[str]") -> str:
    """The full disk because of which a job failed, in words; "" if that was not the cause.

    It was if a log ends with such an error, or a disk of the job's ``own`` folders is full. The
    error may be about one of the ``others``.
    """
    printed = [found for log in logs for found in re.finditer(_PRINTED, _tail(log))]
    if not printed:
        return full_among(own)
    text, path = printed[-1][1], printed[-1][2] or printed[-1][3]
    if path and os.path.isabs(path):
        mount = mount_of(path)
        return "the disk of {} {} ({})".format(mount, _shortage(mount) or "was full", text)
    return full_among(own) or full_among(others) or "a disk was full ({})".format(text)


def _tail(path: "StrPath") -> str:
    try:
        with files.open_record(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
