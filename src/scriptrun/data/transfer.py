"""Copying many files between a store and this machine: in parallel, whole files or nothing."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from scriptrun.data.errors import DatastoreException, FileChanged
from scriptrun.data.seam import Entry, Store, is_safe

#: with fewer files, the store is asked for each; with more it is listed once
_FEW = 20
Item = TypeVar("Item")


class Incoming(NamedTuple):
    """A file to fetch: its entry in ``store``, and the path that it gets below the target."""

    store: Store
    entry: Entry
    path: str


def upload(
    store: Store, pairs: Sequence[tuple[Path, str]], folder: str, overwrite: bool, say: bool
) -> int:
    """Copy local files to paths in ``store``, all below ``folder``; how many were copied.

    What is there already stays, unless ``overwrite``.
    """
    there = set() if overwrite else _there(store, [path for _, path in pairs], folder)
    wanted = [(file, path) for file, path in pairs if path not in there]

    def put(pair: tuple[Path, str]) -> None:
        with _opened(pair[0]) as file:
            store.write(pair[1], file)

    in_parallel(put, wanted, store.at_once)
    _report(say, len(wanted), len(pairs), f"to {store.name}")
    return len(wanted)


def _opened(path: Path):  # type: ignore[no-untyped-def]
    try:
        return open(path, "rb")
    except OSError as error:
        raise DatastoreException(f"{path} cannot be read: {error.strerror}.") from None


def _there(store: Store, paths: list[str], folder: str) -> set[str]:
    if len(paths) < _FEW:
        return {path for path in paths if store.stat(path) is not None}
    return {entry.path for entry in store.list(folder)}


def download(
    incoming: Iterable[Incoming], target: Path, overwrite: bool, say: str = ""
) -> list[Path]:
    """Fetch files below the folder ``target``, and return their paths there, in order.

    A file that is there already stays, unless ``overwrite``. Nothing is written outside ``target``.
    ``say`` names the source in the line printed at the end; "" prints none.
    Raises FileChanged where a file is no longer what its entry says.
    """
    files = list(incoming)
    outside = [each.path for each in files if not is_safe(each.path)]
    if outside:
        raise DatastoreException(
            f"{outside[0]!r} is no path below a folder, so it is not written anywhere.",
            "Leave such files out, with narrower patterns.",
        )
    places = [_place(target, each.path) for each in files]
    wanted = [
        (each, place)
        for each, place in zip(files, places, strict=True)
        if overwrite or not place.exists()
    ]
    at_once = min((each.store.at_once for each, _ in wanted), default=1)
    in_parallel(lambda pair: fetch(*pair), wanted, at_once)
    _report(bool(say), len(wanted), len(files), f"from {say}")
    return places


def _place(target: Path, path: str) -> Path:
    """Where the file goes; a link below ``target`` that leads elsewhere is not followed."""
    place = target / path
    base, real = os.path.realpath(target), os.path.realpath(place.parent)
    if real != base and not real.startswith(base.rstrip(os.sep) + os.sep):
        raise DatastoreException(f"{place} leads out of {target} through a link.")
    return place


def fetch(each: Incoming, place: Path) -> None:
    """Fetch one file to ``place``: it stands there whole, or not at all."""
    part = place.with_name(f".{uuid.uuid4().hex[:12]}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            size = _write(part, each.store.pieces(each.entry.path, each.entry.etag))
            if each.entry.size not in (-1, size):
                raise FileChanged(
                    f"The file {each.entry.path!r} in {each.store.name} has changed: it has "
                    f"{size} bytes, and had {each.entry.size}."
                )
            os.replace(part, place)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise DatastoreException(f"{place} cannot be written: {error.strerror}.") from None


def _write(path: Path, pieces: Iterator[bytes]) -> int:
    size = 0
    with open(path, "xb") as out:
        for piece in pieces:
            out.write(piece)
            size += len(piece)
    return size


def in_parallel(work: Callable[[Item], object], items: Sequence[Item], at_once: int) -> None:
    """``work`` on every item, by ``at_once`` threads; the first error ends it and is raised.

    AZUREML_DOWNLOAD_CONCURRENCY bounds the number of threads.
    """
    from concurrent.futures import ThreadPoolExecutor

    threads = min(len(items), _threads(at_once))
    if threads < 2:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(threads, "scriptrun-data") as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _threads(at_once: int) -> int:
    asked = os.environ.get("AZUREML_DOWNLOAD_CONCURRENCY", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return at_once


def _report(say: bool, copied: int, of: int, where: str) -> None:
    if say:
        print(f"Copied {copied} files {where}; {of - copied} were there already.")
