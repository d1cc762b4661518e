"""Files kept by their content: the same bytes are kept once, however many names they have."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from scriptrun.runtime.files import unique
from scriptrun.spec.errors import WorkspaceException

_PIECE = 4 << 20


def put(root: Path, source: str | os.PathLike[str]) -> tuple[str, int]:
    """Keep a copy of the file ``source`` below ``root``: its SHA-256 (hexadecimal) and its bytes.

    The digest is taken of the bytes as they are copied, so it is that of what is kept. Raises
    WorkspaceException where ``source`` cannot be read or the copy not be written.
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
            f"{os.fspath(source)} cannot be kept in {root}: {error.strerror or error}."
        ) from None
    return digest, size


def path_of(root: Path, digest: str) -> Path:
    """Where the content with this digest lies, or would lie."""
    return root / digest[:2] / digest


def remove_unused(root: Path, used: set[str]) -> int:
    """Remove what has no digest of ``used``; how many files went."""
    gone = 0
    for place in root.glob("??/*"):
        if place.name not in used:
            place.unlink(missing_ok=True)
            gone += 1
    return gone


def _copy(source: str | os.PathLike[str], target: Path) -> tuple[str, int]:
    taken, size = hashlib.sha256(), 0
    piece = memoryview(bytearray(_PIECE))
    with open(source, "rb", buffering=0) as come, open(target, "xb", buffering=0) as go:
        while length := come.readinto(piece):
            taken.update(piece[:length])
            _write(go, piece[:length])
            size += length
    return taken.hexdigest(), size


def _write(file: object, data: memoryview) -> None:
    while data:
        data = data[file.write(data) :]  # type: ignore[attr-defined]
