"""Image registries: the workspace's own, and passwords by registry address.

A password in code (``base_image_registry.password``) is stored as the secret ``registry-ADDRESS``
when the job is submitted, because another process pulls the image later.
"""

from __future__ import annotations

import re

from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import SecretException, UserErrorException
from scriptrun.store import container_tool, registry
from scriptrun.store.secrets import vault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.config.environments.environment import Environment
    from scriptrun.registry.workspace_files import Home

#: the setting for a workspace's registry
_NAME = "container-registry"
_ADDRESS = re.compile(r"(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::\d+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")


def keep(environment: Environment) -> None:
    """Store the passwords in ``environment``: of its registry, and of package indexes."""
    vault.keep_offered()
    given = environment.docker.base_image_registry
    if not (given.address and given.password):
        return
    secret = container_tool.secret_of(given.address)
    if _known(secret) != given.password:
        vault.keep(secret, given.password)


def name(
    workspace: Home, address: str | None, username: str | None = None, password: str | None = None
) -> None:
    """Share the workspace's images in the registry at ``address``; None stops that.

    ``password`` is stored as this user's secret, never in the workspace. Raises UserErrorException
    if the address is invalid.
    """
    shelf = _shelf(workspace)
    if not address:
        shelf.remove(_NAME)
        return
    address = address.partition("://")[2].rstrip("/") or address.rstrip("/")
    if not _ADDRESS.fullmatch(address):
        raise UserErrorException(
            f"Invalid registry address {address!r}.",
            "Use HOST[:PORT][/PATH] in lower case, e.g. registry.example.org/team.",
        )
    shelf.put(_NAME, {"address": address, **({"username": username} if username else {})})
    if password:
        vault.keep(container_tool.secret_of(address), password)


def named(workspace: Home) -> dict[str, str]:
    """``address`` and optional ``username`` of the workspace's registry; empty without one."""
    return dict(_shelf(workspace).get(_NAME) or {})


def for_build(spec: EnvironmentSpec, workspace: Home) -> dict[str, str]:
    """The workspace's registry if ``spec`` is an image, which is shared there; else empty."""
    return named(workspace) if spec.container else {}


def _shelf(workspace: Home) -> registry.Shelf:
    return registry.Shelf(workspace.directory / "settings")


def _known(name: str) -> str:
    try:
        return vault.find(name)
    except SecretException:
        return ""
