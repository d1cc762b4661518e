"""The environments that a workspace knows: registered ones, a team's own, and the curated ones.

A name that an alias stands for means another one, unless an environment is registered under it.
"""

from __future__ import annotations

import fnmatch

from scriptrun.config.environments import curated
from scriptrun.config.environments import team as team_environments
from scriptrun.config.environments.environment import Environment, is_reserved
from scriptrun.config.run_configuration import DEFAULT_ENVIRONMENT
from scriptrun.spec import suggestion
from scriptrun.spec.errors import EnvironmentException, UserErrorException, WorkspaceException
from scriptrun.store import registry, yaml_file
from scriptrun.store.secrets import vault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from scriptrun.registry.workspace_files import Home

#: what holds the aliases, among the registered environments
_ALIASES = ".aliases"


def register(workspace: Home, environment: Environment) -> Environment:
    """Keep ``environment`` as the next version of its name (an unchanged one keeps its).

    Raises UserErrorException for a reserved name.
    """
    name = environment.name or ""
    if is_reserved(name):
        raise UserErrorException(
            f"Environment name {name!r} is reserved for curated environments.",
            "Use another name: environment.clone('my-name').",
        )
    value = environment.to_dict()
    vault.keep_offered()
    value.pop("version", None)
    version = _shelf(workspace).add(name, value)
    kept = Environment.from_dict({**value, "version": str(version)})
    environment.version = str(version)
    return kept


def remember(workspace: Home, environment: Environment) -> None:
    """Register an environment that was submitted, as the SDK v1 did, if it has a name of its own.

    One that came from the registry unchanged stays as it is. Nothing is said where it cannot be
    kept: the run is on its way, and holds its own copy.
    """
    name = environment.name or ""
    if not name or name == DEFAULT_ENVIRONMENT or is_reserved(name):
        return
    value = environment.to_dict()
    version = value.pop("version", None)
    shelf = _shelf(workspace)
    try:
        known = str(version) in map(str, shelf.versions(name))
        if not known or shelf.get(name, int(version)) != yaml_file.plain(value):
            shelf.add(name, value)
    except WorkspaceException:
        pass


def get(workspace: Home, name: str, version: str | None = None) -> Environment:
    """The environment of that name; the latest version unless told otherwise.

    Raises EnvironmentException when there is none.
    """
    versions = _shelf(workspace).versions(name)
    if not versions:
        found = _ready_made(workspace, unaliased(workspace, name))
        if found is not None:
            return found
        raise EnvironmentException(f"Environment {name!r} not found.", _hint(workspace, name))
    number = versions[-1] if version in (None, "") else _number(version)
    if number not in versions:
        raise EnvironmentException(
            f"Environment {name!r} has no version {version}.",
            f"Versions: {', '.join(map(str, versions))}.",
        )
    return Environment.from_dict({**_shelf(workspace).get(name, number), "version": str(number)})


def every(workspace: Home) -> dict[str, Environment]:
    """All environments by name, each in its latest version."""
    found = {}
    aliased = [name for name in aliases(workspace) if not _is_pattern(name)]
    for name in (*curated.names(), *team_environments.names(_team(workspace)), *aliased):
        environment = _ready_made(workspace, unaliased(workspace, name))
        if environment is not None:
            found[name] = environment
    for name in _shelf(workspace).names():
        found[name] = get(workspace, name)
    return found


def _ready_made(workspace: Home, name: str) -> Environment | None:
    """The latest registered one of that name, the team's, or the curated one."""
    versions = _shelf(workspace).versions(name)
    if versions:
        return get(workspace, name, str(versions[-1]))
    return team_environments.get(_team(workspace), name) or curated.get(name)


def is_the_teams(workspace: Home, name: str) -> bool:
    """Whether a file of the team's describes ``name``."""
    return name in team_environments.names(_team(workspace))


def _team(workspace: Home) -> list[Path]:
    return team_environments.directories(workspace.directory / "curated")


def aliases(workspace: Home) -> dict[str, str]:
    """Names, or patterns of names (``AzureML-PyTorch-*``), and what each stands for."""
    return dict(_aliases(workspace).get(_ALIASES) or {})


def set_alias(workspace: Home, name: str, stands_for: str) -> None:
    """Let ``name`` (or all names that match it) mean the environment ``stands_for``.

    Raises EnvironmentException where there is no such environment, UserErrorException where the
    name would mean itself.
    """
    get(workspace, stands_for)
    if fnmatch.fnmatchcase(stands_for.lower(), name.lower()):
        raise UserErrorException(
            f"{name!r} cannot be an alias of {stands_for!r}: it equals or matches that name."
        )
    _aliases(workspace).put(_ALIASES, {**aliases(workspace), name: stands_for})


def remove_alias(workspace: Home, name: str) -> None:
    """Let ``name`` mean itself again. Raises UserErrorException where it is no alias."""
    left = aliases(workspace)
    if left.pop(name, None) is None:
        known = ", ".join(left) or "none"
        hint = f"{suggestion.question(name, left)}Aliases: {known}."
        raise UserErrorException(f"Alias {name!r} does not exist.", hint)
    _aliases(workspace).put(_ALIASES, left)


def unaliased(workspace: Home, name: str) -> str:
    """What ``name`` stands for: itself, where no alias says otherwise. Case does not count."""
    for pattern, stands_for in aliases(workspace).items():
        if fnmatch.fnmatchcase(name.lower(), pattern.lower()):
            return stands_for
    return name


def _is_pattern(name: str) -> bool:
    return any(letter in name for letter in "*?[")


def _aliases(workspace: Home) -> registry.Shelf:
    return registry.Shelf(workspace.directory / "environments")


def _number(version: object) -> int:
    """The number of a version; 0, which no version has, for what is no number."""
    text = str(version)
    return int(text) if text.isascii() and text.isdigit() else 0


def _hint(workspace: Home, name: str) -> str:
    team = team_environments.names(_team(workspace))
    known = [*_shelf(workspace).names(), *team, *curated.names()]
    return f"{suggestion.question(name, known, 3)}To list environments, run: scriptrun env list"


def _shelf(workspace: Home) -> registry.Registry:
    return registry.Registry(workspace.directory / "environments")
