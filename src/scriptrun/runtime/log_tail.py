"""Read the end of a log, whatever its size, and clean it (Python 3.6+).

Of a line that was redrawn, such as a progress bar, only the last text is kept; colours and control
characters are removed.
"""

import os
import re

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import StrPath


#: how many lines are shown of a failed run's log
LINES = 15
_SEQUENCE = (
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[PX^_][^\x1b\n]*(?:\x1b\\)?"
    r"|[ -/]*[0-~])"
)
_CONTROL = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160), 0x2028, 0x2029])


def read_tail(path: "StrPath", count: int = LINES, size: int = 8192) -> "list[str]":
    """The last ``count`` lines of a log, cleaned; none if it cannot be read."""
    return read_lines(path, size)[-count:]


def read_lines(path: "StrPath", size: int) -> "list[str]":
    """The lines in the last ``size`` bytes of a log, cleaned; the first may lack its beginning."""
    try:
        with files.open_record(path) as handle:
            end = handle.seek(0, os.SEEK_END)
            start = max(0, (end - size + 1) // 2 * 2)  # even, for UTF-16
            handle.seek(start)
            data = handle.read(size)
    except OSError:
        return []
    lines = [_clean(line) for line in _decode(data).split("\n")]
    return lines if lines[-1] else lines[:-1]


def _decode(data: bytes) -> str:
    """The text of a log: UTF-8, or UTF-16 if about every other byte is a NUL, and only those."""
    even, odd, half = data[::2].count(b"\0"), data[1::2].count(b"\0"), len(data) // 2
    if max(even, odd) > half * 0.6 and min(even, odd) < half * 0.1:
        return data.decode("utf-16-be" if even > odd else "utf-16-le", "replace")
    return data.decode("utf-8", "replace")


def _clean(line: str) -> str:
    if "\r" in line:
        line = line.rstrip("\r").rpartition("\r")[2]
    if "\x1b" in line:
        line = re.sub(_SEQUENCE, "", line)
    return line.translate(_CONTROL)
