"""Export a job as a command for docker or podman."""

from __future__ import annotations

import shlex

from scriptrun.config.environments.images import is_azure_image
from scriptrun.migration.formats.facts import (
    ExportedJob,
    Packages,
    data_losses,
    data_variable,
    job_name,
    losses,
    read_packages,
    shell_line,
)
from scriptrun.spec.job import JobSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

#: replaces Azure's base images, which are just Linux with conda
PYTHON_IMAGE = "docker.io/library/python"


def command(job: JobSpec, lockfile: Json | None, tool: str = "docker") -> ExportedJob:
    """A command that runs the job in a container, which first installs its packages."""
    packages = read_packages(job, lockfile)
    image, needs_install = choose_image(job, packages.python)
    source = shlex.quote(job.source_directory or ".")
    words = [tool, "run", "--rm", "--init", "-v", f"{source}:/work", "-w", "/work"]
    words += [w for name, value in sorted(job.variables.items()) for w in ("-e", f"{name}={value}")]
    words += [word for name in job.passed for word in ("-e", name)]
    mounts = [f'-v "${{{data_variable(e.name)}}}:/data/{e.name}"' for e in job.data.items]
    settings = job.environment.docker
    words += ["--shm-size", settings.shm_size] if settings.shm_size else []
    words += ["--gpus", "all"] if job.resources.gpus else []
    words += [str(argument) for argument in settings.arguments]
    options = " ".join(word if word == f"{source}:/work" else shlex.quote(word) for word in words)
    line = shell_line(job, "/data/%s") if not job.data.items else _line_with_data(job)
    inner = shlex.quote((install_script(packages) if needs_install else "") + line)
    text = f"{' '.join([options, *mounts])} {image} sh -c {inner}\n"
    lost = [*losses(job), *data_losses(job)]
    lost += (
        [f"conda packages that PyPI lacks: {', '.join(packages.conda)}"] if packages.conda else []
    )
    if job.distribution.kind:
        lost.append(f"the {job.distribution.kind} distribution: this starts a single container")
    if job.max_run_duration_seconds is not None:
        lost.append("the time limit: run it with `timeout`")
    if packages.interpreter:
        lost.append(f"the interpreter {packages.interpreter}: the image's Python is used")
    return ExportedJob({f"{job_name(job)}.{tool}.sh": text}, lost)


def install_script(packages: Packages) -> str:
    """Shell code that installs the packages with the image's pip, or ""."""
    if not packages.requirements:
        return ""
    hashes = " --require-hashes" if packages.is_hashed else ""
    lines = ["set -e", f"pip install -q{hashes} -r /dev/stdin <<'END'"]
    return "\n".join([*lines, *packages.options, *packages.requirements, "END", ""])


def choose_image(job: JobSpec, python: str | None) -> tuple[str, bool]:
    """The image to use, and whether packages must be installed in it."""
    image = job.environment.image
    if image and not is_azure_image(image):
        return image, bool(job.environment.pip or job.environment.brought)
    minor = ".".join((python or "3.11").split(".")[:2])
    return f"{PYTHON_IMAGE}:{minor}-slim", job.environment.has_packages


def _line_with_data(job: JobSpec) -> str:
    """The job's shell line, with each input and output at ``/data/NAME``."""
    line = shell_line(job, "<%s>")
    for item in job.data.items:
        line = line.replace(f"<{data_variable(item.name)}>", f"/data/{item.name}")
    return line


def docker(job: JobSpec, lockfile: Json | None) -> ExportedJob:
    """Export the job as a docker command."""
    return command(job, lockfile, "docker")


def podman(job: JobSpec, lockfile: Json | None) -> ExportedJob:
    """Export the job as a podman command."""
    return command(job, lockfile, "podman")
