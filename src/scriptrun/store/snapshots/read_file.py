"""Stores one file of a source; the stored bytes are those that were hashed."""

from __future__ import annotations

import os
import stat

from scriptrun.runtime import workdir
from scriptrun.store.snapshots import folder as snapshot_folder
from scriptrun.store.snapshots import symlinks
from scriptrun.store.snapshots.packs import LARGE, PackWriter
from scriptrun.store.snapshots.stat_cache import FileRecord

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


class Unreadable(Exception):
    """A file of the source cannot be read; the text says why."""


class Unusual(Exception):
    """Not a file, folder or link, but a socket, pipe or device."""


def take(packs: PackWriter, source: bytes, path: bytes, look: snapshot_folder.Look) -> FileRecord:
    """Store the file or link ``path`` of ``source``, which had the signature ``look``.

    Raises UnreadableFile, SpecialFile, FileNotFoundError if it is gone, and OSError if the store
    cannot be written.
    """
    if stat.S_ISLNK(look[0]):
        return _take_link(packs, source, path, look)
    if not stat.S_ISREG(look[0]):
        raise Unusual
    return _take_file(packs, source + b"/" + path, path, look)


def _take_link(
    packs: PackWriter, source: bytes, path: bytes, look: snapshot_folder.Look
) -> FileRecord:
    try:
        link = symlinks.read(source, path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(error.strerror) from None
    if isinstance(link, symlinks.Followed):
        return _take_file(packs, link.path, path, look)
    name = path.rpartition(b"/")[2]
    line = b"l %s\0%s\n" % (workdir.escape(name), workdir.escape(link.target))
    return name, look if snapshot_folder.trusted(look) else snapshot_folder.UNTRUSTED, line, b""


def _take_file(
    packs: PackWriter, whole: bytes, path: bytes, look: snapshot_folder.Look
) -> FileRecord:
    name = path.rpartition(b"/")[2]
    try:
        handle = os.open(whole, _FLAGS)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(error.strerror) from None
    try:
        digest, place, size = _keep(packs, handle, look[1])
        after = os.fstat(handle)
    finally:
        os.close(handle)
    if stat.S_ISLNK(look[0]):
        steady = snapshot_folder.mixed(after) == look[4]
    else:
        steady = snapshot_folder.look_at(after) == look
    if not (steady and snapshot_folder.trusted(look)):
        look = snapshot_folder.UNTRUSTED
    kind = b"x" if after.st_mode & stat.S_IXUSR else b"f"
    return name, look, b"%s %s %d %s\n" % (kind, digest, size, workdir.escape(name)), place + b"\n"


def _keep(packs: PackWriter, handle: int, expected: int) -> tuple[bytes, bytes, int]:
    begun = _read(handle, expected + 1 if expected < LARGE else LARGE)
    if len(begun) <= expected < LARGE:
        digest, place = packs.add(begun)
        return digest, place, len(begun)
    return packs.add_stream(lambda size: _read(handle, size), begun)


def _read(handle: int, size: int) -> bytes:
    """``size`` bytes, or fewer at the file's end."""
    try:
        data = os.read(handle, size)
        if len(data) >= size - 1 or not data:
            return data
        parts = [data]
        while data and size > len(data):
            size -= len(data)
            data = os.read(handle, size)
            parts.append(data)
        return b"".join(parts)
    except OSError as error:
        raise Unreadable(error.strerror) from None
