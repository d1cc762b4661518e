"""Write the traceback of an internal error to a file that users can attach to a report."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback

from scriptrun.cli import command_line


def write_down(error: BaseException) -> tuple[str, str]:
    """Write the traceback of ``error`` to a file; return its path ("" on failure) and text."""
    text = "".join(traceback.format_exception(error))
    name = f"scriptrun-bug-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    path = os.path.join(tempfile.gettempdir(), name)
    words = command_line.masked(sys.argv[1:])
    report = f"scriptrun {' '.join(map(repr, words))}\nPython {sys.version}\n\n{text}"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as handle:
            handle.write(report)
    except OSError:
        return "", text
    return path, text
