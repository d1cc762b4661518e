"""Export a job as a command for docker or podman."""

from __future__ import annotations

import shlex
from typing import Any

from scriptrun.config.environments.images import is_azure_image
from scriptrun.migration.formats.facts import (
    Exported,
    Packages,
    data_losses,
    data_of,
    line_of,
    losses,
    name_of,
    packages,
    variable,
)
from scriptrun.spec.job import JobSpec

#: replaces Azure's base images, which are just Linux with conda
PYTHON_IMAGE = "docker.io/library/python"


def command(job: JobSpec, lock: dict[str, Any] | None, tool: str = "docker") -> Exported:
    """A command that runs the job in a container, which first installs its packages."""
    found = packages(job, lock)
    image, inside = image_of(job, found.python)
    source = shlex.quote(job.source_directory or ".")
    words = [tool, "run", "--rm", "--init", "-v", f"{source}:/work", "-w", "/work"]
    words += [w for name, value in sorted(job.variables.items()) for w in ("-e", f"{name}={value}")]
    words += [word for name in job.passed for word in ("-e", name)]
    mounts = [f'-v "${{{variable(e["name"])}}}:/data/{e["name"]}"' for e in data_of(job)]
    settings = job.environment.docker
    words += ["--shm-size", settings["shm_size"]] if settings.get("shm_size") else []
    words += ["--gpus", "all"] if job.resources.get("gpus") else []
    words += [str(each) for each in settings.get("arguments") or ()]
    shown = " ".join(word if word == f"{source}:/work" else shlex.quote(word) for word in words)
    line = line_of(job, "/data/%s") if not data_of(job) else _with_data(job)
    inner = shlex.quote((installing(found) if inside else "") + line)
    text = f"{' '.join([shown, *mounts])} {image} sh -c {inner}\n"
    lost = [*losses(job), *data_losses(job)]
    lost += [f"conda packages that PyPI lacks: {', '.join(found.conda)}"] if found.conda else []
    if job.distribution.kind:
        lost.append(f"the {job.distribution.kind} distribution: this starts a single container")
    if job.max_run_duration_seconds is not None:
        lost.append("the time limit: run it with `timeout`")
    if found.interpreter:
        lost.append(f"the interpreter {found.interpreter}: the image's Python is used")
    return Exported({f"{name_of(job)}.{tool}.sh": text}, lost)


def installing(found: Packages) -> str:
    """Shell code that installs the packages with the image's pip, or ""."""
    if not found.requirements:
        return ""
    hashes = " --require-hashes" if found.is_hashed else ""
    lines = ["set -e", f"pip install -q{hashes} -r /dev/stdin <<'END'"]
    return "\n".join([*lines, *found.options, *found.requirements, "END", ""])


def image_of(job: JobSpec, python: str | None) -> tuple[str, bool]:
    """The image to use, and whether packages must be installed in it."""
    image = job.environment.image
    if image and not is_azure_image(image):
        return image, bool(job.environment.pip)
    minor = ".".join((python or "3.11").split(".")[:2])
    return f"{PYTHON_IMAGE}:{minor}-slim", bool(job.environment.pip or job.environment.conda)


def _with_data(job: JobSpec) -> str:
    """The job's shell line, with each input and output at ``/data/NAME``."""
    line = line_of(job, "<%s>")
    for each in data_of(job):
        line = line.replace(f"<{variable(each['name'])}>", f"/data/{each['name']}")
    return line


def docker(job: JobSpec, lock: dict[str, Any] | None) -> Exported:
    """Export the job as a docker command."""
    return command(job, lock, "docker")


def podman(job: JobSpec, lock: dict[str, Any] | None) -> Exported:
    """Export the job as a podman command."""
    return command(job, lock, "podman")
