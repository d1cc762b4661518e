"""The log of a job's data delivery: lines of text, and events in the run's record."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from scriptrun.runtime import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass


class DataLog:
    """The log ``system_logs/data.txt`` (the helper's stderr) and the events of one node."""

    def __init__(self, folder: Path, node: int) -> None:
        self._events = events.EventWriter(folder, f"data-{node}")
        self._node = node

    def line(self, text: str) -> None:
        """Write a line to the log."""
        prefix = f"node {self._node}: " if self._node else ""
        clock = time.strftime("%H:%M:%S", time.gmtime())
        line = f"{clock} {prefix}{text}\n"
        try:
            os.write(2, line.encode("utf-8", "surrogateescape"))
        except OSError:
            sys.stderr = None

    def note(self, text: str) -> None:
        """Log a note and add it to the run's record."""
        self.line(text)
        self._events.write("note", message=text)

    def warn(self, text: str) -> None:
        """Log a warning and add it to the run's record."""
        self.line(f"warning: {text}")
        self._events.write("warning", message=text)

    def data(self, **facts: object) -> None:
        """Record one delivered input or output."""
        self._events.write("data", **facts)
