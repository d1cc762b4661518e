"""The files of a store that make up one snapshot, to send it to another store."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

from scriptrun.runtime import files, workdir

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    """Those of ``names`` that the store does not hold."""
    return [name for name in names if not os.path.exists(store / name)]


def store_part(store: Path, name: str, source: IO[bytes]) -> None:
    """Store a part under its name, atomically. Raises ValueError for an invalid name."""
    destination = os.path.normpath(store / name)
    if not destination.startswith(os.path.join(store, "")):
        raise ValueError(f"{name!r} is not part of a snapshot")
    os.makedirs(os.path.dirname(destination), exist_ok=True)
    temporary = f"{destination}.{files.unique()}.tmp"
    with open(temporary, "wb") as handle:
        while data := source.read(1 << 20):
            handle.write(data)
    os.replace(temporary, destination)


def pack(stream: IO[bytes], base: Path, names: list[str], prefix: str = "") -> None:
    """Write the files ``names`` below ``base`` to ``stream`` as a tar, under ``prefix``."""
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for name in names:
            tar.add(base / name, prefix + name, recursive=False)
