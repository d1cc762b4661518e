"""Download one file from a store: complete and verified, or not at all.

A large file is downloaded in blocks, several in parallel, and finished blocks are recorded
(``partial``), so that an interrupted download resumes. Every request sends the ETag, so blocks of
two versions are never mixed.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from scriptrun.data.cache import partial
from scriptrun.data.cache.partial import Part
from scriptrun.data.errors import DatastoreException, FileChanged, NoRanges, Unreachable
from scriptrun.data.stores.protocol import PIECE, Entry, Store
from scriptrun.data.stores.timeouts import Patience
from scriptrun.runtime.files import unique

#: bytes of one block
BLOCK = 16 << 20
#: files of at least this size are downloaded in blocks
LARGE = 2 * BLOCK
#: extra threads for blocks, shared by all downloads of this process
HELPERS = 7
_helpers = threading.BoundedSemaphore(HELPERS)
#: distinguishes this process's partial files from those of others (with its PID)
_OURS, _numbers = unique(), itertools.count()
_MD5 = re.compile("[0-9a-f]{32}")

#: called with the number of bytes that arrived, from several threads
Told = Callable[[int], object]


class Stopped(Exception):
    """Raised by an ``OnBytes`` callback to stop a transfer; finished blocks are kept."""


class Incoming(NamedTuple):
    """A file to download: its entry in ``store``, and its path below the target folder."""

    store: Store
    entry: Entry
    path: str


def fetch(each: Incoming, place: Path, part: Path | None = None, told: Told | None = None) -> None:
    """Download one file to ``place``: complete and verified, or not at all.

    ``part`` is the partial file, on the same disk (default: a hidden file next to ``place``). If an
    earlier attempt left one and the file has not changed, the download resumes. Two processes must
    not use the same part. ``on_bytes(count)`` is called as bytes arrive, resumed bytes included.
    Raises FileMissing, FileChanged if the file no longer matches its entry, and DatastoreException
    if the store or the disk fails.
    """
    mine = part or _own_part(each, place)
    keep, left = False, True
    try:
        if part is not None:
            _make_folders(place, mine)
        try:
            try:
                _fill(each, mine, told or _nobody)
            except FileNotFoundError:  # before any request was made
                _make_folders(place, mine)
                _fill(each, mine, told or _nobody)
            os.replace(mine, place)
            left = _in_blocks(each)
        except (Unreachable, Stopped, KeyboardInterrupt, SystemExit):
            keep = _in_blocks(each)
            raise
        finally:
            if left:
                _leave(mine, keep)
    except OSError as error:
        raise DatastoreException(f"Cannot write {str(place)!r}: {error.strerror}.") from None


def _make_folders(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)


def _nobody(_: int) -> None:
    return None


def _leave(part: Path, keep: bool) -> None:
    """Keep the finished blocks of a partial file for the next attempt, or remove it."""
    if keep and part.exists() and partial.log_of(part).exists():
        with contextlib.suppress(OSError):
            partial.release(part)
    else:
        partial.remove(part)


def _own_part(each: Incoming, place: Path) -> Path:
    """The partial file's path: a stable one for a download in blocks, if it is not in use."""
    if _in_blocks(each):
        named = hashlib.sha256(place.name.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        found = place.with_name(f".{named}.part")
        if not partial.is_taken(found):
            return found
    return place.with_name(f".{_OURS}-{os.getpid():x}-{next(_numbers):x}.part")


def _in_blocks(each: Incoming) -> bool:
    entry = each.entry
    return bool(entry.size >= LARGE and entry.etag) and each.store.folder is None


def _fill(each: Incoming, path: Path, told: Told) -> None:
    if _in_blocks(each):
        try:
            _blocks(each, Part(path, each.entry.etag, each.entry.size, BLOCK), told)
        except NoRanges:
            partial.remove(path)
        else:
            _check_sum(each, path, lambda: _md5_of(path))
            return
    digest = hashlib.md5(usedforsecurity=False)
    size = _whole(each, path, told, digest if _is_sum(each) else None)
    if each.entry.size not in (-1, size):
        raise FileChanged(
            f"File {each.entry.path!r} in {each.store.name} has changed: it has {size} bytes, "
            f"expected {each.entry.size}."
        )
    _check_sum(each, path, digest.hexdigest)


def _whole(each: Incoming, path: Path, told: Told, digest: Any) -> int:
    """Download the whole file in one stream, and return its size.

    Makes few calls: after each one, threads compete for the interpreter lock.
    """
    size = 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        for piece in steady(each.store, each.entry.path, each.entry.etag):
            done = os.write(descriptor, piece)
            while done < len(piece):  # a short write: the disk is nearly full
                done += os.write(descriptor, piece[done:])
            size += len(piece)
            told(len(piece))
            if digest is not None:
                digest.update(piece)
    finally:
        os.close(descriptor)
    return size


def steady(
    store: Store, path: str, etag: str, start: int = 0, end: int | None = None
) -> Iterator[bytes]:
    """Yield the file, or a range of it, resuming when the connection breaks.

    From a server without range requests, the file is read again from its start and the bytes that
    were already yielded are skipped. Without an ETag the rest might belong to another version, so a
    broken connection is an error.
    """
    at, patience, ranges = start, Patience(), True
    while True:
        begin = at if ranges else start
        try:
            for piece in store.pieces(path, etag, begin, end):
                begin += len(piece)
                if begin > at:
                    yield piece[at - begin :]
                    at = begin
                patience.renew()
            if end is None or at >= end:
                return
            raise Unreachable(f"{store.name} closed the connection while sending {path!r}.")
        except NoRanges:
            if start or end is not None:
                raise
            ranges = False
        except Unreachable as error:
            if (at > start and not etag) or not patience.wait(error.after):
                raise


def _blocks(each: Incoming, part: Part, told: Told) -> None:
    """Download the missing blocks in this thread and in as many helper threads as are free."""
    missing = part.begin()
    told(each.entry.size - sum(end - begin for begin, end in map(part.bounds, missing)))
    left = iter(missing)
    stop = threading.Event()

    def work() -> None:
        try:
            with open(part.path, "r+b") as out:
                while not stop.is_set() and (number := next(left, None)) is not None:
                    _block(each, out, *part.bounds(number), told, stop)
                    if not stop.is_set():
                        part.has(number)
        except BaseException:
            stop.set()
            raise

    def help_out() -> None:
        if _helpers.acquire(blocking=False):
            try:
                work()
            finally:
                _helpers.release()

    with ThreadPoolExecutor(HELPERS, "scriptrun-block") as pool:
        helping = [pool.submit(help_out) for _ in missing[1 : HELPERS + 1]]
        try:
            work()
        except BaseException:
            stop.set()
            raise
        for each_help in helping:
            each_help.result()


def _block(
    each: Incoming, out: BinaryIO, at: int, end: int, told: Told, stop: threading.Event
) -> None:
    out.seek(at)
    for piece in steady(each.store, each.entry.path, each.entry.etag, at, end):
        out.write(piece)
        told(len(piece))
        if stop.is_set():
            return
    out.flush()


def _is_sum(each: Incoming) -> bool:
    """Whether the ETag may be the content's MD5, as on S3 and GCS after a single-part upload."""
    return each.store.sums and _MD5.fullmatch(each.entry.etag) is not None


def _check_sum(each: Incoming, path: Path, md5: Callable[[], str]) -> None:
    """Raise DatastoreException if the content's MD5 differs from the ETag.

    The ETag of an encrypted file looks like an MD5 but is not one. If a second download has the
    same MD5 as the first, the content is taken to be correct.
    """
    if not _is_sum(each):
        return
    found = md5()
    if found == each.entry.etag:
        return
    again = hashlib.md5(usedforsecurity=False)
    for piece in steady(each.store, each.entry.path, each.entry.etag):
        again.update(piece)
    if again.hexdigest() != found:
        raise DatastoreException(
            f"File {each.entry.path!r} in {each.store.name} was corrupted during download: "
            "its MD5 differs.",
            "Try again. If it fails again, the connection or a proxy is altering the data.",
        )
    each.store.sums = False


def _md5_of(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
