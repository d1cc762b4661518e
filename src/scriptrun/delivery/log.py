"""What is told of a job's data while it is brought and sent: lines of a log, and events."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from scriptrun.runtime import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Telling:
    """The log ``system_logs/data.txt`` (stderr of the helper), and the events of node ``node``."""

    def __init__(self, folder: Path, node: int) -> None:
        self._events = events.EventWriter(folder, f"data-{node}")
        self._node = node

    def line(self, text: str) -> None:
        """A line of the log."""
        where = f"node {self._node}: " if self._node else ""
        at = time.strftime("%H:%M:%S", time.gmtime())
        line = f"{at} {where}{text}\n"
        try:
            os.write(2, line.encode("utf-8", "surrogateescape"))
        except OSError:
            sys.stderr = None

    def note(self, text: str) -> None:
        """Something worth a word in the run's record."""
        self.line(text)
        self._events.write("note", message=text)

    def warn(self, text: str) -> None:
        """Something to look into."""
        self.line(f"warning: {text}")
        self._events.write("warning", message=text)

    def data(self, **facts: Any) -> None:
        """What was brought or sent."""
        self._events.write("data", **facts)
