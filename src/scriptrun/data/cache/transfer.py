"""Copy many files between a store and this machine, in parallel; each file whole or not at all."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from scriptrun.data.cache.download import Incoming, Stopped, Told, fetch
from scriptrun.data.errors import DatastoreException, FileExists, Unreachable
from scriptrun.data.stores.protocol import Entry, Store, is_safe
from scriptrun.data.stores.timeouts import Patience

__all__ = ["Incoming", "Watch", "download", "fetch", "in_parallel", "put", "upload"]

#: with fewer files, each is looked up in the store; with more, the store is listed once
_FEW = 20
#: multipart files that are uploaded in parallel: each part is held in memory
_LARGE_AT_ONCE = 4
_LARGE = 8 << 20
#: seconds for requests in progress to finish after Ctrl-C
_MOMENT = 2.0
Item = TypeVar("Item")
#: called with (files added, bytes added), from several threads
Watch = Callable[[int, int], object]


def upload(
    store: Store,
    pairs: Sequence[tuple[Path, str]],
    folder: str,
    overwrite: bool,
    say: bool,
    watch: Watch | None = None,
) -> int:
    """Copy local files to paths in ``store``, all below ``folder``; return how many were copied.

    Existing files are skipped unless ``overwrite``. Each file is verified after it was written.
    """
    there = set() if overwrite else _there(store, [path for _, path in pairs], folder)
    wanted = [(file, path) for file, path in pairs if path not in there]
    copied: list[str] = []
    stop = threading.Event()

    def told(size: int) -> None:
        if stop.is_set():
            raise Stopped
        if watch is not None:
            watch(0, size)

    def send(pair: tuple[Path, str]) -> None:
        try:
            put(store, pair[0], pair[1], not overwrite, told)
        except FileExists:  # another process uploaded it since
            return
        copied.append(pair[1])
        if watch is not None:
            watch(1, 0)

    large = [pair for pair in wanted if _size(pair[0]) > _LARGE]
    chosen = set(large)
    in_parallel(send, [pair for pair in wanted if pair not in chosen], store.at_once, stop)
    in_parallel(send, large, min(store.at_once, _LARGE_AT_ONCE), stop)
    _report(say, len(copied), len(pairs), f"to {store.name}")
    return len(copied)


def put(store: Store, file: Path, path: str, new: bool = False, told: Told | None = None) -> Entry:
    """Copy one local file to ``path`` in ``store``, and return its verified entry.

    Retries for a while if the store does not respond. With ``new`` an existing file is kept and
    FileExists is raised. ``on_bytes(count)`` is called as the file is read, with a negative count
    before a retry reads it again; if it raises TransferStopped, the upload ends.
    """
    patience = Patience()
    while True:
        read = _Read(told)
        try:
            with open(file, "rb") as content:
                return store.write(path, read.of(content), new)
        except OSError as error:
            raise DatastoreException(f"Cannot read {str(file)!r}: {error.strerror}.") from None
        except Exception as error:
            if read.stopped is not None:  # whatever exception the driver turned it into
                raise read.stopped from None
            read.undo()
            if not isinstance(error, Unreachable) or not patience.wait(error.after):
                raise
            new = new and store.stat(path) is None  # else only its response was lost


class _Read:
    """An open file that reports how much of it was read."""

    def __init__(self, told: Told | None) -> None:
        self._told = told
        self._done = 0
        self.stopped: Stopped | None = None

    def of(self, file: BinaryIO) -> BinaryIO:
        """Wrap ``file``, or return it unchanged if there is no callback."""
        self._file: Any = file
        return file if self._told is None else cast(BinaryIO, self)

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes, as a file does."""
        data: bytes = self._file.read(size)
        self._done += len(data)
        try:
            if self._told is not None:
                self._told(len(data))
        except Stopped as error:
            self.stopped = error
            raise
        return data

    def undo(self) -> None:
        """Report the bytes read so far as not read."""
        if self._told is not None and self._done:
            self._told(-self._done)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _there(store: Store, paths: list[str], folder: str) -> set[str]:
    if len(paths) < _FEW:
        return {path for path in paths if store.stat(path) is not None}
    return {entry.path for entry in store.list(folder)}


def download(
    incoming: Iterable[Incoming],
    target: Path,
    overwrite: bool,
    say: str = "",
    watch: Watch | None = None,
) -> list[Path]:
    """Download files to the folder ``target``, and return their local paths, in order.

    Existing files are skipped unless ``overwrite``. Nothing is written outside ``target``.
    ``say`` names the source in the summary line; "" prints none.
    Raises FileChanged if a file no longer matches its entry.
    """
    files = list(incoming)
    outside = [each.path for each in files if not is_safe(each.path)]
    if outside:
        raise DatastoreException(
            f"{outside[0]!r} is not a valid relative path, so it cannot be written.",
            "Exclude such files with narrower patterns.",
        )
    places = _places(target, [each.path for each in files])
    wanted = [
        (each, place)
        for each, place in zip(files, places, strict=True)
        if overwrite or not place.exists()
    ]
    at_once = min((each.store.at_once for each, _ in wanted), default=1)
    stop = threading.Event()

    def told(size: int) -> None:
        if stop.is_set():
            raise Stopped
        if watch is not None:
            watch(0, size)

    def get(pair: tuple[Incoming, Path]) -> None:
        fetch(*pair, told=told)
        if watch is not None:
            watch(1, 0)

    in_parallel(get, wanted, at_once, stop)
    _report(bool(say), len(wanted), len(files), f"from {say}")
    return places


def _places(target: Path, paths: Iterable[str]) -> list[Path]:
    """The local paths of the files; raises if a link below ``target`` leads outside it."""
    base = os.path.realpath(target)
    places: list[Path] = []
    inside: set[str] = set()
    for path in paths:
        place = target / path
        folder = os.path.dirname(path)
        if folder not in inside:
            real = os.path.realpath(place.parent)
            if real != base and not real.startswith(base.rstrip(os.sep) + os.sep):
                raise DatastoreException(
                    f"{str(place)!r} is outside {str(target)!r} (through a link)."
                )
            inside.add(folder)
        places.append(place)
    return places


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
    threads = min(len(items), _threads(at_once))
    if threads < 2 and stop is None:
        for item in items:
            work(item)
        return
    halt = stop or threading.Event()
    left = iter(items)  # shared: a future per item would cost as much as a small file
    errors: list[BaseException] = []
    ended: queue.SimpleQueue[None] = queue.SimpleQueue()

    def some() -> None:
        try:
            while not halt.is_set() and (item := next(left, None)) is not None:
                work(item)
        except BaseException as error:
            errors.append(error)
            halt.set()
        finally:
            ended.put(None)

    began = 0
    try:
        for _ in range(threads):
            began += 1
            threading.Thread(target=some, name="scriptrun-data", daemon=True).start()
        for _ in range(threads):  # not join: when interrupted, it takes a thread for finished
            ended.get()
            began -= 1
    except BaseException:  # Ctrl-C
        halt.set()
        _give_a_moment(ended, began)
        raise
    if errors:
        raise errors[0]


def _give_a_moment(ended: queue.SimpleQueue[None], count: int) -> None:
    until = time.monotonic() + _MOMENT
    try:
        for _ in range(count):
            ended.get(timeout=max(0.0, until - time.monotonic()))
    except queue.Empty:
        pass


def _threads(at_once: int) -> int:
    asked = os.environ.get("AZUREML_DOWNLOAD_CONCURRENCY", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return at_once


def _report(say: bool, copied: int, of: int, where: str) -> None:
    if say:
        print(f"Copied {copied} files {where}; skipped {of - copied} existing.")
