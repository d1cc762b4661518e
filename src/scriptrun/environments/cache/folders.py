"""Where built environments lie: ``environments/<key>/<n>/`` in the local cache, complete or absent.

A place is complete when it holds ``ready.json``, written last. A rebuild goes into the next number,
so that what still runs from the old one is not disturbed, and what a killed builder's children may
still write cannot reach the new one.
"""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun.runtime.files import read_json, to_json, write_atomic
from scriptrun.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MARKER = "ready.json"


#: the folder, on a file system that others share, below which environments lie; None: this
#: machine's own cache. In a shared one nothing is locked: a lease says who builds.
CacheFolder = str | os.PathLike[str] | None


def root(cache: CacheFolder = None) -> str:
    """The directory of all built environments of ``cache``."""
    return os.path.join(paths.cache_root() if cache is None else cache, "environments")


def of_key(key: str, cache: CacheFolder = None) -> str:
    """The directory of everything that was built for ``key``."""
    return os.path.join(root(cache), key)


def numbers(key: str, cache: CacheFolder = None) -> list[int]:
    """The numbers of the places of ``key``, whole or not, newest first."""
    try:
        names = os.listdir(of_key(key, cache))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted((int(name) for name in names if name.isdigit()), reverse=True)


def current(key: str, cache: CacheFolder = None) -> tuple[str, dict[str, Any]] | None:
    """The newest complete place of ``key`` and its marker."""
    for number in numbers(key, cache):
        place = os.path.join(of_key(key, cache), str(number))
        marker = read_json(os.path.join(place, MARKER))
        if isinstance(marker, dict):
            return place, marker
    return None


def reserve(key: str, cache: CacheFolder = None) -> str:
    """An empty place for the next build of ``key``, under a number that nobody had.

    It is made here and not by the builder: what a killed builder has started, and what goes on
    without it for a moment, must not meet the next one.
    """
    os.makedirs(of_key(key, cache), exist_ok=True)
    place = os.path.join(of_key(key, cache), str(max(numbers(key, cache), default=0) + 1))
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


def discard_all(key: str, cache: CacheFolder = None) -> None:
    """Take everything away that was built for ``key``."""
    for number in numbers(key, cache):
        discard(os.path.join(of_key(key, cache), str(number)))
    import shutil

    shutil.rmtree(of_key(key, cache), ignore_errors=True)


def unfinished(key: str, cache: CacheFolder = None) -> list[str]:
    """Places of ``key`` without a marker: what killed builds left."""
    places = [os.path.join(of_key(key, cache), str(number)) for number in numbers(key, cache)]
    return [place for place in places if not os.path.exists(os.path.join(place, MARKER))]


def discard(place: str) -> None:
    """Take ``place`` away: its marker first, so that nobody takes the rest for good."""
    try:
        os.unlink(os.path.join(place, MARKER))
    except OSError:
        pass
    import shutil

    shutil.rmtree(place, ignore_errors=True)
