"""Extract a snapshot as a job's working directory (Python 3.8+, standard library only).

Files are copied, or cloned if the file system can, and never hard-linked, as a script may append to
its files. All content is compared with its digest as it is read. docs/explanation/formats.md
documents the formats.
"""

import errno
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import hashlib
    from collections.abc import Iterator
    from hashlib import sha256 as _small_sha256
    from typing import Any, BinaryIO, Optional, Tuple

    from scriptrun.runtime.hints import StrPath

    #: the fourth value: a link's target in bytes, a file's digest as text, None for a folder
    Entry = Tuple[str, bytes, int, Any, Optional[Tuple[str, int]]]
else:
    try:  # without OpenSSL, which takes 2 ms to load
        from _sha256 import sha256 as _small_sha256
    except ImportError:
        try:
            from _sha2 import sha256 as _small_sha256
        except ImportError:
            from hashlib import sha256 as _small_sha256

MANIFEST_HEAD = b"scriptrun snapshot 1\n"
PLACES_HEAD = b"scriptrun places 1\n"
_FICLONE = 0x40049409
_CHUNK = 1 << 20
_SMALL = 1 << 19
"""Up to so many bytes, OpenSSL's SHA-256, five times as fast, does not make up for its loading."""
_INDEX_ENTRY = 40
"""Bytes of an entry of a pack's index: a SHA-256 and an offset (big endian)."""
_FATAL_ERRNOS = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EIO)


class SnapshotDamaged(Exception):
    """The snapshot, or part of it, is missing or damaged. ``digest`` is that of the lost file."""

    def __init__(self, message: str, digest: str = "") -> None:
        super().__init__(message)
        self.digest = digest


REPAIR = "Submit the source directory again, or restore that file from a backup."
"""What to do about a damaged snapshot."""


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
    SnapshotDamaged, for a manifest that differs from its digest before the first entry.
    """
    manifest = manifest_path(store, digest)
    return entries_of(manifest, manifest + ".places", digest)


def entries_of(manifest: str, places_path: str, digest: str) -> "Iterator[Entry]":
    """The entries of the snapshot with these two files; as ``entries``."""
    try:
        with open(manifest, "rb", opener=_regular_opener) as lines:
            check_manifest(lines, digest)
            with open(places_path, "rb", opener=_regular_opener) as places:
                if lines.readline() != MANIFEST_HEAD or places.readline() != PLACES_HEAD:
                    raise ValueError("unknown format")
                for entry in _entries(lines, places):
                    yield entry
    except FileNotFoundError as error:
        raise SnapshotDamaged(
            "Snapshot {} is missing from the workspace: {} not found.".format(
                digest, str(error.filename)
            )
        ) from None
    except ValueError:
        raise SnapshotDamaged(
            "{} is damaged: it does not say where the files of snapshot {} are. {}".format(
                places_path, digest, REPAIR
            )
        ) from None


def check_manifest(lines: "BinaryIO", digest: str) -> None:
    """Raise SnapshotDamaged unless the open manifest has its digest; go back to its beginning."""
    hasher = new_sha256(os.fstat(lines.fileno()).st_size)
    head = data = lines.read(_CHUNK)
    while data:
        hasher.update(data)
        data = lines.read(_CHUNK)
    if hasher.hexdigest() == digest:
        lines.seek(0)
        return
    newer = head.startswith(b"scriptrun snapshot ") and not head.startswith(MANIFEST_HEAD)
    note = " It may have been written by a newer scriptrun." if newer else ""
    raise SnapshotDamaged(
        "{} is damaged: its SHA-256 is {}, expected {}.{} {}".format(
            lines.name, hasher.hexdigest(), digest, note, REPAIR
        )
    )


def new_sha256(size: int, data: bytes = b"") -> "hashlib._Hash":
    """A SHA-256 hasher that has seen ``data``: the faster one for ``size`` bytes in all."""
    if size <= _SMALL:
        return _small_sha256(data)
    import hashlib

    return hashlib.sha256(data)


def _entries(lines: "BinaryIO", places: "BinaryIO") -> "Iterator[Entry]":
    folder = b""
    folders = {b""}
    for line in lines:
        kind, rest = line[:1], line[2:-1]
        if kind == b"d":
            path = unescape(rest)
            parent, _, name = path.rpartition(b"/")
            if parent not in folders:
                raise ValueError("a folder that is not in the snapshot, but outside or a link")
            _check_name(name)
            folders.add(path)
            folder = path + b"/"
            yield "d", path, 0, None, None
        elif kind == b"l":
            name, target = rest.split(b"\0")
            yield "l", folder + _check_name(unescape(name)), 0, unescape(target), None
        else:
            digest, size, name = rest.split(b" ", 2)
            pack, _, offset = places.readline()[:-1].partition(b" ")
            if not pack:
                raise ValueError("fewer places than files")
            location = None if pack == b"-" else (pack.decode("ascii"), int(offset))
            if location is not None and not (pack.isalnum() and 0 <= location[1] < 1 << 62):
                raise ValueError("no place in a pack")
            if not digest.isalnum():
                raise ValueError("a digest that leads out of the store")
            name = _check_name(unescape(name))
            yield kind.decode(), folder + name, int(size), digest.decode(), location


def _check_name(name: bytes) -> bytes:
    """``name``, which names an entry of its own folder; raises ValueError for any other."""
    if b"/" in name or b"\0" in name or name in (b"", b".", b".."):
        raise ValueError("a name that leads out of its folder")
    if os.name == "nt" and (b"\\" in name or b":" in name):
        raise ValueError("a name that leads out of its folder")
    return name


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
    files may exist yet. Raises SnapshotDamaged, also for content that differs from its digest, or
    OSError if the destination is not writable.
    """
    root = os.fsencode(str(destination))
    os.makedirs(root, exist_ok=True)
    reader = ContentReader(store)
    try:
        for kind, path, size, value, location in entries(store, digest):
            target = root + b"/" + path
            if kind == "d":
                os.mkdir(target)
            elif kind == "l":
                os.symlink(value, target)
            else:
                _extract(reader, target, kind, size, value, location)
    finally:
        reader.close()


