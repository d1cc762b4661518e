"""Copy many files between a store and this machine, in parallel; each file whole or not at all."""

from __future__ import annotations

import itertools
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from scriptrun.data.cache.download import (
    OnBytes,
    RemoteFile,
    TransferStopped,
    fetch,
    uses_blocks,
)
from scriptrun.data.errors import DatastoreException, FileExists, StoreUnreachable
from scriptrun.data.stores import same_content
from scriptrun.data.stores.protocol import FileEntry, Store
from scriptrun.data.stores.timeouts import Backoff
from scriptrun.runtime import disks, durability, foreign_names
from scriptrun.store import scratch

__all__ = ["OnProgress", "RemoteFile", "download", "fetch", "in_parallel", "put", "upload"]

#: with fewer files, each is looked up in the store; with more, the store is listed once
_FEW = 20
#: multipart files that are uploaded in parallel: each part is held in memory
_LARGE_AT_ONCE = 4
_LARGE = 8 << 20
#: seconds for requests in progress to finish after Ctrl-C
_MOMENT = 2.0
Item = TypeVar("Item")
#: called with (files added, bytes added), from several threads
OnProgress = Callable[[int, int], object]


def upload(
    store: Store,
    pairs: Sequence[tuple[Path, str]],
    folder: str,
    overwrite: bool,
    print_summary: bool,
    on_progress: OnProgress | None = None,
) -> int:
    """Copy local files to paths in ``store``, all below ``folder``; return how many were copied.

    Existing files are skipped unless ``overwrite``. Each file is verified after it was written.
    """
    existing = set() if overwrite else _existing_paths(store, [path for _, path in pairs], folder)
    to_copy = [(file, path) for file, path in pairs if path not in existing]
    copied: list[str] = []
    stop = threading.Event()

    def count_bytes(size: int) -> None:
        if stop.is_set():
            raise TransferStopped
        if on_progress is not None:
            on_progress(0, size)

    def send(pair: tuple[Path, str]) -> None:
        try:
            put(store, pair[0], pair[1], not overwrite, count_bytes)
        except FileExists:  # another process uploaded it since
            return
        copied.append(pair[1])
        if on_progress is not None:
            on_progress(1, 0)

    large = [pair for pair in to_copy if _size(pair[0]) > _LARGE]
    large_pairs = set(large)
    in_parallel(send, [pair for pair in to_copy if pair not in large_pairs], store.at_once, stop)
    in_parallel(send, large, min(store.at_once, _LARGE_AT_ONCE), stop)
    _print_summary(print_summary, len(copied), len(pairs), f"to {store.name}")
    return len(copied)


def put(
    store: Store, file: Path, path: str, new: bool = False, on_bytes: OnBytes | None = None
) -> FileEntry:
    """Copy one local file to ``path`` in ``store``, and return its verified entry.

    Retries for a while if the store does not respond. With ``new`` an existing file is kept and
    FileExists is raised; else one with the same content is left as it is. ``on_bytes(count)`` is
    called as the file is read, with a negative count before a retry reads it again; if it raises
    TransferStopped, the upload ends.
    """
    backoff = Backoff()
    while True:
        reader = _CountingReader(on_bytes)
        try:
            with open(file, "rb") as content:
                kept = None if new else same_content.stored_entry(store, path, content)
                if kept is not None and on_bytes is not None:
                    on_bytes(kept.size)
                return kept or store.write(path, reader.wrap(content), new)
        except OSError as error:
            raise DatastoreException(f"Cannot read {str(file)!r}: {error.strerror}.") from None
        except Exception as error:
            if reader.stop_error is not None:  # whatever exception the driver turned it into
                raise reader.stop_error from None
            reader.undo()
            if not isinstance(error, StoreUnreachable) or not backoff.wait(error.retry_after):
                raise
            new = new and store.stat(path) is None  # else only its response was lost


