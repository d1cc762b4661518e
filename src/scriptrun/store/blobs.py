"""Content-addressed files: identical content is stored once, whatever its names."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from queue import SimpleQueue

from scriptrun.runtime import disks, durability, files
from scriptrun.spec.errors import WorkspaceException
from scriptrun.store import trees

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import FileIO
    from typing import BinaryIO

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
    return put_all(root, [source])[0]


def put_all(root: Path, sources: Sequence[str | os.PathLike[str]]) -> list[tuple[str, int]]:
    """``put`` for many files, with one sync for all of them."""
    copies: list[tuple[Path, str, int]] = []
    source: str | os.PathLike[str] = root
    try:
        files.make_folders(root)
        try:
            for source in sources:
                temporary = root / f"{files.unique(12)}.tmp"
                copies.append((temporary, "", 0))
                with open(temporary, "xb", buffering=0) as writer:
                    copies[-1] = (temporary, *_copy(source, writer))
            _publish(root, copies)
        finally:
            for temporary, _, _ in copies:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise WorkspaceException(
            f"Cannot store {os.fspath(source)!r} in {root}: {disks.describe(error, root)}."
        ) from None
    return [(digest, size) for _, digest, size in copies]


def _publish(root: Path, copies: list[tuple[Path, str, int]]) -> None:
    """Give the copies their names, once their content is on the disk.

    A file under such a name that has other content, as a power cut may leave it, is replaced.
    """
    durability.sync_files(temporary for temporary, _, _ in copies)
    for temporary, digest, _ in copies:
        path = path_of(root, digest)
        if not is_whole(path, digest):
            path.parent.mkdir(exist_ok=True)
            os.chmod(temporary, 0o444)
            trees.replace(temporary, path)
    durability.sync_files([root, *{path_of(root, digest).parent for _, digest, _ in copies}])


def path_of(root: Path, digest: str) -> Path:
    """The path of the content with this digest."""
    return root / digest[:2] / digest


def is_whole(path: Path, digest: str) -> bool:
    """Whether ``path`` exists and its content has this digest."""
    try:
        with files.open_record(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
    except OSError:
        return False


def copy(root: Path, digest: str, writer: BinaryIO, what: str) -> None:
    """Copy the content with this digest into the open file ``writer``, and compare it on the way.

    Raises WorkspaceException, which names it ``what``, if it is missing or damaged.
    """
    path = path_of(root, digest)
    if not path.exists() or _copy(path, writer)[0] != digest:
        raise damaged_error(path, digest, what)


def damaged_error(path: Path, digest: str, what: str) -> WorkspaceException:
    """The error for content that is missing or does not have its digest."""
    problem = f"does not have the expected SHA-256 {digest}" if path.exists() else "is missing"
    return WorkspaceException(
        f"The content of {what} is damaged: {str(path)!r} {problem}.",
        "Register it again from its source, or restore that file from a backup.",
    )


def remove_unused(root: Path, used: set[str]) -> int:
    """Remove files whose digest is not in ``used``; returns how many."""
    removed = 0
    for path in root.glob("??/*"):
        if path.name not in used:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _copy(source: str | os.PathLike[str], writer: BinaryIO) -> tuple[str, int]:
    with open(source, "rb", buffering=0, opener=files.regular_opener) as reader:
        size = os.fstat(reader.fileno()).st_size
        if size >= _LARGE and _clone(writer.fileno(), reader.fileno()):
            return hashlib.file_digest(reader, "sha256").hexdigest(), size
        return _copy_and_hash(reader, writer, threaded=size >= _LARGE)


def _copy_and_hash(reader: FileIO, writer: BinaryIO, threaded: bool) -> tuple[str, int]:
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


def _write(file: BinaryIO, data: memoryview) -> None:
    while data:
        data = data[file.write(data) :]
