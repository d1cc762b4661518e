"""One file from a store to this machine: whole or not at all, and what was read is what was meant.

A large file comes in blocks, several at once, and those that are there are noted (``parts``): a
download that broke off goes on where it was. Every request names the ETag, so that blocks of two
versions are never mixed.
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

#: bytes that are asked for at once
BLOCK = 16 << 20
#: files from this size on come in blocks
LARGE = 2 * BLOCK
#: threads that help with blocks, for all files of this process together
HELPERS = 7
_helpers = threading.BoundedSemaphore(HELPERS)
#: what tells this process's parts from those of others, also forked ones (with its number)
_OURS, _numbers = unique(), itertools.count()
_MD5 = re.compile("[0-9a-f]{32}")

#: is told how many bytes have arrived, from several threads
Told = Callable[[int], object]


class Stopped(Exception):
    """What ``told`` raises to end a download; what has arrived is kept for the next attempt."""


class Incoming(NamedTuple):
    """A file to fetch: its entry in ``store``, and the path that it gets below the target."""

    store: Store
    entry: Entry
    path: str


def fetch(each: Incoming, place: Path, part: Path | None = None, told: Told | None = None) -> None:
    """Fetch one file to ``place``: it stands there whole and checked, or not at all.

    ``part`` is the file that it grows in, on the same disk (default: a hidden one beside
    ``place``); what an attempt before has left there is gone on with, when the file is still the
    same. Two processes must not name the same part. ``told(bytes)`` is called as bytes arrive;
    those that were there already count too. Raises FileMissing, FileChanged where the file is no
    longer what its entry says, and DatastoreException where the store or the disk refuses.
    """
    mine = part or _own_part(each, place)
    keep, left = False, True
    try:
        if part is not None:
            _make_folders(place, mine)
        try:
            try:
                _fill(each, mine, told or _nobody)
            except FileNotFoundError:  # before anything was asked for
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
    """What is kept of an unfinished part: blocks that the next attempt can go on with."""
    if keep and part.exists() and partial.log_of(part).exists():
        with contextlib.suppress(OSError):
            partial.release(part)
    else:
        partial.remove(part)


def _own_part(each: Incoming, place: Path) -> Path:
    """A part that the next attempt finds again, where the file comes in blocks and it is free."""
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
    """Write all of the file, in one go; its size.

    With as few calls as can be: after each one threads queue for the interpreter.
    """
    size = 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        for piece in steady(each.store, each.entry.path, each.entry.etag):
            done = os.write(descriptor, piece)
            while done < len(piece):  # a disk that is nearly full
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
    """The file, or a range of it; where the connection breaks, it goes on there.

    From a server without ranges the whole file is read again, and what has come is passed over.
    Without an ETag, what follows might be of another version: then a break is an error.
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
    """Fetch what is missing: by this thread, and as many helpers as are free."""
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
    """Whether the ETag may be the MD5 of the content: S3's and GCS's for a file put in one go."""
    return each.store.sums and _MD5.fullmatch(each.entry.etag) is not None


def _check_sum(each: Incoming, path: Path, md5: Callable[[], str]) -> None:
    """See that the content has the MD5 that its ETag is.

    The ETag of an encrypted file looks alike, and is none: what arrives twice as it did is right.
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
