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
    from scriptrun.core.workspace import Workspace
    from scriptrun.runtime.hints import Json


class LockedEnvironment(Value):
    """An environment with its lockfile, which is empty if it was never locked.

    ``requested`` are the requirements in its definition, ``folder`` is its build, or None.
    """

    name: str
    lockfile: Json
    requested: tuple[str, ...]
    key: str | None = None
    folder: str | None = None

    @property
    def packages(self) -> dict[str, str]:
        """The versions of its packages by name, including ``python``."""
        return compare_runs.packages(self.lockfile)

    def dependency_chains(self) -> dict[str, list[str]]:
        """By package: the chain from a requested package down to it; {} before it is built."""
        folders = site_packages.find_folders(self.folder) if self.folder else ()
        parents = dependency_paths.reverse_dependencies(folders, self.folder or "")
        return {
            name: dependency_paths.shortest_chain(name, parents, self.requested)
            for name in sorted(parents)
        }


def find(workspace: Workspace, text: str, interpreter: str | None = None) -> LockedEnvironment:
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
        return _from_cache(text) or _from_run(workspace, text, error)
    spec = build_environment.spec_of(environment, interpreter)
    plan = build_environment.plan(workspace, spec)
    return LockedEnvironment(text, plan.lock or {}, _requested(spec), plan.key, plan.place)


def _from_cache(text: str) -> LockedEnvironment | None:
    """The cached environment with the key or name ``text``, or None."""
    key = _find_key(text)
    built = cache_folders.newest_complete(key) if key else None
    if key is None or built is None:
        return None
    lockfile = built[1].get("lock", {})
    return LockedEnvironment(
        key[:12], lockfile, tuple(lockfile.get("requested", ())), key, built[0]
    )


def _find_key(text: str) -> str | None:
    """The key of the last used environment named ``text``, else the key with that prefix."""
    try:
        keys = (
            environment.key
            for environment in cache_listing.list_environments()
            if text in environment.names
        )
        return next(keys, "") or cache_listing.expand_key(text)
    except EnvironmentException:
        return None


def _from_run(workspace: Workspace, text: str, error: EnvironmentException) -> LockedEnvironment:
    try:
        run = Run.find(workspace, text)
    except UserErrorException:
        raise UserErrorException(
            f"{text!r} is not an environment, an environment key or a run.", error.hint
        ) from None
    facts = run.get_details().get("environment") or {}
    lockfile = environment_record.read_lockfile(run.path) or {}
    key = facts.get("key")
    built = cache_folders.newest_complete(key) if key else None
    return LockedEnvironment(
        run.id, lockfile, _requested(run.job.environment), key, built[0] if built else None
    )


def _requested(spec: EnvironmentSpec) -> tuple[str, ...]:
    return (*spec.conda, *spec.pip, *spec.brought)
