"""Content-addressed files: identical content is stored once, whatever its names."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from queue import SimpleQueue

from scriptrun.runtime.files import unique
from scriptrun.spec.errors import WorkspaceException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import FileIO

_BUFFER_SIZE, _BUFFER_COUNT = 1 << 20, 8
#: size in bytes from which the digest is computed in a second thread
_LARGE = 16 << 20
#: the ioctl that makes Linux share blocks (btrfs, XFS and others)
_FICLONE = 0x40049409


def put(root: Path, source: str | os.PathLike[str]) -> tuple[str, int]:
    """Store a copy of the file ``source`` below ``root``; returns its SHA-256 (hex) and size.

    The digest is computed while copying, so it matches the copy. Raises WorkspaceException if
    ``source`` cannot be read or the copy cannot be written.
    """
    temporary = root / f"{unique(12)}.tmp"
    try:
        root.mkdir(parents=True, exist_ok=True)
        try:
            digest, size = _copy(source, temporary)
            path = path_of(root, digest)
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                os.chmod(temporary, 0o444)
                os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise WorkspaceException(
            f"Cannot store {os.fspath(source)!r} in {root}: {error.strerror or error}."
        ) from None
    return digest, size


def path_of(root: Path, digest: str) -> Path:
    """The path of the content with this digest."""
    return root / digest[:2] / digest


def remove_unused(root: Path, used: set[str]) -> int:
    """Remove files whose digest is not in ``used``; returns how many."""
    removed = 0
    for path in root.glob("??/*"):
        if path.name not in used:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _copy(source: str | os.PathLike[str], target: Path) -> tuple[str, int]:
    with open(source, "rb", buffering=0) as reader, open(target, "xb", buffering=0) as writer:
        size = os.fstat(reader.fileno()).st_size
        if size >= _LARGE and _clone(writer.fileno(), reader.fileno()):
            with open(target, "rb") as copy:
                return hashlib.file_digest(copy, "sha256").hexdigest(), size
        return _copy_and_hash(reader, writer, threaded=size >= _LARGE)


def _copy_and_hash(reader: FileIO, writer: FileIO, threaded: bool) -> tuple[str, int]:
    """Copy and compute the digest; for large files in a second thread (``threaded``)."""
    hasher, size = hashlib.sha256(), 0
    buffers = [memoryview(bytearray(_BUFFER_SIZE)) for _ in range(_BUFFER_COUNT if threaded else 1)]
    filled: SimpleQueue[tuple[memoryview, int]] = SimpleQueue()
    free: SimpleQueue[memoryview] = SimpleQueue()
    for empty in buffers:
        free.put(empty)

    def digest(buffer: memoryview, length: int) -> None:
        hasher.update(buffer[:length])
        free.put(buffer)

    def hash_chunks() -> None:
        while (chunk := filled.get())[1]:
            digest(*chunk)

    thread = threading.Thread(target=hash_chunks) if threaded else None
    if thread is not None:
        thread.start()
    try:
        while length := reader.readinto(buffer := free.get()):
            if thread is not None:
                filled.put((buffer, length))
            _write(writer, buffer[:length])
            size += length
            if thread is None:
                digest(buffer, length)
    finally:
        if thread is not None:
            filled.put((buffers[0], 0))
            thread.join()
    return hasher.hexdigest(), size


def _clone(writer: int, reader: int) -> bool:
    """Clone the file without copying, if the file system supports it; True on success."""
    try:
        import fcntl

        fcntl.ioctl(writer, _FICLONE, reader)
        return True
    except (ImportError, OSError):
        return False


def _write(file: FileIO, data: memoryview) -> None:
    while data:
        data = data[file.write(data) :]
