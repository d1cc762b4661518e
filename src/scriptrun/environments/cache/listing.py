"""The environment cache: list its contents, plan a build, remove an environment."""

from __future__ import annotations

import os
import time
from pathlib import Path

from scriptrun.environments import build_plan
from scriptrun.environments.builder import Lock, Registry, builder_class, check
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.cache import usage as cache_usage
from scriptrun.environments.lookup import known_builder, state
from scriptrun.spec.environment import IMAGE, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.values import Value
from scriptrun.store import container_tool
from scriptrun.store.locks import flocks


class Plan(Value):
    """What ``ensure`` would do: ``steps`` are sentences; ``last_seconds`` is how long the last
    build took.
    """

    locked: bool
    cached: bool
    steps: tuple[str, ...]
    reasons: tuple[str, ...] = ()
    last_seconds: float | None = None
    key: str | None = None
    place: str | None = None
    lock: Lock | None = None


class Entry(Value):
    """One built environment: sizes in bytes, times in seconds since 1970 (UTC).

    ``runs`` are the IDs of the runs that used it, newest first.
    """

    key: str
    place: str
    names: tuple[str, ...]
    python: str
    packages: int
    size: int
    built: float
    used: float
    seconds: float
    kind: str = ""
    runs: tuple[str, ...] = ()


def plan(spec: EnvironmentSpec, locks: Path, registry: Registry | None = None) -> Plan:
    """What a build of ``spec`` would do now; builds, downloads and writes nothing.

    It may run programs: an interpreter for its version, uv for the Pythons that it can download,
    the container tool for the layers in its store.
    """
    reasons = tuple(check(spec))
    builder = None if reasons else known_builder(spec, locks, registry=registry)
    if builder is None:
        steps = () if reasons else build_plan.unlocked(spec)
        return Plan(locked=False, cached=False, steps=steps, reasons=reasons)
    place, ill = state(builder)
    key = builder.key()
    well = not ill and (place is not None or not builder.builds)
    there = cache_folders.current(key)
    return Plan(
        locked=True,
        cached=well,
        steps=() if well else build_plan.locked(spec, builder.lock, key, ill, builder.registry),
        last_seconds=there[1].get("seconds") if there else None,
        key=key,
        place=place,
        lock=builder.lock,
    )


def troubles(spec: EnvironmentSpec) -> list[str]:
    """Problems with building ``spec`` here that are known without resolving it."""
    lacking = container_tool.problem() if spec.kind == IMAGE else ""
    if lacking:
        return [f"images require a container tool, but {lacking}. {container_tool.INSTALL_HINT}."]
    return check(spec)


def listing() -> list[Entry]:
    """All environments in this machine's cache, the last used first."""
    try:
        keys = os.listdir(cache_folders.root())
    except FileNotFoundError:
        return []
    entries = [entry for key in keys if (entry := _entry(key)) is not None]
    return sorted(entries, key=lambda entry: entry.used, reverse=True)


def remove(key: str) -> None:
    """Remove the environment of ``key`` (or a unique prefix of it) from the cache.

    Also removes what it stored elsewhere (an image in the container tool's store). Raises
    EnvironmentException if it does not exist, is being built, or is in use.
    """
    key = whole_key(key)
    lock = flocks.try_flock(cache_folders.build_lock(key))
    if lock is None:
        raise EnvironmentException(
            f"Environment {key} is being built.", "Wait until the build finishes."
        )
    with lock:
        pids = users(cache_folders.of_key(key))
        if pids:
            raise EnvironmentException(
                f"Environment {key} is in use by process {', '.join(map(str, pids))}.",
                "Cancel the runs that use it, or wait for them to finish.",
            )
        there = cache_folders.current(key)
        if there is not None and there[1].get("kind"):
            builder_class(there[1]["kind"]).let_go(there[0])
        cache_folders.discard_all(key)


def users(folder: str) -> list[int]:
    """The IDs of this machine's processes that run an interpreter or script in ``folder``."""
    import psutil

    inside = folder + os.sep
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if any(word.startswith(inside) for word in process.info["cmdline"] or ()):
            found.append(int(process.info["pid"]))
    return sorted(found)


def whole_key(beginning: str) -> str:
    """The only key that starts with ``beginning``. Raises EnvironmentException otherwise."""
    keys = os.listdir(cache_folders.root()) if os.path.isdir(cache_folders.root()) else []
    fitting = [key for key in keys if beginning and key.startswith(beginning)]
    if len(fitting) == 1:
        return fitting[0]
    what = "is ambiguous" if fitting else "does not exist"
    raise EnvironmentException(
        f"Environment key {beginning!r} {what}.",
        "To list built environments, run: scriptrun env list",
    )


def _entry(key: str) -> Entry | None:
    there = cache_folders.current(key)
    if there is None:
        return None
    place, marker = there
    lock = marker.get("lock", {})
    return Entry(
        key=key,
        place=place,
        names=tuple(marker.get("names", ())),
        python=str(lock.get("python") or ""),
        packages=build_plan.count(lock),
        size=int(marker.get("size") or size_of(place)),
        built=float(marker.get("built", 0.0)),
        used=cache_folders.last_use(place),
        seconds=float(marker.get("seconds", 0.0)),
        kind=str(marker.get("kind", "")),
        runs=tuple(os.path.basename(each) for each in cache_usage.of(cache_folders.of_key(key))),
    )


def size_of(place: str) -> int:
    """The size of ``place`` in bytes, including files linked from uv's cache."""
    total, folders = 0, [place]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue  # removed in the meantime
    return total


def age(entry: Entry) -> float:
    """Seconds since ``entry`` was last used."""
    return max(0.0, time.time() - entry.used)
