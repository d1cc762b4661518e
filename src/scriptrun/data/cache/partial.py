"""Unfinished downloads: which blocks of a large file have been downloaded.

``NAME.part.blocks`` is next to ``NAME.part``. Its first line is a JSON header: the remote file
(``etag``, ``size``), ``block`` (bytes of a block), ``boot``, and ``owner``, the process that
downloads it. Each further line is the number of a finished block, or ``free`` once the owner gave
up. A part of an earlier boot is not trusted: its bytes may not have reached the disk.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path

from scriptrun.runtime import files, identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

_FREE = "free"


class PartialFile:
    """The partial file ``path`` and its list of finished blocks."""

    def __init__(self, path: Path, etag: str, size: int, block: int) -> None:
        self.path = path
        self.size = size
        self.block = block
        self._block_list = block_list_path(path)
        self._header = {"etag": etag, "size": size, "block": block, "boot": identity.boot_id()}
        self._lock = threading.Lock()

    def prepare(self) -> list[int]:
        """Create or resume the file, and return the numbers of the missing blocks."""
        header, marks = _read_block_list(self._block_list)
        count = -(-self.size // self.block)
        is_same = (
            self.path.exists() and {name: header.get(name) for name in self._header} == self._header
        )
        present = (
            {mark for mark in marks if isinstance(mark, int) and mark < count} if is_same else set()
        )
        lines = [json.dumps({**self._header, "owner": identity.identify()}), *map(str, present)]
        self._block_list.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        with open(self.path, "r+b" if is_same else "wb") as file:
            file.truncate(self.size)
        return [number for number in range(count) if number not in present]

    def bounds(self, number: int) -> tuple[int, int]:
        """The start and end offset of a block."""
        return number * self.block, min((number + 1) * self.block, self.size)

    def mark_present(self, number: int) -> None:
        """Record that a block has been written."""
        with self._lock:
            _append(self._block_list, str(number))


def block_list_path(part: Path) -> Path:
    """The path of the list of blocks of ``part``."""
    return part.with_name(f"{part.name}.blocks")


def is_in_use(part: Path) -> bool:
    """Whether a process that may be alive is downloading it."""
    header, marks = _read_block_list(block_list_path(part))
    owner = header.get("owner")
    if not owner or _FREE in marks:
        return False
    return not identity.is_local(owner) or identity.is_alive(owner)


def release(part: Path) -> None:
    """Let another process resume the part."""
    _append(block_list_path(part), _FREE)


def remove(part: Path) -> None:
    """Remove a partial file and its list of blocks."""
    part.unlink(missing_ok=True)
    block_list_path(part).unlink(missing_ok=True)


def _append(block_list: Path, line: str) -> None:
    with open(block_list, "a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def _read_block_list(block_list: Path) -> tuple[Json, set[int | str]]:
    """The header, and the block numbers and marks; an incomplete last line is ignored."""
    try:
        first, *lines = (files.read_bytes(block_list) or b"").decode("utf-8").split("\n")[:-1]
        header = json.loads(first)
    except (OSError, ValueError):
        return {}, set()
    if not isinstance(header, dict):
        return {}, set()
    return header, {int(line) if line.isdigit() else line for line in lines}
