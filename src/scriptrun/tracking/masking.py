"""Mask the secrets that a job requested in its logs, by overwriting them with stars in place.

The script writes to its log itself, so a value may be visible for a moment: the process that
provided it checks new log text once a second, and once more when the script ends. The length stays
the same, so that concurrent writers and readers are not disturbed. Values shorter than four
characters are not masked, as they occur everywhere.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Iterator

#: folders of a run with the job's output
LOGS = ("user_logs", "system_logs", "logs")
SHORTEST = 4
#: seconds between checks of the logs
PATIENCE = 1.0


class Mask:
    """The values to mask in the logs of the run in ``folder``."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._values: set[bytes] = set()
        self._seen: dict[str, int] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()

    def hide(self, value: str) -> None:
        """Mask ``value`` from now on, and each of its lines if it has several."""
        parts = {part for part in (value, *value.splitlines()) if len(part) >= SHORTEST}
        with self._lock:
            first = not self._values
            self._values |= {part.encode("utf-8", "surrogatepass") for part in parts}
            self._seen = {}
        if first and self._values:
            threading.Thread(target=self._watch, daemon=True).start()
            atexit.register(self._end)

    def look(self) -> None:
        """Mask text added to the logs since the last call."""
        with self._lock:
            values = sorted(self._values, key=len, reverse=True)
            for path in _logs(self._folder):
                try:
                    self._seen[path] = _overwrite(path, self._seen.get(path, 0), values)
                except OSError:
                    continue  # not ours, or just removed

    def _watch(self) -> None:
        while not self._over.wait(PATIENCE):
            self.look()

    def _end(self) -> None:
        self._over.set()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):
                continue  # closed by the script
        self.look()


_masks: dict[str, Mask] = {}


def hide(value: str) -> None:
    """Mask ``value`` in the logs of the run that this process belongs to, if any."""
    folder = os.environ.get("SCRIPTRUN_RUN_FOLDER")
    if folder and len(value) >= SHORTEST:
        _masks.setdefault(folder, Mask(folder)).hide(value)


def _logs(folder: str) -> Iterator[str]:
    for name in LOGS:
        for place, _, files in os.walk(os.path.join(folder, name)):
            yield from (os.path.join(place, each) for each in files)


def _overwrite(path: str, start: int, values: list[bytes]) -> int:
    """Mask ``values`` in the file from ``start`` on; return where the next call starts."""
    longest = max(map(len, values))
    with open(path, "r+b") as handle:
        at = max(0, start - longest)
        handle.seek(at)
        kept = b""
        while data := handle.read(1 << 20):
            text = kept + data
            for value in values:
                found = text.find(value)
                while found >= 0:
                    os.pwrite(handle.fileno(), b"*" * len(value), at + found)
                    text = text[:found] + b"*" * len(value) + text[found + len(value) :]
                    found = text.find(value, found + len(value))
            kept = text[-longest:]
            at += len(text) - len(kept)
        return at + len(kept)
