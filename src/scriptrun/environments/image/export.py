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


def carry(kind: str, image: str, place: str, log: Log, stop: Stop) -> None:
    """Export ``image`` from the local store to ``place``, in the file format of ``kind``.

    Raises EnvironmentException, also if the tool that writes this format is missing.
    """
    goal, tool = os.path.join(place, FILES[kind]), container_tool.require()
    log(f"Exporting the image for {kind} on the nodes: {goal}")
    if kind == "enroot":
        source = f"podman://{image}" if tool.kind == "podman" else f"dockerd://{image}"
        _make([_program("enroot"), "import", "--output", goal, source], kind, log, stop)
        return
    archive = os.path.join(place, FILES["podman"])
    words = ["save", *(["--format", "docker-archive"] if tool.kind == "podman" else [])]
    image_tool.run([*words, "--output", archive, image], "Saving the image", _quiet, stop)
    if kind == "apptainer":
        program = _program("apptainer", "singularity")
        _make([program, "build", goal, f"docker-archive:{archive}"], kind, log, stop)
        os.unlink(archive)


def _make(argv: list[str], kind: str, log: Log, stop: Stop) -> None:
    image_tool.execute(argv, kind, f"Converting the image for {kind}", _quiet, stop)


def _program(*names: str) -> str:
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise EnvironmentException(
        f"Preparing images for {names[0]} requires {names[0]} on this machine, but it is not "
        "installed.",
        f"Install {names[0]}, or use another tool: scriptrun compute set NAME --containers podman",
    )


_quiet: Callable[[str], None] = lambda _: None  # noqa: E731 (annotated with its type)
