"""The local engine's part in containers: what it refuses before, what it removes after."""

from __future__ import annotations

import glob
from pathlib import Path

from scriptrun.runtime import containers as started
from scriptrun.spec.hints import Any
from scriptrun.spec.job import JobSpec
from scriptrun.store import containers

#: where the devices of the Container Device Interface are described (its specification, v0.6)
_CDI = ("/etc/cdi/*nvidia*", "/var/run/cdi/*nvidia*")


def problems(job: JobSpec) -> list[str]:
    """Why this machine can't run the job in a container, every reason; empty when it can."""
    image = named(job.environment.image, job.environment.docker)
    trouble = containers.trouble()
    if trouble:
        return [f"{image} needs a container, and {trouble}. {containers.HOW_TO}"]
    found = []
    tool = containers.require()
    gpus = job.resources.get("gpus")
    if gpus and tool.kind == "podman" and not any(map(glob.glob, _CDI)):
        found.append(
            "podman is not told of this machine's GPUs: "
            "`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml` does that"
        )
    return found


def named(image: str | None, docker: dict[str, Any]) -> str:
    """What the container is made of, in words."""
    if docker.get("dockerfile"):
        return "the environment's Dockerfile"
    if docker.get("build_context"):
        return f"the build context {docker['build_context'].get('path')}"
    return f"the image {image or 'of the environment'}"


def clean(folder: Path) -> None:
    """Remove the containers that a run left when its launcher and its guard were both killed."""
    started.remove(str(folder))
