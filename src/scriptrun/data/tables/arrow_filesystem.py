"""A dataset's files as a pyarrow file system: whole streams, and ranges for Parquet."""

from __future__ import annotations

import atexit
import io
import time
import weakref
from collections.abc import Iterator
from typing import Any

from scriptrun.data.cache.download import Incoming, steady
from scriptrun.data.errors import DatasetExecutionError
from scriptrun.data.stores.protocol import Entry, Store

#: seconds to wait for pyarrow's threads when the process exits
_LAST = 5.0


class Ranges(io.RawIOBase):
    """One file of a store, read by ranges on access."""

    def __init__(self, store: Store, entry: Entry) -> None:
        super().__init__()
        self._store, self._entry, self._at = store, entry, 0

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position; reads nothing."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._entry.size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """The position of the next read."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read ``size`` bytes, fewer only at the end."""
        end = self._entry.size if size < 0 else min(self._at + size, self._entry.size)
        data = self._store.read(self._entry.path, self._at, end, self._entry.etag)
        self._at += len(data)
        return data


class Stream(io.RawIOBase):
    """One file of a store, read sequentially."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces, self._left = pieces, b""

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` from the next piece; return 0 at the end."""
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = piece
        taken = self._left[: len(buffer)]
        buffer[: len(taken)] = taken
        self._left = self._left[len(taken) :]
        return len(taken)


class Handle:
    """The file object passed to pyarrow. Nothing else references it, not even a traceback."""

    closed = False

    def __init__(self, file: io.RawIOBase | io.BufferedReader) -> None:
        self.read, self.close = file.read, file.close
        self.seek, self.tell = file.seek, file.tell
        _held.add(self)


#: the files that pyarrow's threads may still have open
_held: weakref.WeakSet[Handle] = weakref.WeakSet()


@atexit.register
def _wait_for_threads() -> None:
    """Wait until pyarrow's threads have closed their files, possibly after the rows were returned.

    A thread that does so while the interpreter shuts down aborts the whole process
    (SIGABRT: "terminate called without an active exception").
    """
    until = time.monotonic() + _LAST
    while len(_held) and time.monotonic() < until:
        time.sleep(0.005)


def file_system(files: dict[str, Incoming]) -> Any:
    """A read-only pyarrow file system of ``files``, by their paths in the dataset."""
    from pyarrow import PythonFile, fs

    def refused(self: Any, *words: Any, **more: Any) -> Any:
        raise NotImplementedError("dataset files are read-only")

    def info(self: Any, paths: list[str]) -> list[Any]:
        sizes = [(path, files[path].entry.size if path in files else None) for path in paths]
        return [
            fs.FileInfo(path, fs.FileType.NotFound if size is None else fs.FileType.File, size=size)
            for path, size in sizes
        ]

    def open_file(self: Any, path: str) -> Any:
        each = files[path]
        return PythonFile(Handle(Ranges(each.store, _sized(each))), mode="r")

    def open_stream(self: Any, path: str) -> Any:
        each = files[path]
        pieces = steady(each.store, each.entry.path, each.entry.etag)
        return PythonFile(Handle(io.BufferedReader(Stream(pieces), 1 << 20)), mode="r")

    methods: dict[str, Any] = dict.fromkeys(fs.FileSystemHandler.__abstractmethods__, refused)
    methods |= {
        "get_type_name": lambda self: "scriptrun",
        "get_file_info": info,
        "normalize_path": lambda self, path: path,
        "open_input_file": open_file,
        "open_input_stream": open_stream,
    }
    return fs.PyFileSystem(type("Files", (fs.FileSystemHandler,), methods)())


def _sized(each: Incoming) -> Entry:
    """The entry with its size, which an HTTP server may not have listed."""
    entry = each.entry
    if entry.size >= 0:
        return entry
    found = each.store.stat(entry.path)
    if found is None or found.size < 0:
        raise DatasetExecutionError(
            f"The server does not report the size of {entry.path!r} in {each.store.name}, which "
            "is required to read it by ranges."
        )
    return found._replace(etag=entry.etag)
