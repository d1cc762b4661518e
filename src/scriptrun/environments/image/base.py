"""The base image of an environment: pulled, or built from a Dockerfile or a build context."""

from __future__ import annotations

import json
import os

from scriptrun.environments.builder import Log, Stop
from scriptrun.environments.image import context as image_context
from scriptrun.environments.image import registry as image_registry
from scriptrun.environments.image import tool as image_tool
from scriptrun.environments.image.builder import builds_base
from scriptrun.environments.image.registry import image_id
from scriptrun.spec.digests import digest_of
from scriptrun.spec.environment import EnvironmentSpec, ImagePlatform, ImageRegistry
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import container_tool, scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def get(spec: EnvironmentSpec, log: Log, stop: Stop) -> str:
    """The ID of the base image, which is pulled or built into the tool's store if missing.

    An existing image is not pulled again. Raises EnvironmentException.
    """
    if builds_base(spec):
        return _build(spec, log, stop)
    image = full_name(spec)
    stored_id = image_id(image)
    if stored_id:
        return stored_id
    if image.startswith("localhost/"):
        raise EnvironmentException(
            f"Image {image!r} not found on this machine.", "Build it, or use one from a registry."
        )
    registry = spec.docker.registry or ImageRegistry()
    log(f"Pulling {image}.")
    address, user = registry.address or "", registry.username or ""
    image_registry.pull(image, _platform_arguments(spec), address, user, log, stop)
    pulled_id = image_id(image)
    if not pulled_id:
        raise EnvironmentException(
            f"Image {image!r} is missing after pulling it.",
            "Check the storage of the container tool.",
        )
    return pulled_id


def describe(spec: EnvironmentSpec) -> str:
    """A description of the base image for messages."""
    context = spec.docker.build_context
    if spec.docker.dockerfile:
        return "from the environment's Dockerfile"
    return f"from build context {context.path}" if context else full_name(spec)


def full_name(spec: EnvironmentSpec) -> str:
    """The image's name with its registry; a name without one gets ``base_image_registry``."""
    image = spec.image or ""
    registry = spec.docker.registry
    address = ((registry and registry.address) or "").rpartition("://")[2]
    first = image.partition("/")[0]
    bare = "/" not in image or not ("." in first or ":" in first or first == "localhost")
    return f"{address.rstrip('/')}/{image}" if address and bare else image


def foreign_platform(spec: EnvironmentSpec) -> str:
    """The requested platform if it is not this machine's, else ""."""
    platform = spec.docker.platform or ImagePlatform()
    machine = os.uname().machine
    architecture = (platform.architecture or "").lower()
    if not architecture or architecture in ("amd64", _ARCHITECTURES.get(machine, machine)):
        return ""  # amd64 is the SDK's default
    return f"{(platform.os or 'linux').lower()}/{architecture}"


def inspect(image: str) -> Json:
    """The image's configuration: Env, User, Entrypoint and the like."""
    result = container_tool.run(
        container_tool.require(), ["image", "inspect", "--format", "{{json .Config}}", image]
    )
    if result.code:
        raise EnvironmentException(f"Cannot inspect image {image!r}: {result.error}")
    config: Json = json.loads(result.out) or {}
    return config


def _platform_arguments(spec: EnvironmentSpec) -> list[str]:
    platform = foreign_platform(spec)
    return ["--platform", platform] if platform else []


def _build(spec: EnvironmentSpec, log: Log, stop: Stop) -> str:
    """Build the Dockerfile or the context; the tool's own cache decides which layers are reused."""
    docker, context = spec.docker, spec.docker.build_context
    inputs = [
        docker.dockerfile,
        context and context.as_dict(),
        spec.local,
        foreign_platform(spec),
    ]
    tag = f"localhost/scriptrun-base:{digest_of(inputs)[:32]}"
    arguments = ["build", "--tag", tag, *_platform_arguments(spec)]
    if container_tool.require().kind == "podman":
        arguments += [
            "--format",
            "docker",
            "--layers",
            "--network=host",
        ]  # the network that jobs have
    with scratch.Scratch("build") as folder:
        if context is not None:
            context_folder = image_context.fetch_context(context, folder, log, stop)
            file = os.path.join(context_folder, context.dockerfile or "Dockerfile")
            arguments += ["--file", file, context_folder]
        else:
            path = os.path.join(folder, "Dockerfile")
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(docker.dockerfile or "")
            arguments += ["--file", path, folder]
        log(f"Building the image {describe(spec)}.")
        image_tool.run(arguments, f"Building image {describe(spec)}", log, stop)
    return image_id(tag)
