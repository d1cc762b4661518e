"""Notes about a notebook's cells: one line each, on stderr, never captured by a cell."""

from __future__ import annotations

import os
import re
import sys

from scriptrun.dropin.notebook import commands


class Notes:
    """Prints notes on the place ``name``, such as ``train.ipynb, cell 3``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._stream = sys.stderr

    def say(self, sentence: str) -> None:
        """Print a line, after what was printed before it."""
        sys.stdout.flush()
        print(f"scriptrun: {sentence}", file=self._stream, flush=True)

    def skipped(self, text: str, reason: str) -> None:
        """Print that the line ``text`` was skipped."""
        first = text.strip().splitlines()[0]
        self.say(f"{self.name}: skipped {first} ({reason})")

    def skips(self, command: str, text: str) -> bool:
        """Whether the shell command is skipped, which is then printed."""
        reason = commands.why_skipped(command)
        if reason is not None:
            self.skipped(text, reason)
        return reason is not None

    def with_slashes(self, path: str, text: str) -> str:
        """The arguments of the magic ``text`` with Windows' paths as paths of this system."""
        changed = path if os.sep == "\\" else re.sub(r"\\(?=\S)", "/", path)
        if changed != path:
            magic = text.split(maxsplit=1)[0]
            self.say(f"{self.name}: {magic} takes the path {path} as {changed}")
        return changed

    def exited(self, text: str, code: int) -> None:
        """Print that ``text`` failed, if it did."""
        if code:
            self.say(f"{self.name}: {text.strip()} exited with code {code}")
