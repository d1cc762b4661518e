"""The environments that a workspace knows: its registered ones, and the curated ones."""

from __future__ import annotations

from scriptrun.config import curated
from scriptrun.config.environment import Environment, is_reserved
from scriptrun.spec.errors import EnvironmentException, UserErrorException
from scriptrun.spec.hints import TYPE_CHECKING
from scriptrun.store import registry

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
    number = int(version) if version else versions[-1]
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


def _hint(workspace: Home, name: str) -> str:
    import difflib

    known = [*_shelf(workspace).names(), *curated.names()]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    meant = f"Did you mean {', '.join(near)}? " if near else ""
    return f"{meant}`scriptrun env list` shows all; environment.register(workspace) adds one."


def _shelf(workspace: Home) -> registry.Registry:
    return registry.Registry(workspace.directory / "environments")
