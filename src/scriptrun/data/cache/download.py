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
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, NamedTuple

from scriptrun.data.cache import partial
from scriptrun.data.cache.partial import PartialFile
from scriptrun.data.errors import DatastoreException, FileChanged, NoRanges, StoreUnreachable
from scriptrun.data.stores.protocol import PIECE_SIZE, FileEntry, Store
from scriptrun.data.stores.timeouts import Backoff
from scriptrun.runtime import disks
from scriptrun.runtime.files import sync_file, unique

#: bytes of one block
BLOCK = 16 << 20
#: files of at least this size are downloaded in blocks
LARGE = 2 * BLOCK
#: extra threads for blocks, shared by all downloads of this process
HELPERS = 7
_helpers = threading.BoundedSemaphore(HELPERS)
#: distinguishes this process's partial files from those of others (with its PID)
_PROCESS_TAG, _numbers = unique(), itertools.count()
_MD5 = re.compile("[0-9a-f]{32}")

#: called with the number of bytes that arrived, from several threads
OnBytes = Callable[[int], object]


class TransferStopped(Exception):
    """Raised by an ``OnBytes`` callback to stop a transfer; finished blocks are kept."""


class RemoteFile(NamedTuple):
    """A file to download: its entry in ``store``, and its path below the target folder."""

    store: Store
    entry: FileEntry
    path: str


def fetch(
    file: RemoteFile,
    path: Path,
    part: Path | None = None,
    on_bytes: OnBytes | None = None,
    durable: bool = True,
) -> None:
    """Download one file to ``path``: complete and verified, or not at all.

    ``part`` is the partial file, on the same disk (default: a hidden file next to ``path``). If an
    earlier attempt left one and the file has not changed, the download resumes. Two processes must
    not use the same part. ``on_bytes(count)`` is called as bytes arrive, resumed bytes included.
    Without ``durable`` the caller syncs, and knows a file that a power cut has shortened.
    Raises FileMissing, FileChanged if the file no longer matches its entry, and DatastoreException
    if the store or the disk fails.
    """
    part_path = part or _part_path(file, path)
    keep_blocks, part_left = False, True
    try:
        if part is not None:
            _make_folders(path, part_path)
        try:
            try:
                _download(file, part_path, on_bytes or _ignore_bytes)
            except FileNotFoundError:  # before any request was made
                _make_folders(path, part_path)
                _download(file, part_path, on_bytes or _ignore_bytes)
            if durable:
                sync_file(part_path)
            os.replace(part_path, path)
            part_left = uses_blocks(file)
        except (StoreUnreachable, TransferStopped, KeyboardInterrupt, SystemExit):
            keep_blocks = uses_blocks(file)
            raise
        finally:
            if part_left:
                _release_part(part_path, keep_blocks)
    except OSError as error:
        raise DatastoreException(
            f"Cannot write {str(path)!r}: {disks.describe(error, path)}."
        ) from None


def _make_folders(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)


def _ignore_bytes(_: int) -> None:
    return None


def _release_part(part: Path, keep_blocks: bool) -> None:
    """Keep the finished blocks of a partial file for the next attempt, or remove it."""
    if keep_blocks and part.exists() and partial.block_list_path(part).exists():
        with contextlib.suppress(OSError):
            partial.release(part)
    else:
        partial.remove(part)


def _part_path(file: RemoteFile, path: Path) -> Path:
    """The partial file's path: a stable one for a download in blocks, if it is not in use."""
    if uses_blocks(file):
        digest = hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        part = path.with_name(f".{digest}.part")
        if not partial.is_in_use(part):
            return part
    return path.with_name(f".{_PROCESS_TAG}-{os.getpid():x}-{next(_numbers):x}.part")


def uses_blocks(file: RemoteFile) -> bool:
    """Whether an interrupted download of ``file`` continues where it stopped."""
    entry = file.entry
    return bool(entry.size >= LARGE and entry.etag) and file.store.folder is None


def _download(file: RemoteFile, path: Path, on_bytes: OnBytes) -> None:
    if uses_blocks(file):
        _check_room(file, path)
        try:
            _download_blocks(
                file, PartialFile(path, file.entry.etag, file.entry.size, BLOCK), on_bytes
            )
        except NoRanges:
            partial.remove(path)
        else:
            _check_md5(file, path, lambda: _file_md5(path))
            return
    digest = hashlib.md5(usedforsecurity=False)
    size = _download_stream(file, path, on_bytes, digest if _etag_may_be_md5(file) else None)
    if file.entry.size not in (-1, size):
        raise FileChanged(
            f"File {file.entry.path!r} in {file.store.name} has changed: it has {size} bytes, "
            f"expected {file.entry.size}."
        )
    _check_md5(file, path, digest.hexdigest)


