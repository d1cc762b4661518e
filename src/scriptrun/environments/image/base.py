"""The base image of an environment: pulled, or built from a Dockerfile or a build context."""

from __future__ import annotations

import json
import os
import tempfile

from scriptrun.environments.builder import Log, Stop
from scriptrun.environments.image import context as image_context
from scriptrun.environments.image import registry as image_registry
from scriptrun.environments.image import tool as image_tool
from scriptrun.environments.image.builder import is_made
from scriptrun.environments.image.registry import id_of
from scriptrun.spec.digests import digest_of
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import container_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def get(spec: EnvironmentSpec, log: Log, stop: Stop) -> str:
    """The ID of the base image, which is pulled or built into the tool's store if missing.

    An existing image is not pulled again. Raises EnvironmentException.
    """
    if is_made(spec):
        return _built(spec, log, stop)
    image = full_name(spec)
    there = id_of(image)
    if there:
        return there
    if image.startswith("localhost/"):
        raise EnvironmentException(
            f"Image {image!r} not found on this machine.", "Build it, or use one from a registry."
        )
    registry = spec.docker.get("registry") or {}
    log(f"Pulling {image}.")
    address, user = registry.get("address") or "", registry.get("username") or ""
    image_registry.pull(image, _platform(spec), address, user, log, stop)
    pulled = id_of(image)
    if not pulled:
        raise EnvironmentException(f"Image {image!r} is missing after pulling it.")
    return pulled


def named(spec: EnvironmentSpec) -> str:
    """A description of the base image for messages."""
    context = spec.docker.get("build_context")
    if spec.docker.get("dockerfile"):
        return "from the environment's Dockerfile"
    return f"from build context {context['path']}" if context else full_name(spec)


def full_name(spec: EnvironmentSpec) -> str:
    """The image's name with its registry; a name without one gets ``base_image_registry``."""
    image = spec.image or ""
    address = ((spec.docker.get("registry") or {}).get("address") or "").rpartition("://")[2]
    first = image.partition("/")[0]
    bare = "/" not in image or not ("." in first or ":" in first or first == "localhost")
    return f"{address.rstrip('/')}/{image}" if address and bare else image


def foreign(spec: EnvironmentSpec) -> str:
    """The requested platform if it is not this machine's, else ""."""
    asked = spec.docker.get("platform") or {}
    machine = os.uname().machine
    wanted = str(asked.get("architecture") or "").lower()
    if not wanted or wanted in ("amd64", _ARCHITECTURES.get(machine, machine)):
        return ""  # amd64 is the SDK's default
    return f"{str(asked.get('os') or 'linux').lower()}/{wanted}"


def inspect(image: str) -> dict[str, Any]:
    """The image's configuration: Env, User, Entrypoint and the like."""
    said = container_tool.run(
        container_tool.require(), ["image", "inspect", "--format", "{{json .Config}}", image]
    )
    if said.code:
        raise EnvironmentException(f"Cannot inspect image {image!r}: {said.error}")
    found: dict[str, Any] = json.loads(said.out) or {}
    return found


def _platform(spec: EnvironmentSpec) -> list[str]:
    asked = foreign(spec)
    return ["--platform", asked] if asked else []


def _built(spec: EnvironmentSpec, log: Log, stop: Stop) -> str:
    """Build the Dockerfile or the context; the tool's own cache decides which layers are reused."""
    docker = spec.docker
    asked = [docker.get("dockerfile"), docker.get("build_context"), spec.local, foreign(spec)]
    tag = f"localhost/scriptrun-base:{digest_of(asked)[:32]}"
    words = ["build", "--tag", tag, *_platform(spec)]
    if container_tool.require().kind == "podman":
        words += ["--format", "docker", "--layers", "--network=host"]  # the network that jobs have
    with tempfile.TemporaryDirectory(prefix="scriptrun-build-") as folder:
        context = docker.get("build_context")
        if context:
            place = image_context.brought(context, folder, log, stop)
            file = os.path.join(place, context.get("dockerfile") or "Dockerfile")
            words += ["--file", file, place]
        else:
            path = os.path.join(folder, "Dockerfile")
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(docker["dockerfile"])
            words += ["--file", path, folder]
        log(f"Building the image {named(spec)}.")
        image_tool.run(words, f"Building image {named(spec)}", log, stop)
    return id_of(tag)
