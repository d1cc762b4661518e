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


class UnreadableFile(Exception):
    """A file of the source cannot be read; the text says why."""


class SpecialFile(Exception):
    """Not a file, folder or link, but a socket, pipe or device."""


def store_file(
    packs: PackWriter, source: bytes, path: bytes, signature: snapshot_folder.StatSignature
) -> FileRecord:
    """Store the file or link ``path`` of ``source``, which had the signature ``signature``.

    Raises UnreadableFile, SpecialFile, FileNotFoundError if it is gone, and OSError if the store
    cannot be written.
    """
    if stat.S_ISLNK(signature[0]):
        return _store_link(packs, source, path, signature)
    if not stat.S_ISREG(signature[0]):
        raise SpecialFile
    return _store_regular_file(packs, source + b"/" + path, path, signature)


def _store_link(
    packs: PackWriter, source: bytes, path: bytes, signature: snapshot_folder.StatSignature
) -> FileRecord:
    try:
        link = symlinks.read(source, path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableFile(error.strerror) from None
    if isinstance(link, symlinks.Followed):
        return _store_regular_file(packs, link.path, path, signature)
    name = path.rpartition(b"/")[2]
    line = b"l %s\0%s\n" % (workdir.escape(name), workdir.escape(link.target))
    return (
        name,
        signature if snapshot_folder.is_settled(signature) else snapshot_folder.UNTRUSTED,
        line,
        b"",
    )


def _store_regular_file(
    packs: PackWriter, full_path: bytes, path: bytes, signature: snapshot_folder.StatSignature
) -> FileRecord:
    name = path.rpartition(b"/")[2]
    try:
        handle = os.open(full_path, _FLAGS)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableFile(error.strerror) from None
    try:
        digest, location, size = _store_content(packs, handle, signature[1])
        after = os.fstat(handle)
    finally:
        os.close(handle)
    if stat.S_ISLNK(signature[0]):
        unchanged = snapshot_folder.target_hash(after) == signature[4]
    else:
        unchanged = snapshot_folder.signature_of(after) == signature
    if not (unchanged and snapshot_folder.is_settled(signature)):
        signature = snapshot_folder.UNTRUSTED
    kind = b"x" if after.st_mode & stat.S_IXUSR else b"f"
    return (
        name,
        signature,
        b"%s %s %d %s\n" % (kind, digest, size, workdir.escape(name)),
        location + b"\n",
    )


def _store_content(packs: PackWriter, handle: int, expected: int) -> tuple[bytes, bytes, int]:
    first_chunk = _read(handle, expected + 1 if expected < LARGE else LARGE)
    if len(first_chunk) <= expected < LARGE:
        digest, location = packs.add(first_chunk)
        return digest, location, len(first_chunk)
    return packs.add_stream(lambda size: _read(handle, size), first_chunk)


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
        raise UnreadableFile(error.strerror) from None
