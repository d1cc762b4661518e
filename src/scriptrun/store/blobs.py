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
    from typing import Any

_PIECE, _BUFFERS = 1 << 20, 8
#: size in bytes from which the digest is computed in a second thread
_LARGE = 16 << 20
#: the ioctl that makes Linux share blocks (btrfs, XFS and others)
_FICLONE = 0x40049409


def put(root: Path, source: str | os.PathLike[str]) -> tuple[str, int]:
    """Store a copy of the file ``source`` below ``root``; returns its SHA-256 (hex) and size.

    The digest is computed while copying, so it matches the copy. Raises WorkspaceException if
    ``source`` cannot be read or the copy cannot be written.
    """
    part = root / f"{unique(12)}.tmp"
    try:
        root.mkdir(parents=True, exist_ok=True)
        try:
            digest, size = _copy(source, part)
            place = path_of(root, digest)
            if not place.exists():
                place.parent.mkdir(exist_ok=True)
                os.chmod(part, 0o444)
                os.replace(part, place)
        finally:
            part.unlink(missing_ok=True)
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
    gone = 0
    for place in root.glob("??/*"):
        if place.name not in used:
            place.unlink(missing_ok=True)
            gone += 1
    return gone


def _copy(source: str | os.PathLike[str], target: Path) -> tuple[str, int]:
    with open(source, "rb", buffering=0) as come, open(target, "xb", buffering=0) as go:
        size = os.fstat(come.fileno()).st_size
        if size >= _LARGE and _shared(go.fileno(), come.fileno()):
            with open(target, "rb") as kept:
                return hashlib.file_digest(kept, "sha256").hexdigest(), size
        return _copied(come, go, beside=size >= _LARGE)


def _copied(come: Any, go: Any, beside: bool) -> tuple[str, int]:
    """Copy and compute the digest; for large files in a second thread (``beside``)."""
    taken, size = hashlib.sha256(), 0
    buffers = [memoryview(bytearray(_PIECE)) for _ in range(_BUFFERS if beside else 1)]
    full: SimpleQueue[tuple[memoryview, int]] = SimpleQueue()
    free: SimpleQueue[memoryview] = SimpleQueue()
    for each in buffers:
        free.put(each)

    def digest(buffer: memoryview, length: int) -> None:
        taken.update(buffer[:length])
        free.put(buffer)

    def work() -> None:
        while (found := full.get())[1]:
            digest(*found)

    thread = threading.Thread(target=work) if beside else None
    if thread is not None:
        thread.start()
    try:
        while length := come.readinto(buffer := free.get()):
            if thread is not None:
                full.put((buffer, length))
            _write(go, buffer[:length])
            size += length
            if thread is None:
                digest(buffer, length)
    finally:
        if thread is not None:
            full.put((buffers[0], 0))
            thread.join()
    return taken.hexdigest(), size


def _shared(go: int, come: int) -> bool:
    """Clone the file without copying, if the file system supports it; True on success."""
    try:
        import fcntl

        fcntl.ioctl(go, _FICLONE, come)
        return True
    except (ImportError, OSError):
        return False


def _write(file: object, data: memoryview) -> None:
    while data:
        data = data[file.write(data) :]  # type: ignore[attr-defined]
