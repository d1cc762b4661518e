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
MIN_LENGTH = 4
#: seconds between checks of the logs
INTERVAL = 1.0


class Mask:
    """The values to mask in the logs of the run in ``folder``."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._values: set[bytes] = set()
        self._positions: dict[str, int] = {}
        self._lock = threading.Lock()
        self._finished = threading.Event()

    def hide(self, value: str) -> None:
        """Mask ``value`` from now on, and each of its lines if it has several."""
        parts = {part for part in (value, *value.splitlines()) if len(part) >= MIN_LENGTH}
        with self._lock:
            first = not self._values
            self._values |= {part.encode("utf-8", "surrogatepass") for part in parts}
            self._positions = {}
        if first and self._values and self._folder:
            threading.Thread(target=self._watch, daemon=True).start()
            atexit.register(self._end)

    def masked(self, text: str) -> str:
        """``text`` with stars for the values."""
        with self._lock:
            values = sorted(self._values, key=len, reverse=True)
        for value in values:
            word = value.decode("utf-8", "surrogatepass")
            text = text.replace(word, "*" * len(word))
        return text

    def mask_new_text(self) -> None:
        """Mask text added to the logs since the last call."""
        with self._lock:
            values = sorted(self._values, key=len, reverse=True)
            for path in _logs(self._folder):
                try:
                    self._positions[path] = _overwrite(path, self._positions.get(path, 0), values)
                except OSError:
                    continue  # not ours, or just removed

    def _watch(self) -> None:
        while not self._finished.wait(INTERVAL):
            self.mask_new_text()

    def _end(self) -> None:
        self._finished.set()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):
                continue  # closed by the script
        self.mask_new_text()


_masks: dict[str, Mask] = {}


def hide(value: str) -> None:
    """Mask ``value`` in the logs of the run that this process belongs to, if any.

    ``masked`` masks it in any process.
    """
    folder = os.environ.get("SCRIPTRUN_RUN_FOLDER", "")
    if len(value) >= MIN_LENGTH:
        _masks.setdefault(folder, Mask(folder)).hide(value)


def masked(text: str) -> str:
    """``text`` with stars for the secrets that this process has read."""
    for mask in list(_masks.values()):
        text = mask.masked(text)
    return text


def finish() -> None:
    """Mask what is new in the logs, in a process that leaves without its exit handlers."""
    for mask in list(_masks.values()):
        mask.mask_new_text()


def _logs(folder: str) -> Iterator[str]:
    for name in LOGS if folder else ():
        for base, _, files in os.walk(os.path.join(folder, name)):
            yield from (os.path.join(base, file_name) for file_name in files)


def _overwrite(path: str, start: int, values: list[bytes]) -> int:
    """Mask ``values`` in the file from ``start`` on; return where the next call starts."""
    longest = max(map(len, values))
    with open(path, "r+b") as handle:
        position = max(0, start - longest)
        handle.seek(position)
        overlap = b""
        while data := handle.read(1 << 20):
            text = overlap + data
            for value in values:
                index = text.find(value)
                while index >= 0:
                    os.pwrite(handle.fileno(), b"*" * len(value), position + index)
                    text = text[:index] + b"*" * len(value) + text[index + len(value) :]
                    index = text.find(value, index + len(value))
            overlap = text[-longest:]
            position += len(text) - len(overlap)
        return position + len(overlap)
