"""Pull images from registries, and share built images through the workspace's registry."""

from __future__ import annotations

import re

from scriptrun.environments.builder import Log, Registry, Stop
from scriptrun.environments.image import tool as image_tool
from scriptrun.spec.errors import EnvironmentException, SecretException
from scriptrun.store import container_tool
from scriptrun.store.secrets import vault

_HERE = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?(/|$)")


def pull(image: str, words: list[str], address: str, username: str, log: Log, stop: Stop) -> None:
    """Pull ``image`` as ``username`` of the registry ``address``; ``words`` are extra options.

    The password is the registry's secret, if there is one. Raises EnvironmentException.
    """
    _with_login(["pull", "--quiet", *words], image, address, username, "Pulling", log, stop)


def fetch(key: str, tag: str, registry: Registry, log: Log, stop: Stop) -> str:
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
    _rename(image, tag)
    return id_of(tag)


def push(image: str, key: str, registry: Registry, log: Log, stop: Stop) -> str:
    """Push ``image`` to the ``registry`` with the tag ``key``.

    Returns why it could not be pushed, since jobs on this machine run without that. "" if it was
    pushed, or if the workspace has no registry.
    """
    name = shared_name(key, registry)
    if not name:
        return ""
    try:
        said = container_tool.run(container_tool.require(), ["tag", image, name])
        if said.code:
            raise EnvironmentException(f"Invalid image name {name!r}: {said.error}")
        words = ["push", *(["--quiet"] if container_tool.require().kind == "podman" else [])]
        log(f"Pushing image {name}.")
        user = registry.get("username") or ""
        _with_login(words, name, registry["address"], user, "Pushing", lambda _: None, stop)
    except EnvironmentException as error:
        log(str(error))
        return f"cannot push the image to {registry['address']}: {_last(error.message)}"
    finally:
        container_tool.run(container_tool.require(), ["rmi", name])  # removes only the tag
    return ""


def _rename(image: str, tag: str) -> None:
    for words in (["tag", image, tag], ["rmi", image]):
        container_tool.run(container_tool.require(), words)


def shared_name(key: str, registry: Registry) -> str:
    """The name of the image for ``key`` in the registry; "" without a registry."""
    address = registry.get("address")
    return f"{address}/scriptrun-env:{key}" if address else ""


def id_of(image: str) -> str:
    """The ID of an image in the tool's store; "" if it is missing."""
    said = container_tool.run(
        container_tool.require(), ["image", "inspect", "--format", "{{.Id}}", image]
    )
    return said.out.splitlines()[0].removeprefix("sha256:") if said.code == 0 and said.out else ""


def _with_login(
    words: list[str], image: str, address: str, username: str, doing: str, log: Log, stop: Stop
) -> None:
    secret = _password(address)
    words = [*words, *_unencrypted(image), image]
    host = address.rpartition("://")[2].partition("/")[0]
    with image_tool.logged_in(host, username, secret) as environ:
        image_tool.run(words, f"{doing} image {image}", log, stop, environ=environ, told=(secret,))


def _password(address: str) -> str:
    """The stored password of the registry; "" falls back to the container tool's own login."""
    try:
        return vault.find(container_tool.registry_secret(address)) if address else ""
    except SecretException:
        return ""


def _unencrypted(image: str) -> list[str]:
    """Allow a registry on this machine without TLS, as docker does."""
    there = _HERE.match(image) and container_tool.require().kind == "podman"
    return ["--tls-verify=false"] if there else []


def _last(message: str) -> str:
    return message.strip().splitlines()[-1].strip()
