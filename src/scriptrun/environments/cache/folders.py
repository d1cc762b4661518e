"""Where built environments lie: ``environments/<key>/<n>/`` in the local cache, complete or absent.

A place is complete when it holds ``ready.json``, written last. A rebuild goes into the next number,
so that what still runs from the old one is not disturbed, and what a killed builder's children may
still write cannot reach the new one.
"""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun.runtime.files import read_json, to_json, write_atomic
from scriptrun.spec.hints import Any
from scriptrun.store import paths

MARKER = "ready.json"


_elsewhere: list[str] = []


class lying_in:
    """Within the block, environments lie below ``folder``, on a file system that others share.

    None: nothing changes. There nothing is locked: a lease says who builds.
    """

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        self._folder = None if folder is None else os.fspath(folder)

    def __enter__(self) -> None:
        if self._folder is not None:
            _elsewhere.append(self._folder)

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            _elsewhere.pop()


def is_shared() -> bool:
    """Whether other machines build and use environments in the same place."""
    return bool(_elsewhere)


def root() -> str:
    """The directory of all built environments: this machine's, or where ``lying_in`` says."""
    return os.path.join(_elsewhere[-1] if _elsewhere else paths.cache_root(), "environments")


def shelf(key: str) -> str:
    """The directory of everything that was built for ``key``."""
    return os.path.join(root(), key)


def numbers(key: str) -> list[int]:
    """The numbers of the places of ``key``, whole or not, newest first."""
    try:
        names = os.listdir(shelf(key))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted((int(name) for name in names if name.isdigit()), reverse=True)


def current(key: str) -> tuple[str, dict[str, Any]] | None:
    """The newest complete place of ``key`` and its marker."""
    for number in numbers(key):
        place = os.path.join(shelf(key), str(number))
        marker = read_json(os.path.join(place, MARKER))
        if isinstance(marker, dict):
            return place, marker
    return None


def reserve(key: str) -> str:
    """An empty place for the next build of ``key``, under a number that nobody had.

    It is made here and not by the builder: what a killed builder has started, and what goes on
    without it for a moment, must not meet the next one.
    """
    os.makedirs(shelf(key), exist_ok=True)
    place = os.path.join(shelf(key), str(max(numbers(key), default=0) + 1))
    os.mkdir(place)
    return place


def mark(place: str, marker: dict[str, Any]) -> None:
    """Declare ``place`` complete."""
    write_atomic(os.path.join(place, MARKER), to_json(marker))


def touch(place: str) -> None:
    """Note that ``place`` was used now; quietly, where the cache can't be written."""
    try:
        os.utime(os.path.join(place, MARKER))
    except OSError:
        pass


def last_use(place: str) -> float:
    """When ``place`` was handed out last, in seconds since 1970."""
    try:
        return os.stat(os.path.join(place, MARKER)).st_mtime
    except OSError:
        return 0.0


def build_lock(key: str) -> Path:
    """The lock file that whoever builds or removes ``key`` holds."""
    return paths.cache_root() / "locks" / f"environment-build-{key}"


def discard_all(key: str) -> None:
    """Take everything away that was built for ``key``."""
    for number in numbers(key):
        discard(os.path.join(shelf(key), str(number)))
    import shutil

    shutil.rmtree(shelf(key), ignore_errors=True)


def unfinished(key: str) -> list[str]:
    """Places of ``key`` without a marker: what killed builds left."""
    places = [os.path.join(shelf(key), str(number)) for number in numbers(key)]
    return [place for place in places if not os.path.exists(os.path.join(place, MARKER))]


def discard(place: str) -> None:
    """Take ``place`` away: its marker first, so that nobody takes the rest for good."""
    try:
        os.unlink(os.path.join(place, MARKER))
    except OSError:
        pass
    import shutil

    shutil.rmtree(place, ignore_errors=True)
