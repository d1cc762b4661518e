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
from scriptrun.store import document_limits
from scriptrun.store.document_limits import RECORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.environments.conda import client as conda_client
    from scriptrun.runtime.hints import Json
else:
    conda_client = later("scriptrun.environments.conda.client")


def read_project(path: str | os.PathLike[str], environment: str) -> CondaDependencies:
    """The packages of ``environment`` in the ``pixi.lock`` of the directory ``path``.

    Raises EnvironmentException if there is no lockfile, or none for this platform.
    """
    lockfile = os.path.join(os.path.abspath(os.fspath(path)), "pixi.lock")
    if not os.path.isfile(lockfile):
        raise EnvironmentException(
            f"{str(lockfile)!r} does not exist.", "Create it with: pixi lock"
        )
    if not conda_request.is_installed():
        raise EnvironmentException(
            f"Reading {str(lockfile)!r} requires py-rattler.", f"Run: {conda_request.INSTALL}"
        )
    platform = conda_platforms.subdir()
    try:
        with conda_client.asking(lambda _: None, lambda: False) as ask:
            content = ask("read_lock", path=lockfile, environment=environment)
    except EnvironmentException as error:
        raise EnvironmentException(
            f"Cannot read {str(lockfile)!r}: {error.message}", "Recreate it with: pixi lock"
        ) from None
    if content["channels"] is None:
        names = ", ".join(content["environments"])
        raise EnvironmentException(
            f"{str(lockfile)!r} has no environment {environment!r}.", f"Environments: {names}."
        )
    platforms = {
        name: packages
        for name, packages in content["platforms"].items()
        if name in (platform, _CLUSTER_PLATFORM)
    }
    if platform not in platforms:
        raise EnvironmentException(
            f"{str(lockfile)!r} has no packages for {platform}, only for "
            f"{', '.join(content['platforms'])}.",
            f"Add them with: pixi workspace platform add {platform}",
        )
    return _dependencies(content["channels"], platforms, platform, lockfile, environment)


#: the platform of clusters and containers, whatever this machine's is
_CLUSTER_PLATFORM = "linux-64"


def _dependencies(
    channels: list[str], platforms: Json, platform: str, lockfile: str, environment: str
) -> CondaDependencies:
    options = _index_options(lockfile, environment)
    locked = {
        name: {
            "conda": records["conda"],
            "pip": [_requirement(package, lockfile) for package in records["pypi"]],
        }
        for name, records in platforms.items()
    }
    packages = [
        f"{record['name']}={record['version']}={record['build']}"
        for record in locked[platform]["conda"]
    ]
    pip = locked[platform]["pip"]
    dependencies: list[object] = [*sorted(packages)]
    dependencies += [{"pip": [*options, "--no-deps", *pip]}] if pip else []
    return CondaDependencies.from_dict(
        {"channels": channels, "dependencies": dependencies, "locked": locked}
    )


def _requirement(package: Json, lockfile: str) -> str:
    """A requirement for this package: by digest from an index, else by URL or path."""
    name, location = package["name"], package["location"]
    if location.startswith(("http://", "https://")) and package["sha256"]:
        return f"{name}=={package['version']} --hash=sha256:{package['sha256']}"
    if "://" in location:
        return f"{name} @ {location}"
    path = os.path.normpath(os.path.join(os.path.dirname(lockfile), location))
    return f"{name} @ file://{path}"


def _index_options(lockfile: str, environment: str) -> list[str]:
    """Options for the lockfile's extra indexes; the first one is this machine's default."""
    text = document_limits.read_text(lockfile, RECORD)
    content: Any = yaml_text.plain(yaml_text.load(text, lockfile, RECORD))
    try:
        indexes = content["environments"][environment].get("indexes") or []
    except (AttributeError, LookupError, TypeError):
        raise EnvironmentException(
            f"{str(lockfile)!r} has no valid environment {environment!r}.",
            "Recreate it with: pixi lock",
        ) from None
    return [f"--extra-index-url {url}" for url in indexes[1:]]
