"""Look up a cached environment within milliseconds, without starting a process."""

from __future__ import annotations

import time
from pathlib import Path

from scriptrun.environments import locks as lockfiles
from scriptrun.environments.builder import (
    Builder,
    ImageRegistry,
    Lockfile,
    ReadyEnvironment,
    builder_class,
)
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.cache.folders import CacheFolder
from scriptrun.spec.environment import EnvironmentSpec


def find(
    spec: EnvironmentSpec,
    locks_folder: Path,
    lockfile: Lockfile | None = None,
    cache: CacheFolder = None,
) -> ReadyEnvironment | None:
    """The environment if it is locked, built and healthy, else None. Starts no process.

    ``locks_folder`` is the workspace's folder of lockfiles. ``lockfile`` (of an earlier run) is
    used instead of the workspace's, for exactly the same environment. ``cache`` is the cache
    folder.
    """
    began = time.monotonic()
    builder = locked_builder(spec, locks_folder, lockfile)
    if builder is None:
        return None
    folder, problem = inspect_cache(builder, cache)
    if problem or (folder is None and builder.builds):
        return None
    if folder is not None:
        cache_folders.touch(folder)
    return builder.ready(folder, cached=True, seconds=time.monotonic() - began)


def locked_builder(
    spec: EnvironmentSpec,
    locks_folder: Path,
    lockfile: Lockfile | None = None,
    registry: ImageRegistry | None = None,
) -> Builder | None:
    """The builder of ``spec`` with its lockfile; None if it has none yet."""
    cls = builder_class(spec.kind)
    if not cls.builds:
        lockfile = cls.quick_lockfile(spec)  # an interpreter is used as it is now
    elif lockfile is None:
        lockfile = lockfiles.read(locks_folder, spec)
    return cls(spec, lockfile, registry) if lockfile else None


def inspect_cache(builder: Builder, cache: CacheFolder = None) -> tuple[str | None, str]:
    """The folder of the build in ``cache`` (or None), and why it must be built again, or ""."""
    if not builder.builds:
        return None, builder.why_unhealthy("")
    key = builder.key()
    built = cache_folders.newest_complete(key, cache)
    if built is None:
        return None, "its build was interrupted" if cache_folders.unfinished(key, cache) else ""
    return built[0], builder.why_unhealthy(built[0])
