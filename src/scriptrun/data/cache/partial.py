"""Unfinished downloads: the blocks of a large file that are there already.

Beside ``NAME.part`` lies ``NAME.part.blocks``: a line of JSON that says of what the part is
(``etag``, ``size``, ``block``: bytes of a block, ``boot``) and whose it is (``owner``, a process),
then the number of each block that is there, a line each, and ``free`` when its owner gave up.
A part of an earlier boot is not trusted: its bytes may not have reached the disk.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from scriptrun.runtime import identity

_FREE = "free"


class Part:
    """The file ``path`` that grows block by block, and the list of blocks beside it."""

    def __init__(self, path: Path, etag: str, size: int, block: int) -> None:
        self.path = path
        self.size = size
        self.block = block
        self._log = log_of(path)
        self._head = {"etag": etag, "size": size, "block": block, "boot": identity.boot()}
        self._lock = threading.Lock()

    def begin(self) -> list[int]:
        """Make the file ready, and return the numbers of the blocks that are missing."""
        head, done = _read(self._log)
        count = -(-self.size // self.block)
        same = self.path.exists() and {name: head.get(name) for name in self._head} == self._head
        there = {each for each in done if isinstance(each, int) and each < count} if same else set()
        lines = [json.dumps({**self._head, "owner": identity.of_process()}), *map(str, there)]
        self._log.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        with open(self.path, "r+b" if same else "wb") as file:
            file.truncate(self.size)
        return [number for number in range(count) if number not in there]

    def bounds(self, number: int) -> tuple[int, int]:
        """Where a block begins and ends."""
        return number * self.block, min((number + 1) * self.block, self.size)

    def has(self, number: int) -> None:
        """Note that a block is there."""
        with self._lock:
            _note(self._log, str(number))


def log_of(part: Path) -> Path:
    """The list of blocks beside ``part``."""
    return part.with_name(f"{part.name}.blocks")


def is_taken(part: Path) -> bool:
    """Whether a process that may be alive is at work on it."""
    head, done = _read(log_of(part))
    owner = head.get("owner")
    if not owner or _FREE in done:
        return False
    return not identity.is_here(owner) or identity.is_alive(owner)


def release(part: Path) -> None:
    """Leave the part to whoever goes on with it."""
    _note(log_of(part), _FREE)


def remove(part: Path) -> None:
    """Remove a part and its list."""
    part.unlink(missing_ok=True)
    log_of(part).unlink(missing_ok=True)


def _note(log: Path, line: str) -> None:
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def _read(log: Path) -> tuple[dict[str, Any], set[Any]]:
    """The first line, and the numbers (and the word) after it; a line half written is none."""
    try:
        first, *lines = log.read_text("utf-8").split("\n")[:-1]
        head = json.loads(first)
    except (OSError, ValueError):
        return {}, set()
    if not isinstance(head, dict):
        return {}, set()
    return head, {int(line) if line.isdigit() else line for line in lines}
