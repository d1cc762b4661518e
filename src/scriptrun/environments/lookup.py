"""Is it there already? Looked up without starting a process, within milliseconds."""

from __future__ import annotations

import time
from pathlib import Path

from scriptrun.environments import locks as lockfiles
from scriptrun.environments.builder import Builder, Lock, Ready, builder_class
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.spec.environment import EnvironmentSpec


def find(spec: EnvironmentSpec, locks: Path, lock: Lock | None = None) -> Ready | None:
    """The environment if it is locked, built and well; else None. Starts no process.

    ``locks`` is the workspace's directory of locks. ``lock`` stands instead of the workspace's:
    that of an earlier run, to have just the same again.
    """
    began = time.monotonic()
    builder = known_builder(spec, locks, lock)
    if builder is None:
        return None
    place, reason = state(builder)
    if reason or (place is None and builder.builds):
        return None
    if place is not None:
        cache_folders.touch(place)
    return builder.ready(place, cached=True, seconds=time.monotonic() - began)


def known_builder(spec: EnvironmentSpec, locks: Path, lock: Lock | None = None) -> Builder | None:
    """The builder of ``spec`` with the lock that is known for it; None without a lock."""
    cls = builder_class(spec.kind)
    if not cls.builds:
        lock = cls.known(spec)  # an interpreter is as it is now, whatever it was
    elif lock is None:
        lock = lockfiles.read(locks, spec)
    return cls(spec, lock) if lock else None


def state(builder: Builder) -> tuple[str | None, str]:
    """Where the environment stands (None: nowhere), and why it must be built again, or ""."""
    if not builder.builds:
        return None, builder.ill("")
    key = builder.key()
    there = cache_folders.current(key)
    if there is None:
        return None, "its build was cut short" if cache_folders.unfinished(key) else ""
    return there[0], builder.ill(there[0])
