"""Containers in the engines: checks before a job starts, cleanup after it has ended."""

from __future__ import annotations

import glob
from pathlib import Path

from scriptrun.runtime import process_record
from scriptrun.runtime.containers import docker as docker_containers
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.job import JobSpec
from scriptrun.store import container_tool, paths

#: container tools that a cluster's nodes may use
NODE_TOOLS = ("podman", "apptainer", "enroot")
#: where Container Device Interface (CDI v0.6) files describe devices
_CDI = ("/etc/cdi/*nvidia*", "/var/run/cdi/*nvidia*")


def problems(job: JobSpec) -> list[str]:
    """Every reason why this machine can't run the job in a container; empty if it can."""
    image = describe_image(job.environment)
    problem = container_tool.problem()
    if problem:
        return [f"{image} requires a container, but {problem}. {container_tool.INSTALL_HINT}"]
    messages = []
    tool = container_tool.require()
    gpus = job.resources.gpus
    if gpus and tool.kind == "podman" and not any(map(glob.glob, _CDI)):
        messages.append(
            "podman is not configured for this machine's GPUs; run: "
            "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
        )
    return messages


def node_problems(job: JobSpec, nodes: str | None, remote: bool) -> list[str]:
    """Every reason why nodes with the container tool ``nodes`` can't run the job.

    Images are built where environments are built: here, unless the cluster is ``remote``.
    """
    image = describe_image(job.environment)
    if nodes is None:
        return [
            f"{image} requires a container, but the compute target has no container tool; run: "
            f"scriptrun compute set {job.target.name} --containers TOOL "
            f"({', '.join(NODE_TOOLS)})"
        ]
    problems = []
    problem = "" if remote else container_tool.problem()
    if problem:
        problems.append(f"{image} is prepared on the submitting machine, but {problem}")
    if job.distribution.kind == "mpi" and job.distribution.nodes > 1:
        problems.append(
            "multi-node MPI is not supported in containers; specify packages instead, with "
            "Environment.from_pip_requirements or from_conda_specification"
        )
    return problems


def describe_image(environment: EnvironmentSpec) -> str:
    """What the container is made from, for messages."""
    docker = environment.docker
    if docker.dockerfile:
        return "the environment's Dockerfile"
    if docker.build_context:
        return f"the build context {docker.build_context.path}"
    return f"the image {environment.image or 'of the environment'}"


def clean(folder: Path) -> None:
    """Remove containers left behind by a run whose launcher and guard were both killed.

    Only those that this user's private record names.
    """
    for record in process_record.find(paths.processes_folder(), str(folder)):
        if record.is_local and not record.is_kept:
            docker_containers.remove_recorded(record.containers())
