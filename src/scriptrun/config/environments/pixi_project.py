"""Projects of pixi: the packages of ``pixi.lock``, conda's and PyPI's, as they are.

The lock is read by py-rattler, whose format it is (versions 6 and 7). What it holds for this
machine's platform and for linux-64 goes along in the request, so that nothing is solved again.
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

    Raises EnvironmentException where there is no lock, and where it has none for this platform.
    """
    lock = os.path.join(os.path.abspath(os.fspath(path)), "pixi.lock")
    if not os.path.isfile(lock):
        raise EnvironmentException(f"{str(lock)!r} does not exist.", "Create it with: pixi lock")
    if not conda_request.is_here():
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
            f"{str(lock)!r} has no packages for {own}, only for {', '.join(found['platforms'])}.",
            f"Add them with: pixi workspace platform add {own}",
        )
    return _dependencies(found["channels"], platforms, own, lock, environment)


#: what clusters and containers are, wherever the job is submitted
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
    """A requirement for just this package: by its digest from an index, else from where it lies."""
    name, location = package["name"], package["location"]
    if location.startswith(("http://", "https://")) and package["sha256"]:
        return f"{name}=={package['version']} --hash=sha256:{package['sha256']}"
    if "://" in location:
        return f"{name} @ {location}"
    place = os.path.normpath(os.path.join(os.path.dirname(lock), location))
    return f"{name} @ file://{place}"


def _indexes(lock: str, environment: str) -> list[str]:
    """Options for the indexes that the lock names beside the one that is set here by itself."""
    with open(lock, encoding="utf-8") as handle:
        content: Any = yaml_text.plain(yaml_text.load(handle.read(), lock))
    indexes = content["environments"][environment].get("indexes") or []
    return [f"--extra-index-url {each}" for each in indexes[1:]]
