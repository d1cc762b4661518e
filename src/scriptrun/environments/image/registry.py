"""Pull images from registries, and share built images through the workspace's registry."""

from __future__ import annotations

import re

from scriptrun.environments.builder import ImageRegistry, Log, Stop
from scriptrun.environments.image import tool as image_tool
from scriptrun.spec.errors import EnvironmentException, SecretException
from scriptrun.store import container_tool
from scriptrun.store.secrets import vault

_LOCAL_REGISTRY = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?(/|$)")


def pull(image: str, options: list[str], address: str, username: str, log: Log, stop: Stop) -> None:
    """Pull ``image`` as ``username`` of the registry ``address``; ``options`` are extra options.

    The password is the registry's secret, if there is one. Raises EnvironmentException.
    """
    _run_with_login(["pull", "--quiet", *options], image, address, username, "Pulling", log, stop)


def fetch(key: str, tag: str, registry: ImageRegistry, log: Log, stop: Stop) -> str:
    """Pull the shared image for ``key``, tag it as ``tag``, and return its ID.

    Returns "" if nobody pushed one.
    """
    image = shared_name(key, registry)
    if not image:
        return ""
    try:
        user = registry.get("username") or ""
        pull(image, [], registry["address"], user, lambda _: None, stop)
    except EnvironmentException as error:
        if not re.search(r"manifest unknown|not found|name unknown", error.message):
            log(error.message)
        return ""
    log(f"Pulling existing image {image}.")
    _retag(image, tag)
    return image_id(tag)


def push(image: str, key: str, registry: ImageRegistry, log: Log, stop: Stop) -> str:
    """Push ``image`` to the ``registry`` with the tag ``key``.

    Returns why it could not be pushed, since jobs on this machine run without that. "" if it was
    pushed, or if the workspace has no registry.
    """
    name = shared_name(key, registry)
    if not name:
        return ""
    try:
        result = container_tool.run(container_tool.require(), ["tag", image, name])
        if result.code:
            raise EnvironmentException(f"Invalid image name {name!r}: {result.error}")
        arguments = ["push", *(["--quiet"] if container_tool.require().kind == "podman" else [])]
        log(f"Pushing image {name}.")
        user = registry.get("username") or ""
        _run_with_login(arguments, name, registry["address"], user, "Pushing", lambda _: None, stop)
    except EnvironmentException as error:
        log(str(error))
        return f"cannot push the image to {registry['address']}: {_last_line(error.message)}"
    finally:
        container_tool.run(container_tool.require(), ["rmi", name])  # removes only the tag
    return ""


def _retag(image: str, tag: str) -> None:
    for arguments in (["tag", image, tag], ["rmi", image]):
        container_tool.run(container_tool.require(), arguments)


def shared_name(key: str, registry: ImageRegistry) -> str:
    """The name of the image for ``key`` in the registry; "" without a registry."""
    address = registry.get("address")
    return f"{address}/scriptrun-env:{key}" if address else ""


def image_id(image: str) -> str:
    """The ID of an image in the tool's store; "" if it is missing."""
    result = container_tool.run(
        container_tool.require(), ["image", "inspect", "--format", "{{.Id}}", image]
    )
    return (
        result.out.splitlines()[0].removeprefix("sha256:")
        if result.code == 0 and result.out
        else ""
    )


def _run_with_login(
    arguments: list[str], image: str, address: str, username: str, action: str, log: Log, stop: Stop
) -> None:
    password = _password(address)
    arguments = [*arguments, *_tls_options(image), image]
    host = address.rpartition("://")[2].partition("/")[0]
    with image_tool.registry_login(host, username, password) as environ:
        image_tool.run(
            arguments, f"{action} image {image}", log, stop, environ=environ, masked=(password,)
        )


def _password(address: str) -> str:
    """The stored password of the registry; "" falls back to the container tool's own login."""
    try:
        return vault.find(container_tool.registry_secret(address)) if address else ""
    except SecretException:
        return ""


def _tls_options(image: str) -> list[str]:
    """Allow a registry on this machine without TLS, as docker does."""
    is_local = _LOCAL_REGISTRY.match(image) and container_tool.require().kind == "podman"
    return ["--tls-verify=false"] if is_local else []


def _last_line(message: str) -> str:
    return message.strip().splitlines()[-1].strip()
