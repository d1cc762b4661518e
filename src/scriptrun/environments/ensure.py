"""Build each environment once: look up, lock, look up again, build, check, write the marker."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scriptrun.environments import locks as lockfiles
from scriptrun.environments.builder import (
    Builder,
    Lock,
    Log,
    Ready,
    Registry,
    Stop,
    Stopped,
    builder_class,
    check,
    never,
    platform_tag,
)
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.cache import limit as cache_limit
from scriptrun.environments.cache.folders import CacheFolder
from scriptrun.environments.lookup import find, known_builder, state
from scriptrun.runtime import identity
from scriptrun.runtime.files import read_json, write_atomic
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.later import later
from scriptrun.store import paths
from scriptrun.store.locks import flocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.environments.cache import listing as cache_listing
    from scriptrun.environments.cache import prune as cache_prune
    from scriptrun.store.locks import leases
else:
    cache_listing = later("scriptrun.environments.cache.listing")
    cache_prune = later("scriptrun.environments.cache.prune")
    leases = later("scriptrun.store.locks.leases")

__all__ = ["Ready", "check", "ensure", "find"]


def ensure(
    spec: EnvironmentSpec,
    locks: Path,
    log: Log,
    *,
    upgrade: bool = False,
    lock: Lock | None = None,
    stop: Stop = never,
    cache: CacheFolder = None,
    registry: Registry | None = None,
) -> Ready:
    """Lock and build the environment unless it is cached; one build at a time on this machine.

    ``log`` gets every line of output. ``upgrade`` resolves the request again and replaces its
    lockfile; ``lock`` (of an earlier run) is used instead of the workspace's. ``stop`` is polled
    several times a second: true cancels the build. ``cache`` is a shared cache folder; None means
    this machine's own cache. ``registry`` is where the workspace shares its images. Raises
    EnvironmentException, which names the package and the reason, and BuildCanceled.
    """
    began = time.monotonic()
    there = None if upgrade else find(spec, locks, lock, cache)
    if there is not None:
        return there
    if builder_class(spec.kind).builds:
        cache_limit.given()  # fails now, not after the build
    builder = _locked(spec, locks, log, stop, upgrade=upgrade, lock=lock, registry=registry)
    place, built = _built(builder, log, stop, cache) if builder.builds else (None, False)
    return builder.ready(place, cached=not built, seconds=time.monotonic() - began)


def _locked(
    spec: EnvironmentSpec,
    locks: Path,
    log: Log,
    stop: Stop,
    *,
    upgrade: bool,
    lock: Lock | None,
    registry: Registry | None,
) -> Builder:
    """The builder with its lockfile; resolves the request if it has none yet."""
    _refuse_foreign(lock)
    builder = None if upgrade else known_builder(spec, locks, lock, registry)
    if builder is not None:
        return builder
    cls = builder_class(spec.kind)
    if not cls.builds:
        return cls(spec, cls.resolve(spec, log, stop), registry)
    path = paths.cache_root() / "locks" / f"environment-request-{spec.digest()[:32]}"
    with _alone(path, "is locking this environment", log, stop):
        builder = None if upgrade else known_builder(spec, locks, registry=registry)
        if builder is not None:
            return builder
        log(f"Locking {_named(spec)}.")
        made = lockfiles.keep(locks, spec, cls.resolve(spec, log, stop), upgrade=upgrade)
        return cls(spec, made, registry)


def _refuse_foreign(lock: Lock | None) -> None:
    if lock is not None and lock.get("platform") != platform_tag():
        raise EnvironmentException(
            f"The lockfile is for {lock.get('platform')}, but this machine is "
            f"{platform_tag()}.",
            "Submit the job again on this machine to lock it for this platform.",
        )


def _built(builder: Builder, log: Log, stop: Stop, cache: CacheFolder) -> tuple[str, bool]:
    """The folder of the build, and whether this call built it."""
    key = builder.key()
    place, reason = state(builder, cache)
    if place is not None and not reason:
        cache_folders.touch(place)
        return place, False
    with (
        _alone(cache_folders.build_lock(key), "is building this environment", log, stop),
        _leased(key, log, cache),
    ):
        place, reason = state(builder, cache)
        if place is not None and not reason:
            cache_folders.touch(place)
            return place, False
        return _build(builder, reason, log, stop, cache), True


@contextmanager
def _leased(key: str, log: Log, cache: CacheFolder) -> Iterator[None]:
    """Hold the environment's lease if other machines may build it in the shared ``cache``."""
    if cache is None:
        yield
        return
    path = os.path.join(cache_folders.root(cache), f"{key}.lease")
    try:
        with leases.lease(path, lambda: log("Waiting for another machine to build it.")):
            yield
    except PermissionError as error:
        raise _cannot_write(cache_folders.root(cache), error) from error


