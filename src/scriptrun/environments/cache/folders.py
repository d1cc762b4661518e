"""The folders of built environments: ``environments/<key>/<n>/`` in the cache.

A build is complete when its folder holds ``ready.json``, which is written last. A rebuild gets the
next number, so that it does not disturb what still runs from the old folder, and a killed build's
child processes cannot write into the new one.
"""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun.runtime import durability
from scriptrun.runtime.files import names_in, read_object, to_json, write_atomic
from scriptrun.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

MARKER = "ready.json"


#: a cache folder on a shared file system; None: this machine's own cache. In a shared cache, a
#: lease instead of a file lock guards each build.
CacheFolder = str | os.PathLike[str] | None


def root(cache: CacheFolder = None) -> str:
    """The folder of all environments in ``cache``."""
    return os.path.join(paths.cache_root() if cache is None else cache, "environments")


def key_folder(key: str, cache: CacheFolder = None) -> str:
    """The folder of all builds of ``key``."""
    return os.path.join(root(cache), key)


def numbers(key: str, cache: CacheFolder = None) -> list[int]:
    """The numbers of all builds of ``key``, complete or not, newest first."""
    names = names_in(key_folder(key, cache))
    return sorted((int(name) for name in names if name.isascii() and name.isdigit()), reverse=True)


def newest_complete(key: str, cache: CacheFolder = None) -> tuple[str, Json] | None:
    """The folder and the marker of the newest complete build of ``key``, or None."""
    for number in numbers(key, cache):
        folder = os.path.join(key_folder(key, cache), str(number))
        marker = read_object(os.path.join(folder, MARKER))
        if marker is not None and isinstance(marker.get("lock", {}), dict):
            return folder, marker
    return None


def reserve(key: str, cache: CacheFolder = None) -> str:
    """Create an empty folder with a new number for the next build of ``key``.

    It is created here and not by the builder, so that processes left over from a killed build
    never share a folder with the next build.
    """
    if cache is None:
        paths.cache_folder("environments")  # closed to others: uv's lock files are open to all
    os.makedirs(key_folder(key, cache), exist_ok=True)
    folder = os.path.join(key_folder(key, cache), str(max(numbers(key, cache), default=0) + 1))
    os.mkdir(folder)
    return folder


def mark(folder: str, marker: Json) -> None:
    """Mark ``folder`` as complete, once all of it is on the disk."""
    durability.sync_tree(folder)
    write_atomic(os.path.join(folder, MARKER), to_json(marker))


def touch(folder: str) -> None:
    """Record that ``folder`` was used now; does nothing if the cache is not writable."""
    try:
        os.utime(os.path.join(folder, MARKER))
    except OSError:
        pass


def last_use(folder: str) -> float:
    """When ``folder`` was last used, in seconds since 1970."""
    try:
        return os.stat(os.path.join(folder, MARKER)).st_mtime
    except OSError:
        return 0.0


def flock_path(key: str) -> Path:
    """The lock file to hold while building or removing ``key``."""
    return paths.cache_root() / "locks" / f"environment-build-{key}"


def discard_all(key: str, cache: CacheFolder = None) -> None:
    """Remove all builds of ``key``."""
    for number in numbers(key, cache):
        discard(os.path.join(key_folder(key, cache), str(number)))
    import shutil

    shutil.rmtree(key_folder(key, cache), ignore_errors=True)


def unfinished(key: str, cache: CacheFolder = None) -> list[str]:
    """The folders of ``key`` without a marker, left behind by killed builds."""
    folders = [os.path.join(key_folder(key, cache), str(number)) for number in numbers(key, cache)]
    return [folder for folder in folders if not os.path.exists(os.path.join(folder, MARKER))]


def discard(folder: str) -> None:
    """Remove ``folder``, its marker first, so that a partial folder never counts as complete."""
    try:
        os.unlink(os.path.join(folder, MARKER))
    except OSError:
        pass
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
