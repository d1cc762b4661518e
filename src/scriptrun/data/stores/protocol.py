"""The seam below all datastores: one small protocol that a kind of storage implements."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from scriptrun.data.errors import DatastoreException

#: bytes of one piece when a file is streamed
PIECE = 1 << 20


class Entry(NamedTuple):
    """One file of a store.

    ``path`` has slashes and none in front; ``size`` is in bytes (-1 where the store cannot tell);
    ``etag`` changes with the content, without quotes ("" where the store has none); ``modified`` is
    in seconds since 1970, 0 where unknown.
    """

    path: str
    size: int
    etag: str = ""
    modified: float = 0.0


class Store(Protocol):
    """What a kind of storage can do. ``name`` is for messages.

    Paths have slashes and none in front, and no empty, ``.`` or ``..`` part (``clean``). A method
    that is given an ``etag`` raises FileChanged where the file has another. All raise FileMissing
    where there is no such file, and DatastoreException, with a sentence that holds no secret, where
    the store cannot be reached or refuses. Objects may be used by several threads at once.
    """

    name: str
    #: how many files may well be on their way at once
    at_once: int
    #: whether an ETag of 32 hexadecimal digits is (as a rule) the content's MD5
    sums: bool

    @property
    def folder(self) -> Path | None:
        """The directory on this machine that holds the files, or None for storage elsewhere."""

    def list(self, folder: str = "") -> Iterator[Entry]:
        """Every file below ``folder`` (all of them for ""), in the order of their paths."""

    def stat(self, path: str) -> Entry | None:
        """The file at ``path``, or None."""

    def read(self, path: str, start: int, end: int, etag: str = "") -> bytes:
        """The bytes from ``start`` up to ``end``; fewer where the file ends before."""

    def pieces(
        self, path: str, etag: str = "", start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """The file from ``start`` up to ``end`` (None: its end), in pieces of at most a few MiB.

        Raises NoRanges where ``start`` or ``end`` is given and the server has whole files only.
        """

    def write(self, path: str, file: BinaryIO, new: bool = False) -> Entry:
        """Store what is left of ``file`` at ``path``: all of it or nothing is seen there.

        What was stored is checked before the entry is returned. With ``new`` a file that is there
        stays, and FileExists is raised (where the store can: docs/explanation/data.md).
        """

    def delete(self, path: str) -> None:
        """Remove the file, if it is there."""


def clean(path: str, where: str) -> str:
    """``path`` without slashes around it and without ``.`` and empty parts.

    Raises DatastoreException for one that leads out of ``where``, or holds a NUL character.
    """
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in path:
        raise DatastoreException(f"Path {path!r} is outside {where}.", "Use a path without '..'.")
    return "/".join(parts)


def below(path: str, folder: str) -> bool:
    """Whether ``path`` lies in ``folder`` ("" holds all)."""
    return not folder or path.startswith(f"{folder}/")


def is_safe(path: str) -> bool:
    """Whether ``path``, as a store lists it, names one place below any folder, on any system."""
    parts = path.split("/")
    return "\0" not in path and not any(part in ("", ".", "..") for part in parts)
