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
    from scriptrun.registry.workspace_files import WorkspaceFiles

#: the setting for a workspace's registry
_SETTING = "container-registry"
_ADDRESS = re.compile(r"(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::\d+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")


def store_passwords(environment: Environment) -> None:
    """Store the passwords in ``environment``: of its registry, and of package indexes."""
    vault.store_offered()
    image_registry = environment.docker.base_image_registry
    if not (image_registry.address and image_registry.password):
        return
    secret = container_tool.registry_secret(image_registry.address)
    if _stored_password(secret) != image_registry.password:
        vault.store(secret, image_registry.password)


def set_registry(
    workspace: WorkspaceFiles,
    address: str | None,
    username: str | None = None,
    password: str | None = None,
) -> None:
    """Share the workspace's images in the registry at ``address``; None stops that.

    ``password`` is stored as this user's secret, never in the workspace. Raises UserErrorException
    if the address is invalid.
    """
    settings = _settings(workspace)
    if not address:
        settings.remove(_SETTING)
        return
    address = address.partition("://")[2].rstrip("/") or address.rstrip("/")
    if not _ADDRESS.fullmatch(address):
        raise UserErrorException(
            f"Invalid registry address {address!r}.",
            "Use HOST[:PORT][/PATH] in lower case, e.g. registry.example.org/team.",
        )
    settings.put(_SETTING, {"address": address, **({"username": username} if username else {})})
    if password:
        vault.store(container_tool.registry_secret(address), password)


def workspace_registry(workspace: WorkspaceFiles) -> dict[str, str]:
    """``address`` and optional ``username`` of the workspace's registry; empty without one."""
    return dict(_settings(workspace).get(_SETTING) or {})


def for_build(spec: EnvironmentSpec, workspace: WorkspaceFiles) -> dict[str, str]:
    """The workspace's registry if ``spec`` is an image, which is shared there; else empty."""
    return workspace_registry(workspace) if spec.container else {}


def _settings(workspace: WorkspaceFiles) -> registry.NamedValues:
    return registry.NamedValues(workspace.directory / "settings")


def _stored_password(name: str) -> str:
    try:
        return vault.find(name)
    except SecretException:
        return ""