class _CountingReader:
    """An open file that reports how much of it was read."""

    def __init__(self, on_bytes: OnBytes | None) -> None:
        self._on_bytes = on_bytes
        self._count = 0
        self.stop_error: TransferStopped | None = None

    def wrap(self, file: BinaryIO) -> BinaryIO:
        """Wrap ``file``, or return it unchanged if there is no callback."""
        self._file = file
        return file if self._on_bytes is None else cast(BinaryIO, self)

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes, as a file does."""
        data: bytes = self._file.read(size)
        self._count += len(data)
        try:
            if self._on_bytes is not None:
                self._on_bytes(len(data))
        except TransferStopped as error:
            self.stop_error = error
            raise
        return data

    def undo(self) -> None:
        """Report the bytes read so far as not read."""
        if self._on_bytes is not None and self._count:
            self._on_bytes(-self._count)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _existing_paths(store: Store, paths: list[str], folder: str) -> set[str]:
    if len(paths) < _FEW:
        return {path for path in paths if store.stat(path) is not None}
    return {entry.path for entry in store.list(folder)}


def download(
    remote_files: Iterable[RemoteFile],
    target: Path,
    overwrite: bool,
    source_name: str = "",
    on_progress: OnProgress | None = None,
) -> list[Path]:
    """Download files to the folder ``target``, and return their local paths, in order.

    Existing files are skipped unless ``overwrite``. Nothing is written outside ``target``.
    ``source_name`` names the source in the summary line; "" prints none.
    Raises FileChanged if a file no longer matches its entry.
    """
    files = list(remote_files)
    for file in files:
        reason = foreign_names.problem(file.path)
        if reason:
            raise DatastoreException(
                f"{file.path[:200]!r} cannot be written below {str(target)!r}: it {reason}.",
                "Exclude such files with narrower patterns.",
            )
    paths = _target_paths(target, [item.path for item in files])
    to_fetch = [
        (remote_file, path)
        for remote_file, path in zip(files, paths, strict=True)
        if overwrite or not path.exists()
    ]
    at_once = min((source.store.at_once for source, _ in to_fetch), default=1)
    stop = threading.Event()

    def count_bytes(size: int) -> None:
        if stop.is_set():
            raise TransferStopped
        if on_progress is not None:
            on_progress(0, size)

    numbers = itertools.count()

    def fetch_file(pair: tuple[RemoteFile, Path], parts: str) -> None:
        part = None if uses_blocks(pair[0]) else Path(parts, str(next(numbers)))
        fetch(*pair, part, count_bytes)
        if on_progress is not None:
            on_progress(1, 0)

    if to_fetch:
        with _scratch_in(target) as parts:
            in_parallel(lambda pair: fetch_file(pair, parts), to_fetch, at_once, stop)
    durability.sync_files({path.parent for _, path in to_fetch})
    _print_summary(bool(source_name), len(to_fetch), len(files), f"from {source_name}")
    return paths


def _scratch_in(target: Path) -> scratch.Scratch:
    """A folder for partial files, which the next download removes if this process is killed."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        return scratch.Scratch("download", str(target))
    except OSError as error:
        raise DatastoreException(
            f"Cannot write {str(target)!r}: {disks.describe(error, target)}."
        ) from None


def _target_paths(target: Path, paths: Iterable[str]) -> list[Path]:
    """The local paths of the files; raises if a link below ``target`` leads outside it."""
    base = os.path.realpath(target)
    file_paths: list[Path] = []
    checked_folders: set[str] = set()
    for path in paths:
        file_path = target / path
        folder = os.path.dirname(path)
        if folder not in checked_folders:
            real_folder = os.path.realpath(file_path.parent)
            if real_folder != base and not real_folder.startswith(base.rstrip(os.sep) + os.sep):
                raise DatastoreException(
                    f"{str(file_path)!r} is outside {str(target)!r} (through a link).",
                    "Remove the link, or choose another folder.",
                )
            checked_folders.add(folder)
        file_paths.append(file_path)
    return file_paths


def in_parallel(
    work: Callable[[Item], object],
    items: Sequence[Item],
    at_once: int,
    stop: threading.Event | None = None,
) -> None:
    """Call ``work`` on every item with ``at_once`` threads; raise the first error.

    ``stop`` is set on an error, so that running workers can stop. If it is given, this thread only
    waits, so that Ctrl-C interrupts it and never a driver; requests in progress then get a moment
    to finish. AZUREML_DOWNLOAD_CONCURRENCY limits the number of threads.
    """
    threads = min(len(items), _thread_limit(at_once))
    if threads < 2 and stop is None:
        for item in items:
            work(item)
        return
    stop_event = stop or threading.Event()
    remaining = iter(items)  # shared: a future per item would cost as much as a small file
    errors: list[BaseException] = []
    finished: queue.SimpleQueue[None] = queue.SimpleQueue()

    def run_worker() -> None:
        try:
            while not stop_event.is_set() and (item := next(remaining, None)) is not None:
                work(item)
        except BaseException as error:
            errors.append(error)
            stop_event.set()
        finally:
            finished.put(None)

    running = 0
    try:
        for _ in range(threads):
            running += 1
            threading.Thread(target=run_worker, name="scriptrun-data", daemon=True).start()
        for _ in range(threads):  # not join: when interrupted, it takes a thread for finished
            finished.get()
            running -= 1
    except BaseException:  # Ctrl-C
        stop_event.set()
        _give_a_moment(finished, running)
        raise
    if errors:
        raise errors[0]


def _give_a_moment(finished: queue.SimpleQueue[None], count: int) -> None:
    deadline = time.monotonic() + _MOMENT
    try:
        for _ in range(count):
            finished.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        pass


def _thread_limit(at_once: int) -> int:
    setting = os.environ.get("AZUREML_DOWNLOAD_CONCURRENCY", "")
    if setting.isdigit() and int(setting) > 0:
        return int(setting)
    return at_once


def _print_summary(enabled: bool, copied: int, total: int, where: str) -> None:
    if enabled:
        print(f"Copied {copied} files {where}; skipped {total - copied} existing.")
