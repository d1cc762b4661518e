"""The environments that a workspace knows: its registered ones, and the curated ones."""

from __future__ import annotations

from scriptrun.config import curated
from scriptrun.config.environment import Environment, is_reserved
from scriptrun.config.run_configuration import DEFAULT_ENVIRONMENT
from scriptrun.spec.errors import EnvironmentException, UserErrorException, WorkspaceException
from scriptrun.spec.hints import TYPE_CHECKING
from scriptrun.store import registry, yaml_file

if TYPE_CHECKING:
    from scriptrun.home import Home


def register(workspace: Home, environment: Environment) -> Environment:
    """Keep ``environment`` as the next version of its name (an unchanged one keeps its).

    Raises UserErrorException for a reserved name.
    """
    name = environment.name or ""
    if is_reserved(name):
        raise UserErrorException(
            f"The name {name!r} is reserved for curated environments.",
            "Give it another one: environment.clone('my-name').",
        )
    value = environment.to_dict()
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
        found = curated.get(name)
        if found is not None:
            return found
        raise EnvironmentException(
            f"There is no environment named {name!r}.", _hint(workspace, name)
        )
    number = versions[-1] if version in (None, "") else _number(version)
    if number not in versions:
        raise EnvironmentException(
            f"The environment {name!r} has no version {version}.",
            f"It has {', '.join(map(str, versions))}.",
        )
    return Environment.from_dict({**_shelf(workspace).get(name, number), "version": str(number)})


def every(workspace: Home) -> dict[str, Environment]:
    """The registered and the curated environments by name, each in its latest version."""
    found = {}
    for name in curated.names():
        environment = curated.get(name)
        if environment is not None:
            found[name] = environment
    for name in _shelf(workspace).names():
        found[name] = get(workspace, name)
    return found


def _number(version: object) -> int:
    """The number of a version; 0, which no version has, for what is no number."""
    text = str(version)
    return int(text) if text.isascii() and text.isdigit() else 0


def _hint(workspace: Home, name: str) -> str:
    import difflib

    known = [*_shelf(workspace).names(), *curated.names()]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    meant = f"Did you mean {', '.join(near)}? " if near else ""
    return f"{meant}`scriptrun env list` shows all; environment.register(workspace) adds one."


def _shelf(workspace: Home) -> registry.Registry:
    return registry.Registry(workspace.directory / "environments")
