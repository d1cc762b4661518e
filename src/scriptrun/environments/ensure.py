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
    BuildCanceled,
    Builder,
    ImageRegistry,
    Lockfile,
    Log,
    ReadyEnvironment,
    Stop,
    builder_class,
    check,
    never,
    platform_tag,
)
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.cache import limit as cache_limit
from scriptrun.environments.cache.folders import CacheFolder
from scriptrun.environments.lookup import find, inspect_cache, locked_builder
from scriptrun.runtime import disks, identity
from scriptrun.runtime.files import read_object, write_atomic
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.later import later
from scriptrun.store import paths, trees
from scriptrun.store.locks import flocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.environments import import_trial
    from scriptrun.environments.cache import listing as cache_listing
    from scriptrun.environments.cache import prune as cache_prune
    from scriptrun.store.locks import leases
else:
    import_trial = later("scriptrun.environments.import_trial")
    cache_listing = later("scriptrun.environments.cache.listing")
    cache_prune = later("scriptrun.environments.cache.prune")
    leases = later("scriptrun.store.locks.leases")

__all__ = ["ReadyEnvironment", "check", "ensure", "find"]


def ensure(
    spec: EnvironmentSpec,
    locks_folder: Path,
    log: Log,
    *,
    upgrade: bool = False,
    lockfile: Lockfile | None = None,
    stop: Stop = never,
    cache: CacheFolder = None,
    registry: ImageRegistry | None = None,
) -> ReadyEnvironment:
    """Lock and build the environment unless it is cached; one build at a time on this machine.

    ``log`` gets every line of output. ``upgrade`` resolves the request again and replaces its
    lockfile; ``lockfile`` (of an earlier run) is used instead of the workspace's. ``stop`` is
    polled several times a second: true cancels the build. ``cache`` is a shared cache folder; None
    means this machine's own cache. ``registry`` is where the workspace shares its images. Raises
    EnvironmentException, which names the package and the reason, and BuildCanceled.
    """
    began = time.monotonic()
    ready = None if upgrade else find(spec, locks_folder, lockfile, cache)
    if ready is not None:
        return ready
    if builder_class(spec.kind).builds:
        cache_limit.read_limit()  # fails now, not after the build
    builder = _get_builder(
        spec, locks_folder, log, stop, upgrade=upgrade, lockfile=lockfile, registry=registry
    )
    folder, is_new = _find_or_build(builder, log, stop, cache) if builder.builds else (None, False)
    return builder.ready(folder, cached=not is_new, seconds=time.monotonic() - began)


def _get_builder(
    spec: EnvironmentSpec,
    locks_folder: Path,
    log: Log,
    stop: Stop,
    *,
    upgrade: bool,
    lockfile: Lockfile | None,
    registry: ImageRegistry | None,
) -> Builder:
    """The builder with its lockfile; resolves the request if it has none yet."""
    _refuse_other_platform(lockfile)
    builder = None if upgrade else locked_builder(spec, locks_folder, lockfile, registry)
    if builder is not None:
        return builder
    cls = builder_class(spec.kind)
    if not cls.builds:
        return cls(spec, cls.resolve(spec, log, stop), registry)
    path = paths.cache_root() / "locks" / f"environment-request-{spec.digest()[:32]}"
    with _hold_flock(path, "is locking this environment", log, stop):
        builder = None if upgrade else locked_builder(spec, locks_folder, registry=registry)
        if builder is not None:
            return builder
        log(f"Locking {_label(spec)}.")
        new_lockfile = lockfiles.store(
            locks_folder, spec, cls.resolve(spec, log, stop), upgrade=upgrade
        )
        return cls(spec, new_lockfile, registry)


def _refuse_other_platform(lockfile: Lockfile | None) -> None:
    if lockfile is not None and lockfile.get("platform") != platform_tag():
        raise EnvironmentException(
            f"The lockfile is for {lockfile.get('platform')}, but this machine is "
            f"{platform_tag()}.",
            "Submit the job again on this machine to lock it for this platform.",
        )