def _extract(
    reader: "ContentReader",
    target: bytes,
    kind: str,
    size: int,
    digest: str,
    location: "tuple[str, int] | None",
) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(target, flags, 0o755 if kind == "x" else 0o644)
    try:
        if size and location is None:
            reader.copy_object(handle, size, digest)
        elif size:
            for data in reader.chunks(size, digest, location):
                _write(handle, data)
    except SnapshotDamaged:
        os.unlink(target)
        raise
    finally:
        os.close(handle)


class ContentReader:
    """Reads the contents of a store's files, each compared with its digest."""

    def __init__(self, store: "StrPath") -> None:
        self._store = store
        self._packs: "dict[str, int]" = {}
        self._can_clone = sys.platform.startswith("linux")
        self._hashed = 0

    def chunks(
        self, size: int, digest: str, location: "tuple[str, int] | None"
    ) -> "Iterator[bytes]":
        """The content of a file of ``size`` bytes, as ``entries`` describes it.

        Small content, all that is in packs, is one chunk and is compared before it is returned. If
        its pack is damaged, any other pack that has it is read. Raises SnapshotDamaged.
        """
        if not size:
            return
        if location is not None and size <= _CHUNK:
            yield self._packed(size, digest, location)
            return
        path = pack_path(self._store, location[0]) if location else object_path(self._store, digest)
        offset, hasher, left = location[1] if location else 0, self._hasher(size), size
        source = self._open(path, digest)
        try:
            if location is None and os.fstat(source).st_size != size:
                left = 0  # truncated or appended to: not one byte of it is right for sure
            while left:
                data = _read_at(source, min(left, _CHUNK), offset)
                if not data:
                    break
                hasher.update(data)
                yield data
                left, offset = left - len(data), offset + len(data)
        finally:
            os.close(source)
        if hasher.hexdigest() != digest:
            raise self._damage(path, size, digest)

    def is_whole(self, size: int, digest: str, location: "tuple[str, int] | None") -> bool:
        """Whether the content at ``location`` itself has its digest."""
        if size and location is not None and size <= _CHUNK:
            return self._read_packed(size, digest, location) is not None
        try:
            for _ in self.chunks(size, digest, location):
                pass
        except SnapshotDamaged:
            return False
        return True

    def _packed(self, size: int, digest: str, location: "tuple[str, int]") -> bytes:
        data = self._read_packed(size, digest, location)
        if data is not None:
            return data
        for other in _places_of(self._store, digest):
            if other != location:
                data = self._read_packed(size, digest, other)
                if data is not None:
                    return data
        raise self._damage(pack_path(self._store, location[0]), size, digest, location[1])

    def _read_packed(self, size: int, digest: str, location: "tuple[str, int]") -> "bytes | None":
        """The content at ``location``, or None if it is not what its digest says."""
        pack, offset = location
        if pack not in self._packs:
            if len(self._packs) >= 64:
                self.close()
            try:
                self._packs[pack] = self._open(pack_path(self._store, pack), digest)
            except SnapshotDamaged:
                return None
        data = _read_at(self._packs[pack], size, offset)
        return data if self._hasher(size, data).hexdigest() == digest else None

    def copy_object(self, handle: int, size: int, digest: str) -> None:
        """Copy a file that is stored by itself to ``handle``; it is hashed at the same time."""
        import threading  # loaded only for large files

        path = object_path(self._store, digest)
        source = self._open(path, digest)
        hasher = self._hasher(size)
        failures: "list[OSError]" = []
        thread = threading.Thread(target=_hash_file, args=(path, hasher, failures))
        try:
            if os.fstat(source).st_size != size:
                raise self._damage(path, size, digest)
            thread.start()
            try:
                self._copy(handle, source, size)
            finally:
                thread.join()
        finally:
            os.close(source)
        if failures:
            raise failures[0]
        if hasher.hexdigest() != digest:
            raise self._damage(path, size, digest)

    def _copy(self, handle: int, source: int, size: int) -> None:
        if self._can_clone and _try_clone(handle, source):
            return
        self._can_clone = False
        copied = _copy_by_kernel(handle, source, size)
        while copied < size:
            data = os.read(source, _CHUNK)
            if not data:
                return  # truncated meanwhile: so the hash differs
            _write(handle, data)
            copied += len(data)

    def _hasher(self, size: int, data: bytes = b"") -> "hashlib._Hash":
        self._hashed += size
        return new_sha256(self._hashed, data)

    def _open(self, path: str, digest: str) -> int:
        flags: int = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        try:
            return _regular_opener(path, flags)
        except FileNotFoundError:
            message = "{} is missing. {}".format(path, REPAIR)
            raise SnapshotDamaged(message, digest) from None

    def _damage(self, path: str, size: int, digest: str, offset: int = 0) -> SnapshotDamaged:
        if not os.path.exists(path):
            return SnapshotDamaged("{} is missing. {}".format(path, REPAIR), digest)
        where = " at byte {:,}".format(offset) if offset else ""
        return SnapshotDamaged(
            "{} is damaged: its content{} does not have the expected SHA-256 {} ({:,} bytes). "
            "{}".format(path, where, digest, size, REPAIR),
            digest,
        )

    def close(self) -> None:
        """Close the open packs."""
        for handle in self._packs.values():
            os.close(handle)
        self._packs.clear()


