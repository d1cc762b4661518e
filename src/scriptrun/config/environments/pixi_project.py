"""Pixi projects: the conda and PyPI packages of ``pixi.lock``.

py-rattler reads the lockfile (format versions 6 and 7). The request contains the packages for this
machine's platform and for linux-64, so nothing is resolved again.
"""

from __future__ import annotations

import os

from scriptrun.config import yaml_text
from scriptrun.config.environments.conda_dependencies import CondaDependencies
from scriptrun.environments.conda import platforms as conda_platforms
from scriptrun.environments.conda import request as conda_request
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.environments.conda import client as conda_client
else:
    conda_client = later("scriptrun.environments.conda.client")


def of_project(path: str | os.PathLike[str], environment: str) -> CondaDependencies:
    """The packages of ``environment`` in the ``pixi.lock`` of the directory ``path``.

    Raises EnvironmentException if there is no lockfile, or none for this platform.
    """
    lock = os.path.join(os.path.abspath(os.fspath(path)), "pixi.lock")
    if not os.path.isfile(lock):
        raise EnvironmentException(f"{str(lock)!r} does not exist.", "Create it with: pixi lock")
    if not conda_request.is_installed():
        raise EnvironmentException(
            f"Reading {str(lock)!r} requires py-rattler.", f"Run: {conda_request.INSTALL}"
        )
    own = conda_platforms.subdir()
    try:
        with conda_client.asking(lambda _: None, lambda: False) as ask:
            found = ask("read_lock", path=lock, environment=environment)
    except EnvironmentException as error:
        raise EnvironmentException(
            f"Cannot read {str(lock)!r}: {error.message}", "Recreate it with: pixi lock"
        ) from None
    if found["channels"] is None:
        names = ", ".join(found["environments"])
        raise EnvironmentException(
            f"{str(lock)!r} has no environment {environment!r}.", f"Environments: {names}."
        )
    platforms = {name: each for name, each in found["platforms"].items() if name in (own, _ALSO)}
    if own not in platforms:
        raise EnvironmentException(
            f"{str(lock)!r} has no packages for {own}, only for "
            f"{', '.join(found['platforms'])}.",
            f"Add them with: pixi workspace platform add {own}",
        )
    return _dependencies(found["channels"], platforms, own, lock, environment)


#: the platform of clusters and containers, whatever this machine's is
_ALSO = "linux-64"


def _dependencies(
    channels: list[str], platforms: dict[str, Any], own: str, lock: str, environment: str
) -> CondaDependencies:
    options = _indexes(lock, environment)
    locked = {
        name: {"conda": each["conda"], "pip": [_line(one, lock) for one in each["pypi"]]}
        for name, each in platforms.items()
    }
    packages = [f"{one['name']}={one['version']}={one['build']}" for one in locked[own]["conda"]]
    pip = locked[own]["pip"]
    dependencies: list[Any] = [*sorted(packages)]
    dependencies += [{"pip": [*options, "--no-deps", *pip]}] if pip else []
    return CondaDependencies.from_dict(
        {"channels": channels, "dependencies": dependencies, "locked": locked}
    )


def _line(package: dict[str, Any], lock: str) -> str:
    """A requirement for this package: by digest from an index, else by URL or path."""
    name, location = package["name"], package["location"]
    if location.startswith(("http://", "https://")) and package["sha256"]:
        return f"{name}=={package['version']} --hash=sha256:{package['sha256']}"
    if "://" in location:
        return f"{name} @ {location}"
    place = os.path.normpath(os.path.join(os.path.dirname(lock), location))
    return f"{name} @ file://{place}"


def _indexes(lock: str, environment: str) -> list[str]:
    """Options for the lockfile's extra indexes; the first one is this machine's default."""
    with open(lock, encoding="utf-8") as handle:
        content: Any = yaml_text.plain(yaml_text.load(handle.read(), lock))
    indexes = content["environments"][environment].get("indexes") or []
    return [f"--extra-index-url {each}" for each in indexes[1:]]
