"""The files of a store that make up one snapshot, to send it to another store."""

from __future__ import annotations

import hashlib
import os
import struct
import tarfile
from pathlib import Path

from scriptrun.runtime import files, foreign_names, workdir
from scriptrun.spec.digests import digest_of
from scriptrun.spec.errors import SnapshotException
from scriptrun.store import paths
from scriptrun.store.file_stamp import stamp_of
from scriptrun.store.snapshots import stamps, unchanged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from scriptrun.store.file_stamp import Stamp

_ENTRY = struct.Struct(">32sQ")


def parts(store: Path, digest: str) -> list[str]:
    """The files below ``store`` that hold the snapshot, its manifest last."""
    found: dict[str, None] = {}
    for kind, _, size, value, location in workdir.entries(store, digest):
        if kind not in "fx":
            continue
        if location is not None:
            path = workdir.pack_path(store, location[0])
            found[path] = None
            found[path.removesuffix(".pack") + ".index"] = None
        elif size:
            found[workdir.object_path(store, value)] = None
    manifest = workdir.manifest_path(store, digest)
    found[manifest + ".places"] = found[manifest] = None
    return [os.path.relpath(path, store) for path in found]


def missing(store: Path, names: list[str]) -> list[str]:
    """Those of ``names`` that the store does not hold, or holds damaged.

    All content is compared with its digest, once while its file looks the same. What is not missing
    is marked as used now.
    """
    note_path = paths.cache_root() / "stat" / f"{digest_of(str(store))[:32]}.parts"
    noted = files.read_json(str(note_path))
    known = noted if isinstance(noted, dict) else {}
    whole: dict[str, Stamp] = {}
    for name in names:
        try:
            unchanged.mark_used(str(store / name))
            stamp = stamp_of(store / name)
            if known.get(name) == stamp or _is_whole(store, store / name):
                whole[name] = stamp
        except OSError:
            continue
    try:
        note_path.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(str(note_path), files.to_json(whole), durable=False)
    except OSError:
        pass  # a note for speed only
    return [name for name in names if name not in whole]


def _is_whole(store: Path, path: Path) -> bool:
    if path.suffix == ".places":
        manifest = path.with_suffix("")
        return stamps.are_places_whole(store, str(manifest), str(path), manifest.name)
    if path.suffix == ".index":
        return _is_pack_whole(path.with_suffix(".pack"), path)
    if path.suffix == ".pack":
        return _is_pack_whole(path, path.with_suffix(".index"))
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == path.name


def _is_pack_whole(pack: Path, index: Path) -> bool:
    """Whether the pack holds what its index says, up to its end."""
    data = index.read_bytes()
    if not data or len(data) % _ENTRY.size:
        return False
    entries = list(_ENTRY.iter_unpack(data))
    ends = [offset for _, offset in entries[1:]] + [pack.stat().st_size]
    with open(pack, "rb") as file:
        position = 0
        for (digest, offset), end in zip(entries, ends, strict=True):
            if offset != position or end < offset:
                return False
            content = file.read(end - offset)
            if hashlib.sha256(content).digest() != digest:
                return False
            position = end
    return True


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
