"""Containers in the engines: checks before a job starts, cleanup after it has ended."""

from __future__ import annotations

import glob
from pathlib import Path

from scriptrun.runtime.containers import docker as started
from scriptrun.spec.job import JobSpec
from scriptrun.store import container_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: container tools that a cluster's nodes may use
OF_NODES = ("podman", "apptainer", "enroot")
#: where Container Device Interface (CDI v0.6) files describe devices
_CDI = ("/etc/cdi/*nvidia*", "/var/run/cdi/*nvidia*")


def problems(job: JobSpec) -> list[str]:
    """Every reason why this machine can't run the job in a container; empty if it can."""
    image = named(job.environment.image, job.environment.docker)
    trouble = container_tool.trouble()
    if trouble:
        return [f"{image} requires a container, but {trouble}. {container_tool.HOW_TO}"]
    found = []
    tool = container_tool.require()
    gpus = job.resources.get("gpus")
    if gpus and tool.kind == "podman" and not any(map(glob.glob, _CDI)):
        found.append(
            "podman is not configured for this machine's GPUs; run: "
            "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
        )
    return found


def problems_of_nodes(job: JobSpec, nodes: str | None, afar: bool) -> list[str]:
    """Every reason why nodes with the container tool ``nodes`` can't run the job.

    Images are built where environments are built: here, unless the cluster is ``afar``.
    """
    image = named(job.environment.image, job.environment.docker)
    if nodes is None:
        return [
            f"{image} requires a container, but the compute target has no container tool; run: "
            f"scriptrun compute set {job.target.name} --containers TOOL "
            f"({', '.join(OF_NODES)})"
        ]
    found = []
    trouble = "" if afar else container_tool.trouble()
    if trouble:
        found.append(f"{image} is prepared on the submitting machine, but {trouble}")
    if job.distribution.kind == "mpi" and job.distribution.nodes > 1:
        found.append(
            "multi-node MPI is not supported in containers; specify packages instead, with "
            "Environment.from_pip_requirements or from_conda_specification"
        )
    return found


def named(image: str | None, docker: dict[str, Any]) -> str:
    """What the container is made from, for messages."""
    if docker.get("dockerfile"):
        return "the environment's Dockerfile"
    if docker.get("build_context"):
        return f"the build context {docker['build_context'].get('path')}"
    return f"the image {image or 'of the environment'}"


def clean(folder: Path) -> None:
    """Remove containers left behind by a run whose launcher and guard were both killed."""
    started.remove_containers(str(folder))
