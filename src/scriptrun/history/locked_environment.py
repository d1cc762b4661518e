"""Find the lockfile of an environment by its name, its key or a run."""

from __future__ import annotations

from scriptrun.core.run import Run
from scriptrun.environments import dependency_paths, site_packages
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.cache import listing as cache_listing
from scriptrun.history import compare as compare_runs
from scriptrun.preparation import build as build_environment
from scriptrun.preparation import environment_record
from scriptrun.registry import environments as environment_registry
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException, UserErrorException
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.core.workspace import Workspace


class Locked(Value):
    """An environment with its lockfile, which is empty if it was never locked.

    ``requested`` are the requirements in its definition, ``folder`` is its build, or None.
    """

    name: str
    lock: dict[str, Any]
    asked: tuple[str, ...]
    key: str | None = None
    place: str | None = None

    @property
    def packages(self) -> dict[str, str]:
        """The versions of its packages by name, including ``python``."""
        return compare_runs.packages(self.lock)

    def why(self) -> dict[str, list[str]]:
        """By package: the chain from a requested package down to it; {} before it is built."""
        folders = site_packages.of_prefix(self.place) if self.place else ()
        parents = dependency_paths.pulled_by(folders, self.place or "")
        return {name: dependency_paths.chain(name, parents, self.asked) for name in sorted(parents)}


def of(workspace: Workspace, text: str, interpreter: str | None = None) -> Locked:
    """Find the environment ``text``: ``NAME[:VERSION]``, a key or name in the cache, or a run.

    ``interpreter`` is used by an environment that names none. Raises UserErrorException if nothing
    matches.
    """
    name, _, version = text.partition(":")
    try:
        environment = environment_registry.get(workspace, name, version or None)
    except EnvironmentException as error:
        if version:
            raise
        return _built(text) or _of_run(workspace, text, error)
    spec = build_environment.spec_of(environment, interpreter)
    plan = build_environment.plan(workspace, spec)
    return Locked(text, plan.lock or {}, _asked(spec), plan.key, plan.place)


def _built(text: str) -> Locked | None:
    """The cached environment with the key or name ``text``, or None."""
    key = _key(text)
    there = cache_folders.current(key) if key else None
    if key is None or there is None:
        return None
    lock = there[1].get("lock", {})
    return Locked(key[:12], lock, tuple(lock.get("requested", ())), key, there[0])


def _key(text: str) -> str | None:
    """The key of the last used environment named ``text``, else the key with that prefix."""
    try:
        named = (each.key for each in cache_listing.listing() if text in each.names)
        return next(named, "") or cache_listing.whole_key(text)
    except EnvironmentException:
        return None


def _of_run(workspace: Workspace, text: str, error: EnvironmentException) -> Locked:
    try:
        run = Run.find(workspace, text)
    except UserErrorException:
        raise UserErrorException(
            f"{text!r} is not an environment, an environment key or a run.", error.hint
        ) from None
    facts = run.get_details().get("environment") or {}
    lock = environment_record.read_lock(run.path) or {}
    key = facts.get("key")
    there = cache_folders.current(key) if key else None
    return Locked(run.id, lock, _asked(run.job.environment), key, there[0] if there else None)


def _asked(spec: EnvironmentSpec) -> tuple[str, ...]:
    return (*spec.conda, *spec.pip)
