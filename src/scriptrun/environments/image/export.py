"""Export an image as a file that the nodes of a cluster start containers from.

podman loads the archive that podman or docker saved; apptainer's SIF and enroot's squashfs are
converted from the image once, on the machine that builds the environment.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from scriptrun.environments.builder import Log, Stop
from scriptrun.environments.image import tool as image_tool
from scriptrun.environments.image.builder import FILES
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import container_tool


def carry(kind: str, image: str, folder: str, log: Log, stop: Stop) -> None:
    """Export ``image`` from the local store to ``folder``, in the file format of ``kind``.

    Raises EnvironmentException, also if the tool that writes this format is missing.
    """
    target, tool = os.path.join(folder, FILES[kind]), container_tool.require()
    log(f"Exporting the image for {kind} on the nodes: {target}")
    if kind == "enroot":
        source = f"podman://{image}" if tool.kind == "podman" else f"dockerd://{image}"
        _convert([_find_program("enroot"), "import", "--output", target, source], kind, log, stop)
        return
    archive = os.path.join(folder, FILES["podman"])
    arguments = ["save", *(["--format", "docker-archive"] if tool.kind == "podman" else [])]
    image_tool.run([*arguments, "--output", archive, image], "Saving the image", _quiet, stop)
    if kind == "apptainer":
        program = _find_program("apptainer", "singularity")
        _convert([program, "build", target, f"docker-archive:{archive}"], kind, log, stop)
        os.unlink(archive)


def _convert(argv: list[str], kind: str, log: Log, stop: Stop) -> None:
    image_tool.execute(argv, kind, f"Converting the image for {kind}", _quiet, stop)


def _find_program(*names: str) -> str:
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise EnvironmentException(
        f"Preparing images for {names[0]} requires {names[0]} on this machine, but it is not "
        "installed.",
        f"Install {names[0]}, or use another tool: scriptrun compute set NAME --containers podman",
    )


_quiet: Callable[[str], None] = lambda _: None  # noqa: E731 (annotated with its type)
