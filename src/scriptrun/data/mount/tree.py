"""The folders and files of a mount, looked up in a manifest block by block."""

from __future__ import annotations

import bisect
import itertools
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from scriptrun.data.datasets.manifest import Manifest, Row

#: the character after "/": every path in the folder a sorts before "a" + _AFTER_SLASH
_PAST = chr(ord("/") + 1)
#: decompressed manifest blocks to cache, of 4,096 rows each (about 0.5 MB)
_BLOCKS = 256


class Child(NamedTuple):
    """An entry of a folder: a file (with its row) or a folder (row None)."""

    name: str
    row: Row | None


class Tree(Protocol):
    """Folders and files; paths use slashes without a leading one, "" is the root."""

    def find(self, path: str) -> Child | None:
        """The file or folder at ``path``, or None."""

    def children(self, folder: str) -> Iterator[Child]:
        """The direct entries of ``folder``, in the order of their names."""

    def following(self, path: str, count: int) -> list[Row]:
        """The next files after ``path`` in its folder; fewer or none if unknown."""


class ManifestTree:
    """The files of a manifest. If a path is both a file and a folder, the folder wins."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._firsts = manifest.firsts()
        self._kept: OrderedDict[int, list[bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, path: str) -> Child | None:
        """The file or folder at ``path``, or None."""
        name = path.rpartition("/")[2]
        inside = next(self._rows(f"{path}/" if path else ""), None)
        if not path or (inside is not None and inside.path.startswith(f"{path}/")):
            return Child(name, None)
        row = next(self._rows(path), None)
        return Child(name, row) if row is not None and row.path == path else None

    def children(self, folder: str) -> Iterator[Child]:
        """The direct entries of ``folder``; deeper files are skipped, not read."""
        prefix = f"{folder}/" if folder else ""
        rows, found = self._rows(prefix), dict[str, Row | None]()
        while (row := next(rows, None)) is not None and row.path.startswith(prefix):
            name, slash, _ = row.path[len(prefix) :].partition("/")
            found[name] = None if slash else row
            if slash:
                rows = self._rows(f"{prefix}{name}{_PAST}")
        yield from itertools.starmap(Child, found.items())

    def following(self, path: str, count: int) -> list[Row]:
        """The next files after ``path`` in its folder."""
        folder = path[: path.rfind("/") + 1]
        rows = itertools.islice(self._rows(path + "\0"), count)
        beside = itertools.takewhile(lambda row: row.path.startswith(folder), rows)
        return [row for row in beside if "/" not in row.path[len(folder) :]]

    def _rows(self, path: str) -> Iterator[Row]:
        """The rows in order, from the first whose path is not before ``path``."""
        first = max(0, bisect.bisect_right(self._firsts, path) - 1)
        for number in range(first, len(self._firsts)):
            lines = self._lines(number)
            start = bisect.bisect_left(lines, path, key=_path) if number == first else 0
            for line in lines[start:] if start else lines:
                yield Row(*json.loads(line))

    def _lines(self, number: int) -> list[bytes]:
        with self._lock:
            lines = self._kept.get(number)
            if lines is None:
                lines = self._kept[number] = self._manifest.lines(number)
                if len(self._kept) > _BLOCKS:
                    self._kept.popitem(last=False)
            else:
                self._kept.move_to_end(number)
            return lines


def _path(line: bytes) -> str:
    return str(json.loads(line)[0])
