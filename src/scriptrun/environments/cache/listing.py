"""The environment cache: list its contents, plan a build, remove an environment."""

from __future__ import annotations

import os
import time
from pathlib import Path

from scriptrun.environments import build_plan
from scriptrun.environments.builder import ImageRegistry, Lockfile, builder_class, check
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.cache import usage as cache_usage
from scriptrun.environments.lookup import inspect_cache, locked_builder
from scriptrun.spec import ids
from scriptrun.spec.environment import IMAGE, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.values import Value
from scriptrun.store import container_tool, trees
from scriptrun.store.locks import flocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


class BuildPlan(Value):
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
    lock: Lockfile | None = None


class BuiltEnvironment(Value):
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

    def record(self) -> Json:
        """As a JSON value, with times in ISO 8601."""
        return ids.with_iso_times(self.as_dict(), "built", "used")


def plan(
    spec: EnvironmentSpec, locks_folder: Path, registry: ImageRegistry | None = None
) -> BuildPlan:
    """What a build of ``spec`` would do now; builds, downloads and writes nothing.

    It may run programs: an interpreter for its version, uv for the Pythons that it can download,
    the container tool for the layers in its store.
    """
    problems = tuple(check(spec))
    builder = None if problems else locked_builder(spec, locks_folder, registry=registry)
    if builder is None:
        steps = () if problems else build_plan.steps_without_lockfile(spec)
        return BuildPlan(locked=False, cached=False, steps=steps, reasons=problems)
    folder, problem = inspect_cache(builder)
    key = builder.key()
    is_ready = not problem and (folder is not None or not builder.builds)
    built = cache_folders.newest_complete(key)
    return BuildPlan(
        locked=True,
        cached=is_ready,
        steps=()
        if is_ready
        else build_plan.steps_from_lockfile(spec, builder.lockfile, key, problem, builder.registry),
        last_seconds=built[1].get("seconds") if built else None,
        key=key,
        place=folder,
        lock=builder.lockfile,
    )


def problems(spec: EnvironmentSpec) -> list[str]:
    """Problems with building ``spec`` here that are known without resolving it."""
    tool_problem = container_tool.problem() if spec.kind == IMAGE else ""
    if tool_problem:
        return [
            f"images require a container tool, but {tool_problem}. {container_tool.INSTALL_HINT}."
        ]
    return check(spec)


def list_environments() -> list[BuiltEnvironment]:
    """All environments in this machine's cache, the last used first."""
    try:
        keys = os.listdir(cache_folders.root())
    except FileNotFoundError:
        return []
    entries = [entry for key in keys if (entry := _read_environment(key)) is not None]
    return sorted(entries, key=lambda entry: entry.used, reverse=True)


def remove(key: str) -> None:
    """Remove the environment of ``key`` (or a unique prefix of it) from the cache.

    Also removes what it stored elsewhere (an image in the container tool's store). Raises
    EnvironmentException if it does not exist, is being built, or is in use.
    """
    key = expand_key(key)
    flock = flocks.try_flock(cache_folders.flock_path(key))
    if flock is None:
        raise EnvironmentException(
            f"Environment {key} is being built.", "Wait until the build finishes."
        )
    with flock:
        pids = pids_using(cache_folders.key_folder(key))
        if pids:
            raise EnvironmentException(
                f"Environment {key} is in use by process {', '.join(map(str, pids))}.",
                "Cancel the runs that use it, or wait for them to finish.",
            )
        built = cache_folders.newest_complete(key)
        if built is not None and built[1].get("kind"):
            builder_class(built[1]["kind"]).remove_external(built[0])
        cache_folders.discard_all(key)


def pids_using(folder: str) -> list[int]:
    """The IDs of this machine's processes that run an interpreter or script in ``folder``."""
    import psutil

    prefix = folder + os.sep
    pids = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if any(argument.startswith(prefix) for argument in process.info["cmdline"] or ()):
            pids.append(int(process.info["pid"]))
    return sorted(pids)


def expand_key(prefix: str) -> str:
    """The only key that starts with ``prefix``. Raises EnvironmentException otherwise."""
    keys = os.listdir(cache_folders.root()) if os.path.isdir(cache_folders.root()) else []
    matches = [key for key in keys if prefix and key.startswith(prefix)]
    if len(matches) == 1:
        return matches[0]
    problem = "is ambiguous" if matches else "does not exist"
    raise EnvironmentException(
        f"Environment key {prefix!r} {problem}.",
        "To list built environments, run: scriptrun env list",
    )


def _read_environment(key: str) -> BuiltEnvironment | None:
    built = cache_folders.newest_complete(key)
    if built is None:
        return None
    folder, marker = built
    lockfile = marker.get("lock", {})
    return BuiltEnvironment(
        key=key,
        place=folder,
        names=tuple(marker.get("names", ())),
        python=str(lockfile.get("python") or ""),
        packages=build_plan.package_count(lockfile),
        size=int(marker.get("size") or trees.size(folder)),
        built=float(marker.get("built", 0.0)),
        used=cache_folders.last_use(folder),
        seconds=float(marker.get("seconds", 0.0)),
        kind=str(marker.get("kind", "")),
        runs=tuple(
            os.path.basename(path) for path in cache_usage.read_runs(cache_folders.key_folder(key))
        ),
    )


def age(environment: BuiltEnvironment) -> float:
    """Seconds since ``environment`` was last used."""
    return max(0.0, time.time() - environment.used)
