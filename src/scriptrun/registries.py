"""Passwords of image registries: this user's secrets, by the registry's address.

A password that code gives (``base_image_registry.password``) is kept as the secret
``registry-ADDRESS`` when the job is submitted, for the image is pulled later by another process.
"""

from __future__ import annotations

from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import SecretException
from scriptrun.spec.hints import TYPE_CHECKING
from scriptrun.store import containers, secrets

if TYPE_CHECKING:
    from scriptrun.config.environment import Environment


def secret_of(address: str) -> str:
    """The name of the secret that holds the password for a registry."""
    return f"registry-{address}"


def keep(environment: Environment) -> None:
    """Keep the password that ``environment`` gives for its registry, if it gives one."""
    registry = environment.docker.base_image_registry
    if not (registry.address and registry.password):
        return
    name = secret_of(registry.address)
    if _known(name) != registry.password:
        secrets.keep(name, registry.password)


def know(spec: EnvironmentSpec) -> None:
    """Let the builders of this process know the password for the registry of ``spec``."""
    address = (spec.docker.get("registry") or {}).get("address")
    if not address:
        return
    password = _known(secret_of(address))
    if password:
        containers.passwords[address] = password


def _known(name: str) -> str:
    try:
        return secrets.find(name)
    except SecretException:
        return ""
