"""The files of a store that make up one snapshot, to send it to another store."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

from scriptrun.runtime import foreign_names, workdir
from scriptrun.spec.errors import SnapshotException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO


def parts(store: Path, digest: str) -> list[str]:
    """The files below ``store`` that hold the snapshot, its manifest last."""
    paths: dict[str, None] = {}
    for kind, _, size, value, location in workdir.entries(store, digest):
        if kind not in "fx":
            continue
        if location is not None:
            path = workdir.pack_path(store, location[0])
            paths[path] = None
            paths[path.removesuffix(".pack") + ".index"] = None
        elif size:
            paths[workdir.object_path(store, value)] = None
    manifest = workdir.manifest_path(store, digest)
    paths[manifest + ".places"] = paths[manifest] = None
    return [os.path.relpath(path, store) for path in paths]


def missing(store: Path, names: list[str]) -> list[str]:
    """Those of ``names`` that the store does not hold, or holds as empty files."""
    return [name for name in names if not _has_content(store / name)]


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def members(stream: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    """The files of a tar from elsewhere, in order, each to be read before the next.

    Folders are skipped: they are created for their files. Raises SnapshotException for links,
    devices, sparse files and other members that no part of scriptrun sends, and for a damaged tar.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                if member.isdir():
                    continue
                handle = tar.extractfile(member) if member.type in _FILE_TYPES else None
                if handle is None:
                    raise SnapshotException(
                        f"The archive contains {member.name[:200]!r}, which is not a plain file.",
                        "Links, devices and sparse files are not extracted.",
                    )
                yield member.name, handle
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise SnapshotException(f"The archive is damaged: {error}.") from None


#: plain files, as tar has named them over the years; not sparse ones, whose size costs nothing
_FILE_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE)


def store_part(store: Path, name: str, source: IO[bytes]) -> None:
    """Store a part under its name, atomically. Raises ForeignNameRefused for an invalid name."""

    def fill(handle: IO[bytes]) -> None:
        while data := source.read(1 << 20):
            handle.write(data)

    foreign_names.write(store, name, fill, "The archive")


def pack(stream: IO[bytes], base: Path, names: list[str], prefix: str = "") -> None:
    """Write the files ``names`` below ``base`` to ``stream`` as a tar, under ``prefix``."""
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for name in names:
            tar.add(base / name, prefix + name, recursive=False)