def _places_of(store: "StrPath", digest: str) -> "Iterator[tuple[str, int]]":
    """All places that the indexes of the packs give for the content with this digest."""
    key, folder = bytes.fromhex(digest), os.path.dirname(pack_path(store, ""))
    for name in sorted(os.listdir(folder)):
        stem, extension = os.path.splitext(name)
        if extension != ".index":
            continue
        with open(os.path.join(folder, name), "rb", opener=_regular_opener) as index:
            entry = index.read(_INDEX_ENTRY)
            while len(entry) == _INDEX_ENTRY:
                offset = int.from_bytes(entry[32:], "big")
                if entry[:32] == key and offset < 1 << 62:
                    yield stem, offset
                entry = index.read(_INDEX_ENTRY)


def _hash_file(path: str, hasher: "hashlib._Hash", failures: "list[OSError]") -> None:
    try:
        with open(path, "rb", buffering=0, opener=_regular_opener) as file:
            data = file.read(_CHUNK)
            while data:
                hasher.update(data)
                data = file.read(_CHUNK)
    except OSError as error:
        failures.append(error)


def _regular_opener(path: str, flags: int) -> int:
    """As in files.py, which this module does without."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    number = errno.EISDIR if stat.S_ISDIR(mode) else errno.ENXIO
    raise OSError(number, os.strerror(number), path)


def _read_at(handle: int, size: int, offset: int) -> bytes:
    """``size`` bytes from ``offset`` on, or fewer at the file's end."""
    if hasattr(os, "pread"):
        data = os.pread(handle, size, offset)
        while data and len(data) < size:
            more = os.pread(handle, size - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data
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
