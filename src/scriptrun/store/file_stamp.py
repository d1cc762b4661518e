"""What a file looks like: equal stamps mean that it was not changed in between, in place or not.

A change of its content changes its inode or its change time, which no program can set.
"""

from __future__ import annotations

import os
import time

#: nanoseconds within which a file may change again without a new change time
FRESH = 50_000_000

TYPE_CHECKING = False
if TYPE_CHECKING:
    Stamp = list[int]


def stamp_of(path: str | os.PathLike[str]) -> Stamp:
    """The stamp of ``path``, links followed, as JSON keeps it. Raises OSError."""
    status = os.stat(path)
    return [
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    ]


def is_settled(change_time: int) -> bool:
    """Whether any later change of a file with this change time (ns) gives it another one."""
    return change_time < time.time_ns() - FRESH