def _find_or_build(builder: Builder, log: Log, stop: Stop, cache: CacheFolder) -> tuple[str, bool]:
    """The folder of the build, and whether this call built it."""
    key = builder.key()
    folder, reason = inspect_cache(builder, cache)
    if folder is not None and not reason:
        cache_folders.touch(folder)
        return folder, False
    with (
        _hold_flock(cache_folders.flock_path(key), "is building this environment", log, stop),
        _hold_lease(key, log, cache),
    ):
        folder, reason = inspect_cache(builder, cache)
        if folder is not None and not reason:
            cache_folders.touch(folder)
            return folder, False
        return _build(builder, reason, log, stop, cache), True


@contextmanager
def _hold_lease(key: str, log: Log, cache: CacheFolder) -> Iterator[None]:
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
    why = f" again, because {reason}" if reason else ""
    log(f"Building {_label(builder.spec)}{why}.")
    folder = _reserve_folder(key, cache)
    try:
        builder.build(folder, log, stop)
        problem = builder.why_unhealthy(folder)
        if problem:
            raise EnvironmentException(f"The environment is broken after its build: {problem}.")
        import_trial.record(builder, folder, log, stop)
        seconds = round(time.monotonic() - began, 3)
        _mark(builder, folder, seconds)
    except OSError as error:
        cache_folders.discard(folder)
        raise _cannot_write(folder, error) from error
    except BaseException:
        cache_folders.discard(folder)
        raise
    log(f"Built in {seconds:.1f} s: {folder}")
    if cache is None:  # in a shared cache, other machines may still use the older ones
        _discard_older(key, folder)
        cache_prune.enforce_limit(folder, log)
    return folder


def _reserve_folder(key: str, cache: CacheFolder) -> str:
    """Reserve an empty folder and remove what killed builds left behind."""
    unfinished = cache_folders.unfinished(key, cache)
    try:
        folder = cache_folders.reserve(key, cache)
    except OSError as error:
        raise _cannot_write(cache_folders.key_folder(key, cache), error) from error
    for leftover in unfinished:
        cache_folders.discard(leftover)
    return folder


def _cannot_write(path: str, error: OSError) -> EnvironmentException:
    return EnvironmentException(
        f"The environment build failed: cannot write {str(path)!r}: {disks.describe(error, path)}.",
        "Free some disk space, or set SCRIPTRUN_CACHE to another folder.",
    )


def _discard_older(key: str, folder: str) -> None:
    """Remove the builds that ``folder`` replaces, except those in use by a process."""
    for number in cache_folders.numbers(key):
        older = os.path.join(cache_folders.key_folder(key), str(number))
        if older != folder and not cache_listing.pids_using(older):
            cache_folders.discard(older)


def _mark(builder: Builder, folder: str, seconds: float) -> None:
    cache_folders.mark(
        folder,
        {
            "format": 1,
            "key": builder.key(),
            "kind": builder.kind,
            "names": [builder.spec.name] if builder.spec.name else [],
            "built": time.time(),
            "seconds": seconds,
            "size": builder.external_size(folder) or trees.size(folder),
            "lock": builder.lockfile,
        },
    )


def _label(spec: EnvironmentSpec) -> str:
    return f"environment '{spec.name}'" if spec.name else "the environment"


@contextmanager
def _hold_flock(path: Path, action: str, log: Log, stop: Stop) -> Iterator[None]:
    """Hold the file lock ``path``; log once which process it waits for."""
    try:
        flock = flocks.try_flock(path)
    except OSError as error:
        raise _cannot_write(str(path), error) from error
    if flock is None:
        log(f"Waiting for {_holder(path)}, which {action}.")
        while flock is None:
            if stop():
                raise BuildCanceled("Waiting for the environment was canceled.")
            time.sleep(0.05)
            flock = flocks.try_flock(path)
    with flock:
        owner = {"pid": os.getpid(), "host": identity.host()}
        write_atomic(f"{path}.owner", json.dumps(owner).encode(), durable=False)
        yield


def _holder(path: Path) -> str:
    owner = read_object(f"{path}.owner") or {}
    pid, host = owner.get("pid"), owner.get("host")
    return f"process {pid} on {host}" if pid else "another process"
