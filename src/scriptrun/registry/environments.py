"""A workspace's environments: registered, the team's, and curated ones.

An alias refers to another environment, unless one is registered under its name.
"""

from __future__ import annotations

import fnmatch

from scriptrun.config.environments import curated
from scriptrun.config.environments import team as team_environments
from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.config.environments.environment import Environment, is_reserved
from scriptrun.config.run_configuration import DEFAULT_ENVIRONMENT
from scriptrun.spec import requirement_syntax, suggestion
from scriptrun.spec.errors import (
    EnvironmentException,
    UserErrorException,
    WorkspaceException,
    refuse,
)
from scriptrun.spec.later import later
from scriptrun.store import name_rules, records, registry, yaml_file
from scriptrun.store.secrets import vault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from scriptrun.registry import wheels
    from scriptrun.registry.workspace_files import WorkspaceFiles
else:
    wheels = later("scriptrun.registry.wheels")

#: the file of the aliases, among the registered environments
_ALIASES = ".aliases"


def register(workspace: WorkspaceFiles, environment: Environment) -> Environment:
    """Register ``environment`` as the next version of its name (unchanged, it keeps its version).

    Raises UserErrorException for a reserved name, and for pip packages that cannot be parsed.
    """
    name = environment.name or ""
    if is_reserved(name):
        raise UserErrorException(
            f"Environment name {name!r} is reserved for curated environments.",
            "Use another name: environment.clone('my-name').",
        )
    _check_name(workspace, name)
    conda = environment.python.conda_dependencies
    if isinstance(conda, CondaDependencies):
        lines = requirement_syntax.problems(conda.pip_packages)
        refuse(lines, f"Cannot register environment {name!r}")
    value = environment.to_dict()
    vault.store_offered()
    value.pop("version", None)
    version = _environment_registry(workspace).add(name, value)
    registered = Environment.from_dict({**value, "version": str(version)})
    environment.version = str(version)
    return registered


def _check_name(workspace: WorkspaceFiles, name: str) -> None:
    """Raise UserErrorException for an invalid name that no stored environment has."""
    problem = name_rules.problem(name)
    if problem and name and not _environment_registry(workspace).versions(name):
        raise UserErrorException(f"Invalid environment name {name!r}.", problem)


def remember(workspace: WorkspaceFiles, environment: Environment) -> None:
    """Register the environment of a submitted run, as the SDK v1 did, if it has its own name.

    One that came unchanged from the registry is not registered again. A failure is ignored: the run
    has its own copy.
    """
    name = environment.name or ""
    if not name or name == DEFAULT_ENVIRONMENT or is_reserved(name):
        return
    value = environment.to_dict()
    version = value.pop("version", None)
    environments = _environment_registry(workspace)
    try:
        _check_name(workspace, name)
        is_stored = str(version) in map(str, environments.versions(name))
        if not is_stored or environments.get(name, int(version)) != yaml_file.plain(value):
            environments.add(name, value)
    except (WorkspaceException, UserErrorException):
        pass


def get(workspace: WorkspaceFiles, name: str, version: str | None = None) -> Environment:
    """The environment of that name; the latest version by default.

    Raises EnvironmentException if there is none.
    """
    versions = _environment_registry(workspace).versions(name)
    if not versions:
        environment = _find_ready_made(workspace, resolve_alias(workspace, name))
        if environment is not None:
            return environment
        raise EnvironmentException(f"Environment {name!r} not found.", _hint(workspace, name))
    number = versions[-1] if version in (None, "") else _number(version)
    if number not in versions:
        raise EnvironmentException(
            f"Environment {name!r} has no version {version}.",
            f"Versions: {', '.join(map(str, versions))}.",
        )
    value = _environment_registry(workspace).get(name, number)
    if "/.scriptrun/wheels/" in str(value):
        value = wheels.of_workspace(workspace, value)
    return Environment.from_dict({**value, "version": str(number)})


def all_environments(workspace: WorkspaceFiles) -> dict[str, Environment]:
    """The latest versions of all environments, by name."""
    environments = {}
    aliased = [name for name in aliases(workspace) if not _is_pattern(name)]
    for name in (*curated.names(), *team_environments.names(_team(workspace)), *aliased):
        environment = _find_ready_made(workspace, resolve_alias(workspace, name))
        if environment is not None:
            environments[name] = environment
    names = _environment_registry(workspace).names()
    environments.update(records.readable(names, lambda name: (name, get(workspace, name))))
    return environments


def _find_ready_made(workspace: WorkspaceFiles, name: str) -> Environment | None:
    """The registered, team or curated environment of that name, in this order."""
    versions = _environment_registry(workspace).versions(name)
    if versions:
        return get(workspace, name, str(versions[-1]))
    return team_environments.get(_team(workspace), name) or curated.get(name)


def is_team_environment(workspace: WorkspaceFiles, name: str) -> bool:
    """Whether ``name`` is one of the team's environments."""
    return name in team_environments.names(_team(workspace))


def _team(workspace: WorkspaceFiles) -> list[Path]:
    return team_environments.directories(workspace.directory / "curated")


def aliases(workspace: WorkspaceFiles) -> dict[str, str]:
    """Aliases: names or patterns (``AzureML-PyTorch-*``), and the environment of each."""
    return dict(_alias_store(workspace).get(_ALIASES) or {})


def set_alias(workspace: WorkspaceFiles, name: str, stands_for: str) -> None:
    """Make ``name`` (a name or pattern) an alias of the environment ``stands_for``.

    Raises EnvironmentException if there is no such environment, UserErrorException if the alias
    would refer to itself.
    """
    get(workspace, stands_for)
    if fnmatch.fnmatchcase(stands_for.lower(), name.lower()):
        raise UserErrorException(
            f"{name!r} cannot be an alias of {stands_for!r}: it equals or matches that name.",
            "Use an alias that does not match that name.",
        )
    _alias_store(workspace).put(_ALIASES, {**aliases(workspace), name: stands_for})


def remove_alias(workspace: WorkspaceFiles, name: str) -> None:
    """Remove the alias ``name``. Raises UserErrorException if it does not exist."""
    remaining = aliases(workspace)
    if remaining.pop(name, None) is None:
        hint = suggestion.hint(name, remaining, "Aliases")
        raise UserErrorException(f"Alias {name!r} does not exist.", hint)
    _alias_store(workspace).put(_ALIASES, remaining)


def resolve_alias(workspace: WorkspaceFiles, name: str) -> str:
    """The environment that ``name`` refers to: itself unless it is an alias (case-insensitive)."""
    for pattern, stands_for in aliases(workspace).items():
        if fnmatch.fnmatchcase(name.lower(), pattern.lower()):
            return stands_for
    return name


def _is_pattern(name: str) -> bool:
    return any(letter in name for letter in "*?[")


def _alias_store(workspace: WorkspaceFiles) -> registry.NamedValues:
    return registry.NamedValues(workspace.directory / "environments")


def _number(version: object) -> int:
    """The version as a number; 0, which no version has, if it is not one."""
    text = str(version)
    return int(text) if text.isascii() and text.isdigit() else 0


def _hint(workspace: WorkspaceFiles, name: str) -> str:
    team = team_environments.names(_team(workspace))
    known = [*_environment_registry(workspace).names(), *team, *curated.names()]
    return f"{suggestion.question(name, known, 3)}To list environments, run: scriptrun env list"


def _environment_registry(workspace: WorkspaceFiles) -> registry.Registry:
    return registry.Registry(workspace.directory / "environments")
