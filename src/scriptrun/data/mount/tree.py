"""The folders and files of a mount, looked up in a manifest block by block."""

from __future__ import annotations

import bisect
import itertools
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from scriptrun.data.datasets.manifest import Manifest, ManifestRow

#: the character after "/": every path in the folder a sorts before "a" + _AFTER_SLASH
_AFTER_SLASH = chr(ord("/") + 1)
#: what no entry of a folder can be called
_NO_NAMES = ("", ".", "..")
#: decompressed manifest blocks to cache, of 4,096 rows each (about 0.5 MB)
_MAX_BLOCKS = 256


class TreeEntry(NamedTuple):
    """An entry of a folder: a file (with its row) or a folder (row None)."""

    name: str
    row: ManifestRow | None


class Tree(Protocol):
    """Folders and files; paths use slashes without a leading one, "" is the root."""

    def find(self, path: str) -> TreeEntry | None:
        """The file or folder at ``path``, or None."""

    def children(self, folder: str) -> Iterator[TreeEntry]:
        """The direct entries of ``folder``, in the order of their names."""

    def following(self, path: str, count: int) -> list[ManifestRow]:
        """The next files after ``path`` in its folder; fewer or none if unknown."""


class ManifestTree:
    """The files of a manifest. If a path is both a file and a folder, the folder wins."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._first_paths = manifest.first_paths()
        self._cached_blocks: OrderedDict[int, list[bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, path: str) -> TreeEntry | None:
        """The file or folder at ``path``, or None."""
        name = path.rpartition("/")[2]
        first_below = next(self._rows(f"{path}/" if path else ""), None)
        if not path or (first_below is not None and first_below.path.startswith(f"{path}/")):
            return TreeEntry(name, None)
        row = next(self._rows(path), None)
        return TreeEntry(name, row) if row is not None and row.path == path else None

    def children(self, folder: str) -> Iterator[TreeEntry]:
        """The direct entries of ``folder``; deeper files are skipped, not read."""
        prefix = f"{folder}/" if folder else ""
        rows, entries = self._rows(prefix), dict[str, ManifestRow | None]()
        while (row := next(rows, None)) is not None and row.path.startswith(prefix):
            name, slash, _ = row.path[len(prefix) :].partition("/")
            if name not in _NO_NAMES:  # of a damaged list: no folder may have such an entry
                entries[name] = None if slash else row
            if slash:
                rows = self._rows(f"{prefix}{name}{_AFTER_SLASH}")
        yield from itertools.starmap(TreeEntry, entries.items())

    def following(self, path: str, count: int) -> list[ManifestRow]:
        """The next files after ``path`` in its folder."""
        folder = path[: path.rfind("/") + 1]
        rows = itertools.islice(self._rows(path + "\0"), count)
        siblings = itertools.takewhile(lambda row: row.path.startswith(folder), rows)
        return [row for row in siblings if "/" not in row.path[len(folder) :]]

    def _rows(self, path: str) -> Iterator[ManifestRow]:
        """The rows in order, from the first whose path is not before ``path``."""
        first = max(0, bisect.bisect_right(self._first_paths, path) - 1)
        for number in range(first, len(self._first_paths)):
            lines = self._lines(number)
            start = bisect.bisect_left(lines, path, key=_line_path) if number == first else 0
            for line in lines[start:] if start else lines:
                yield ManifestRow(*json.loads(line))

    def _lines(self, number: int) -> list[bytes]:
        with self._lock:
            lines = self._cached_blocks.get(number)
            if lines is None:
                lines = self._cached_blocks[number] = self._manifest.lines(number)
                if len(self._cached_blocks) > _MAX_BLOCKS:
                    self._cached_blocks.popitem(last=False)
            else:
                self._cached_blocks.move_to_end(number)
            return lines


def _line_path(line: bytes) -> str:
    return str(json.loads(line)[0])
