"""The storage interface behind all datastores, and helpers for paths in a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, runtime_checkable

from scriptrun.data.errors import DatastoreException
from scriptrun.runtime import foreign_names

#: bytes per piece when a file is streamed
PIECE_SIZE = 1 << 20


class FileEntry(NamedTuple):
    """One file of a store.

    ``path`` is relative and uses forward slashes; ``size`` is in bytes (-1 if unknown); ``etag``
    changes with the content and has no quotes ("" if the store has none); ``modified`` is in
    seconds since 1970 (0 if unknown).
    """

    path: str
    size: int
    etag: str = ""
    modified: float = 0.0


class Store(Protocol):
    """What a kind of storage must implement. ``name`` is for messages.

    Paths are relative, use forward slashes, and have no empty, ``.`` or ``..`` parts (``clean``).
    Methods that take an ``etag`` raise FileChanged if the file has another one. All raise
    FileMissing if the file does not exist, and DatastoreException, with a message without secrets,
    if the store is unreachable or denies the request. Stores must be thread-safe.
    """

    name: str
    #: how many files to transfer in parallel
    at_once: int
    #: whether ETags of 32 hexadecimal digits are usually MD5 checksums of the content
    sums: bool

    @property
    def folder(self) -> Path | None:
        """The local directory that holds the files, or None for remote storage."""

    def list(self, folder: str = "") -> Iterator[FileEntry]:
        """Every file below ``folder`` (all of them for ""), in the order of their paths."""

    def stat(self, path: str) -> FileEntry | None:
        """The file at ``path``, or None."""

    def read(self, path: str, start: int, end: int, etag: str = "") -> bytes:
        """The bytes from ``start`` up to ``end``; fewer at the end of the file."""

    def pieces(
        self, path: str, etag: str = "", start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """The file from ``start`` up to ``end`` (None: its end), in pieces of at most a few MiB.

        Raises NoRanges if ``start`` or ``end`` is given and the server has no range requests.
        """

    def write(self, path: str, file: BinaryIO, new: bool = False) -> FileEntry:
        """Store the rest of ``file`` at ``path`` atomically.

        Verifies the stored file before it returns the entry. With ``new`` an existing file is kept
        and FileExists is raised (if the store supports it: docs/explanation/data.md).
        """

    def delete(self, path: str) -> None:
        """Remove the file if it exists."""


@runtime_checkable
class HasDigests(Protocol):
    """A store whose files have ETags that a digest of the content may extend."""

    def has_etag(self, entry: FileEntry, etag: str) -> bool:
        """Whether the file ``entry`` is that of ``etag``: by its time, else by its content."""

    def etag_with_digest(self, entry: FileEntry) -> str:
        """The file's ETag with a digest of its content."""


def is_unchanged(store: Store, entry: FileEntry, etag: str) -> bool:
    """Whether the file ``entry`` of ``store`` is the one that had ``etag`` ("": unknown)."""
    if not etag or entry.etag == etag:
        return True
    return isinstance(store, HasDigests) and store.has_etag(entry, etag)


def normalize_path(path: str, where: str) -> str:
    """``path`` without outer slashes, empty parts and ``.`` parts.

    Raises DatastoreException for a path that leads out of ``where`` or contains a NUL character.
    """
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in path:
        raise DatastoreException(f"Path {path!r} is outside {where}.", "Use a path without '..'.")
    return "/".join(parts)


def is_below(path: str, folder: str) -> bool:
    """Whether ``path`` is in ``folder`` ("" contains everything)."""
    return not folder or path.startswith(f"{folder}/")


def is_safe(path: str) -> bool:
    """Whether ``path``, as a store lists it, stays below its folder on any system."""
    return not foreign_names.leads_out(path)