def _check_room(file: RemoteFile, part: Path) -> None:
    """Raise DatastoreException if the file cannot fit on the disk of ``part``."""
    present = part.stat().st_blocks * 512 if part.exists() and hasattr(os, "statvfs") else 0
    free = shutil.disk_usage(part.parent).free
    if file.entry.size > free + present:
        raise DatastoreException(
            f"File {file.entry.path!r} in {file.store.name} has {file.entry.size:,} bytes, but the "
            f"disk of {str(part.parent)!r} has only {free:,} free.",
            "Free some disk space, or choose a folder on a larger disk.",
        )


def _download_stream(
    file: RemoteFile, path: Path, on_bytes: OnBytes, digest: hashlib._Hash | None
) -> int:
    """Download the whole file in one stream, and return its size.

    Makes few calls: after each one, threads compete for the interpreter lock.
    """
    size = 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        for piece in resuming_pieces(file.store, file.entry.path, file.entry.etag):
            written = os.write(descriptor, piece)
            while written < len(piece):  # a short write: the disk is nearly full
                written += os.write(descriptor, piece[written:])
            size += len(piece)
            if size > file.entry.size >= 0:
                raise FileChanged(
                    f"File {file.entry.path!r} in {file.store.name} has changed: it has more than "
                    f"the expected {file.entry.size:,} bytes."
                )
            on_bytes(len(piece))
            if digest is not None:
                digest.update(piece)
    finally:
        os.close(descriptor)
    return size


def resuming_pieces(
    store: Store, path: str, etag: str, start: int = 0, end: int | None = None
) -> Iterator[bytes]:
    """Yield the file, or a range of it, resuming when the connection breaks.

    From a server without range requests, the file is read again from its start and the bytes that
    were already yielded are skipped. Without an ETag the rest might belong to another version, so a
    broken connection is an error.
    """
    position, backoff, supports_ranges = start, Backoff(), True  # resumes where it stopped
    while True:
        begin = position if supports_ranges else start
        try:
            for piece in store.pieces(path, etag, begin, end):
                begin += len(piece)
                if begin > position:
                    yield piece[position - begin :]
                    position = begin
                    backoff.reset()  # only now: receiving the same bytes again is not progress
            if end is None or position >= end:
                return
            raise StoreUnreachable(f"{store.name} closed the connection while sending {path!r}.")
        except NoRanges:
            if start or end is not None:
                raise
            supports_ranges = False
        except StoreUnreachable as error:
            if (position > start and not etag) or not backoff.wait(error.retry_after):
                raise


def _download_blocks(file: RemoteFile, part: PartialFile, on_bytes: OnBytes) -> None:
    """Download the missing blocks in this thread and in as many helper threads as are free."""
    missing = part.prepare()
    on_bytes(file.entry.size - sum(end - begin for begin, end in map(part.bounds, missing)))
    remaining = iter(missing)
    stop = threading.Event()

    def work() -> None:
        try:
            with open(part.path, "r+b") as out:
                while not stop.is_set() and (number := next(remaining, None)) is not None:
                    _download_block(file, out, *part.bounds(number), on_bytes, stop)
                    if not stop.is_set():
                        part.mark_present(number)
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
        futures = [pool.submit(help_out) for _ in missing[1 : HELPERS + 1]]
        try:
            work()
        except BaseException:
            stop.set()
            raise
        for future in futures:
            future.result()


def _download_block(
    file: RemoteFile, out: BinaryIO, start: int, end: int, on_bytes: OnBytes, stop: threading.Event
) -> None:
    out.seek(start)
    for piece in resuming_pieces(file.store, file.entry.path, file.entry.etag, start, end):
        out.write(piece)
        on_bytes(len(piece))
        if stop.is_set():
            return
    out.flush()


def _etag_may_be_md5(file: RemoteFile) -> bool:
    """Whether the ETag may be the content's MD5, as on S3 and GCS after a single-part upload."""
    return file.store.sums and _MD5.fullmatch(file.entry.etag) is not None


def _check_md5(file: RemoteFile, path: Path, read_md5: Callable[[], str]) -> None:
    """Raise DatastoreException if the content's MD5 differs from the ETag.

    The ETag of an encrypted file looks like an MD5 but is not one. If a second download has the
    same MD5 as the first, the content is taken to be correct.
    """
    if not _etag_may_be_md5(file):
        return
    actual = read_md5()
    if actual == file.entry.etag:
        return
    second_read = hashlib.md5(usedforsecurity=False)
    for piece in resuming_pieces(file.store, file.entry.path, file.entry.etag):
        second_read.update(piece)
    if second_read.hexdigest() != actual:
        raise DatastoreException(
            f"File {file.entry.path!r} in {file.store.name} was corrupted during download: "
            "its MD5 differs.",
            "Try again. If it fails again, the connection or a proxy is altering the data.",
        )
    file.store.sums = False


def _file_md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(PIECE_SIZE):
            digest.update(piece)
    return digest.hexdigest()
