"""Extract a snapshot as a job's working directory (Python 3.8+, standard library only).

Files are copied, or cloned if the file system can, and never hard-linked, as a script may append to
its files. docs/explanation/formats.md documents the formats.
"""

import errno
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO, Optional, Tuple

    from scriptrun.runtime.hints import StrPath

    #: the fourth value: a link's target in bytes, a file's digest as text, None for a folder
    Entry = Tuple[str, bytes, int, Any, Optional[Tuple[str, int]]]

MANIFEST_HEAD = b"scriptrun snapshot 1\n"
PLACES_HEAD = b"scriptrun places 1\n"
_FICLONE = 0x40049409
_CHUNK = 1 << 20
_FATAL_ERRNOS = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EIO)


class SnapshotDamaged(Exception):
    """The snapshot, or part of it, is missing or damaged."""


def manifest_path(store: "StrPath", digest: str) -> str:
    """The path of the manifest of snapshot ``digest``."""
    return os.path.join(str(store), "manifests", digest[:2], digest)


def object_path(store: "StrPath", digest: str) -> str:
    """The path of a large file that is stored by itself, named by its digest."""
    return os.path.join(str(store), "objects", digest[:2], digest)


def pack_path(store: "StrPath", pack: str) -> str:
    """The path of ``pack``, which holds many small files one after the other."""
    return os.path.join(str(store), "packs", pack + ".pack")


def entries(store: "StrPath", digest: str) -> "Iterator[Entry]":
    """The entries of a snapshot, in order, as ``(kind, path, size, digest, location)``.

    ``kind`` is "d" (folder), "f" (file), "x" (executable file) or "l" (symbolic link, whose target
    is the fourth value). ``path`` and a link's target are bytes. ``location`` is
    ``(pack, offset)``, or None for a file that is empty or stored by itself. Raises
    SnapshotDamaged.
    """
    manifest = manifest_path(store, digest)
    try:
        with open(manifest, "rb") as lines, open(manifest + ".places", "rb") as places:
            if lines.readline() != MANIFEST_HEAD or places.readline() != PLACES_HEAD:
                raise SnapshotDamaged("{} was written by a newer scriptrun.".format(manifest))
            for entry in _entries(lines, places):
                yield entry
    except FileNotFoundError as error:
        raise SnapshotDamaged(
            "Snapshot {} is missing from {} ({} not found).".format(
                digest, store, os.path.basename(str(error.filename))
            )
        ) from None
    except ValueError:
        raise SnapshotDamaged("{} is damaged.".format(manifest)) from None


def _entries(lines: "BinaryIO", places: "BinaryIO") -> "Iterator[Entry]":
    folder = b""
    for line in lines:
        kind, rest = line[:1], line[2:-1]
        if kind == b"d":
            path = unescape(rest)
            folder = path + b"/"
            yield "d", path, 0, None, None
        elif kind == b"l":
            name, target = rest.split(b"\0")
            yield "l", folder + unescape(name), 0, unescape(target), None
        else:
            digest, size, name = rest.split(b" ", 2)
            pack, _, offset = places.readline()[:-1].partition(b" ")
            if not pack:
                raise ValueError("fewer places than files")
            location = None if pack == b"-" else (pack.decode(), int(offset))
            yield kind.decode(), folder + unescape(name), int(size), digest.decode(), location


def escape(name: bytes) -> bytes:
    """``name`` as written in a manifest, without newlines."""
    if b"\n" in name or b"\\" in name:
        return name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
    return name


def unescape(name: bytes) -> bytes:
    """The inverse of ``escape``."""
    if b"\\" not in name:
        return name
    parts = [part.replace(b"\\n", b"\n") for part in name.split(b"\\\\")]
    return b"\\".join(parts)


def materialise(store: "StrPath", digest: str, destination: "StrPath") -> None:
    """Extract the snapshot ``digest`` of ``store`` to the folder ``destination``, which is created.

    Executable bits, symbolic links, empty folders and arbitrary names are preserved; none of the
    files may exist yet. Raises SnapshotDamaged, or OSError if the destination is not writable.
    """
    root = os.fsencode(str(destination))
    os.makedirs(root, exist_ok=True)
    copier = _Copier(store)
    try:
        for kind, path, size, value, location in entries(store, digest):
            target = root + b"/" + path
            if kind == "d":
                os.mkdir(target)
            elif kind == "l":
                os.symlink(value, target)
            else:
                copier.copy(target, 0o755 if kind == "x" else 0o644, size, value, location)
    finally:
        copier.close()


class _Copier:
    def __init__(self, store: "StrPath") -> None:
        self._store = store
        self._packs: "dict[str, int]" = {}
        self._can_clone = sys.platform.startswith("linux")

    def copy(
        self, target: bytes, mode: int, size: int, digest: str, location: "tuple[str, int] | None"
    ) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        handle = os.open(target, flags, mode)
        try:
            if size and location is None:
                self._copy_object(handle, size, digest)
            elif size and location is not None:
                self._copy_packed(handle, size, *location)
        finally:
            os.close(handle)

    def _copy_packed(self, handle: int, size: int, pack: str, offset: int) -> None:
        source = self._pack(pack)
        while size:
            data = _read_at(source, min(size, _CHUNK), offset)
            if not data:
                raise SnapshotDamaged("Pack {} in {} is truncated.".format(pack, self._store))
            _write(handle, data)
            size -= len(data)
            offset += len(data)

    def _copy_object(self, handle: int, size: int, digest: str) -> None:
        path = object_path(self._store, digest)
        source = self._open(path)
        try:
            if self._can_clone and _try_clone(handle, source):
                return
            self._can_clone = False
            copied = _copy_by_kernel(handle, source, size)
            while copied < size:
                data = os.read(source, _CHUNK)
                if not data:
                    raise SnapshotDamaged("{} is truncated.".format(path))
                _write(handle, data)
                copied += len(data)
        finally:
            os.close(source)

    def _pack(self, pack: str) -> int:
        if pack not in self._packs:
            if len(self._packs) >= 64:
                self.close()
            self._packs[pack] = self._open(pack_path(self._store, pack))
        return self._packs[pack]

    def _open(self, path: str) -> int:
        flags: int = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            raise SnapshotDamaged("{} is missing.".format(path)) from None

    def close(self) -> None:
        for handle in self._packs.values():
            os.close(handle)
        self._packs.clear()


def _read_at(handle: int, size: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(handle, size, offset)
    os.lseek(handle, offset, os.SEEK_SET)
    return os.read(handle, size)


def _write(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _try_clone(handle: int, source: int) -> bool:
    """Clone ``source`` to ``handle``; False if the file system cannot."""
    try:
        import fcntl

        fcntl.ioctl(handle, _FICLONE, source)
        return True
    except (ImportError, OSError):
        return False


def _copy_by_kernel(handle: int, source: int, size: int) -> int:
    """Copy ``source`` to ``handle`` in the kernel; return the bytes copied, 0 if unsupported."""
    copied = 0
    if hasattr(os, "copy_file_range"):
        try:
            while copied < size:
                step = os.copy_file_range(source, handle, min(size - copied, 1 << 30))
                if not step:
                    break
                copied += step
        except OSError as error:
            if copied or error.errno in _FATAL_ERRNOS:
                raise
    return copied
