"""Look up a cached environment within milliseconds, without starting a process."""

from __future__ import annotations

import time
from pathlib import Path

from scriptrun.environments import locks as lockfiles
from scriptrun.environments.builder import Builder, Lock, Ready, Registry, builder_class
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.cache.folders import CacheFolder
from scriptrun.spec.environment import EnvironmentSpec


def find(
    spec: EnvironmentSpec, locks: Path, lock: Lock | None = None, cache: CacheFolder = None
) -> Ready | None:
    """The environment if it is locked, built and healthy, else None. Starts no process.

    ``locks`` is the workspace's folder of lockfiles. ``lock`` (of an earlier run) is used instead
    of the workspace's, for exactly the same environment. ``cache`` is the cache folder.
    """
    began = time.monotonic()
    builder = known_builder(spec, locks, lock)
    if builder is None:
        return None
    place, reason = state(builder, cache)
    if reason or (place is None and builder.builds):
        return None
    if place is not None:
        cache_folders.touch(place)
    return builder.ready(place, cached=True, seconds=time.monotonic() - began)


def known_builder(
    spec: EnvironmentSpec,
    locks: Path,
    lock: Lock | None = None,
    registry: Registry | None = None,
) -> Builder | None:
    """The builder of ``spec`` with its lockfile; None if it has none yet."""
    cls = builder_class(spec.kind)
    if not cls.builds:
        lock = cls.known(spec)  # an interpreter is used as it is now
    elif lock is None:
        lock = lockfiles.read(locks, spec)
    return cls(spec, lock, registry) if lock else None


def state(builder: Builder, cache: CacheFolder = None) -> tuple[str | None, str]:
    """The folder of the build in ``cache`` (or None), and why it must be built again, or ""."""
    if not builder.builds:
        return None, builder.ill("")
    key = builder.key()
    there = cache_folders.current(key, cache)
    if there is None:
        return None, "its build was interrupted" if cache_folders.unfinished(key, cache) else ""
    return there[0], builder.ill(there[0])