def _build(builder: Builder, reason: str, log: Log, stop: Stop, cache: CacheFolder) -> str:
    began, key = time.monotonic(), builder.key()
    again = f" again, because {reason}" if reason else ""
    log(f"Building {_named(builder.spec)}{again}.")
    place = _new_place(key, cache)
    try:
        builder.build(place, log, stop)
        trouble = builder.ill(place)
        if trouble:
            raise EnvironmentException(f"The environment is broken after its build: {trouble}.")
        seconds = round(time.monotonic() - began, 3)
        _mark(builder, place, seconds)
    except OSError as error:
        cache_folders.discard(place)
        raise _cannot_write(place, error) from error
    except BaseException:
        cache_folders.discard(place)
        raise
    log(f"Built in {seconds:.1f} s: {place}")
    if cache is None:  # in a shared cache, other machines may still use the older ones
        _discard_older(key, place)
        cache_prune.keep_within(place, log)
    return place


def _new_place(key: str, cache: CacheFolder) -> str:
    """Reserve an empty folder and remove what killed builds left behind."""
    left = cache_folders.unfinished(key, cache)
    try:
        place = cache_folders.reserve(key, cache)
    except OSError as error:
        raise _cannot_write(cache_folders.of_key(key, cache), error) from error
    for old in left:
        cache_folders.discard(old)
    return place


def _cannot_write(place: str, error: OSError) -> EnvironmentException:
    return EnvironmentException(
        f"The environment build failed: cannot write {str(place)!r}: {error.strerror or error}.",
        "Free some disk space, or set SCRIPTRUN_CACHE to another folder.",
    )


def _discard_older(key: str, place: str) -> None:
    """Remove the builds that ``place`` replaces, except those in use by a process."""
    for number in cache_folders.numbers(key):
        older = os.path.join(cache_folders.of_key(key), str(number))
        if older != place and not cache_listing.users(older):
            cache_folders.discard(older)


def _mark(builder: Builder, place: str, seconds: float) -> None:
    cache_folders.mark(
        place,
        {
            "format": 1,
            "key": builder.key(),
            "kind": builder.kind,
            "names": [builder.spec.name] if builder.spec.name else [],
            "built": time.time(),
            "seconds": seconds,
            "size": builder.size(place) or cache_listing.size_of(place),
            "lock": builder.lock,
        },
    )


def _named(spec: EnvironmentSpec) -> str:
    return f"environment '{spec.name}'" if spec.name else "the environment"


@contextmanager
def _alone(path: Path, doing: str, log: Log, stop: Stop) -> Iterator[None]:
    """Hold the file lock ``path``; log once which process it waits for."""
    try:
        taken = flocks.try_flock(path)
    except OSError as error:
        raise _cannot_write(str(path), error) from error
    if taken is None:
        log(f"Waiting for {_holder(path)}, which {doing}.")
        while taken is None:
            if stop():
                raise Stopped("Waiting for the environment was canceled.")
            time.sleep(0.05)
            taken = flocks.try_flock(path)
    with taken:
        owner = {"pid": os.getpid(), "host": identity.host()}
        write_atomic(f"{path}.owner", json.dumps(owner).encode())
        yield


def _holder(path: Path) -> str:
    owner = read_json(f"{path}.owner") or {}
    return f"process {owner['pid']} on {owner['host']}" if owner.get("pid") else "another process"
