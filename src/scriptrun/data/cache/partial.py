"""Unfinished downloads: which blocks of a large file have been downloaded.

``NAME.part.blocks`` lies next to ``NAME.part``. Its first line is a JSON header: the remote file
(``etag``, ``size``), ``block`` (bytes of a block), ``boot``, and ``owner``, the process that
downloads it. Each further line is the number of a finished block, or ``free`` once the owner gave
up. A part of an earlier boot is not trusted: its bytes may not have reached the disk.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from scriptrun.runtime import identity

_FREE = "free"


class Part:
    """The partial file ``path`` and its list of finished blocks."""

    def __init__(self, path: Path, etag: str, size: int, block: int) -> None:
        self.path = path
        self.size = size
        self.block = block
        self._log = log_of(path)
        self._head = {"etag": etag, "size": size, "block": block, "boot": identity.boot_id()}
        self._lock = threading.Lock()

    def begin(self) -> list[int]:
        """Create or resume the file, and return the numbers of the missing blocks."""
        head, done = _read(self._log)
        count = -(-self.size // self.block)
        same = self.path.exists() and {name: head.get(name) for name in self._head} == self._head
        there = {each for each in done if isinstance(each, int) and each < count} if same else set()
        lines = [json.dumps({**self._head, "owner": identity.identify()}), *map(str, there)]
        self._log.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        with open(self.path, "r+b" if same else "wb") as file:
            file.truncate(self.size)
        return [number for number in range(count) if number not in there]

    def bounds(self, number: int) -> tuple[int, int]:
        """The start and end offset of a block."""
        return number * self.block, min((number + 1) * self.block, self.size)

    def has(self, number: int) -> None:
        """Record that a block has been written."""
        with self._lock:
            _note(self._log, str(number))


def log_of(part: Path) -> Path:
    """The path of the list of blocks of ``part``."""
    return part.with_name(f"{part.name}.blocks")


def is_taken(part: Path) -> bool:
    """Whether a process that may be alive is downloading it."""
    head, done = _read(log_of(part))
    owner = head.get("owner")
    if not owner or _FREE in done:
        return False
    return not identity.is_local(owner) or identity.is_alive(owner)


def release(part: Path) -> None:
    """Let another process resume the part."""
    _note(log_of(part), _FREE)


def remove(part: Path) -> None:
    """Remove a partial file and its list of blocks."""
    part.unlink(missing_ok=True)
    log_of(part).unlink(missing_ok=True)


def _note(log: Path, line: str) -> None:
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def _read(log: Path) -> tuple[dict[str, Any], set[Any]]:
    """The header, and the block numbers and marks; an incomplete last line is ignored."""
    try:
        first, *lines = log.read_text("utf-8").split("\n")[:-1]
        head = json.loads(first)
    except (OSError, ValueError):
        return {}, set()
    if not isinstance(head, dict):
        return {}, set()
    return head, {int(line) if line.isdigit() else line for line in lines}
