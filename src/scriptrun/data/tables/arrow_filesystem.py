"""A dataset's files as a pyarrow file system: whole streams, and ranges for Parquet."""

from __future__ import annotations

import atexit
import io
import time
import weakref
from collections.abc import Iterator

from scriptrun.data.cache.download import RemoteFile, resuming_pieces
from scriptrun.data.errors import DatasetExecutionError
from scriptrun.data.stores.protocol import FileEntry, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from _typeshed import WriteableBuffer
    from pyarrow import PythonFile, fs

#: seconds to wait for pyarrow's threads when the process exits
_EXIT_TIMEOUT = 5.0


class RangeFile(io.RawIOBase):
    """One file of a store, read by ranges on access."""

    def __init__(self, store: Store, entry: FileEntry) -> None:
        super().__init__()
        self._store, self._entry, self._position = store, entry, 0

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position; reads nothing."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._entry.size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """The position of the next read."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read ``size`` bytes, fewer only at the end."""
        end = self._entry.size if size < 0 else min(self._position + size, self._entry.size)
        data = self._store.read(self._entry.path, self._position, end, self._entry.etag)
        self._position += len(data)
        return data


class PieceStream(io.RawIOBase):
    """One file of a store, read sequentially."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill ``buffer`` from the next piece; return 0 at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        target = memoryview(buffer)
        chunk = self._rest[: len(target)]
        target[: len(chunk)] = chunk
        self._rest = self._rest[len(chunk) :]
        return len(chunk)


class Handle:
    """The file object passed to pyarrow. Nothing else references it, not even a traceback."""

    closed = False

    def __init__(self, file: io.RawIOBase | io.BufferedReader) -> None:
        self.read, self.close = file.read, file.close
        self.seek, self.tell = file.seek, file.tell
        _open_handles.add(self)


#: the files that pyarrow's threads may still have open
_open_handles: weakref.WeakSet[Handle] = weakref.WeakSet()


@atexit.register
def _wait_for_threads() -> None:
    """Wait until pyarrow's threads have closed their files, possibly after the rows were returned.

    A thread that does so while the interpreter shuts down aborts the whole process
    (SIGABRT: "terminate called without an active exception").
    """
    deadline = time.monotonic() + _EXIT_TIMEOUT
    while len(_open_handles) and time.monotonic() < deadline:
        time.sleep(0.005)


def file_system(files: dict[str, RemoteFile]) -> fs.PyFileSystem:
    """A read-only pyarrow file system of ``files``, by their paths in the dataset."""
    from pyarrow import PythonFile, fs

    def reject(self: object, *args: object, **kwargs: object) -> NoReturn:
        raise NotImplementedError("dataset files are read-only")

    def info(self: object, paths: list[str]) -> list[fs.FileInfo]:
        sizes = [(path, files[path].entry.size if path in files else None) for path in paths]
        return [
            fs.FileInfo(path, fs.FileType.NotFound if size is None else fs.FileType.File, size=size)
            for path, size in sizes
        ]

    def open_file(self: object, path: str) -> PythonFile:
        file = files[path]
        return PythonFile(Handle(RangeFile(file.store, _entry_with_size(file))), mode="r")

    def open_stream(self: object, path: str) -> PythonFile:
        file = files[path]
        pieces = resuming_pieces(file.store, file.entry.path, file.entry.etag)
        return PythonFile(Handle(io.BufferedReader(PieceStream(pieces), 1 << 20)), mode="r")

    methods: dict[str, object] = dict.fromkeys(fs.FileSystemHandler.__abstractmethods__, reject)
    methods |= {
        "get_type_name": lambda self: "scriptrun",
        "get_file_info": info,
        "normalize_path": lambda self, path: path,
        "open_input_file": open_file,
        "open_input_stream": open_stream,
    }
    return fs.PyFileSystem(type("Files", (fs.FileSystemHandler,), methods)())


def _entry_with_size(file: RemoteFile) -> FileEntry:
    """The entry with its size, which an HTTP server may not have listed."""
    entry = file.entry
    if entry.size >= 0:
        return entry
    current = file.store.stat(entry.path)
    if current is None or current.size < 0:
        raise DatasetExecutionError(
            f"The server does not report the size of {entry.path!r} in {file.store.name}, which "
            "is required to read it by ranges.",
            "Download the files first.",
        )
    return current._replace(etag=entry.etag)
