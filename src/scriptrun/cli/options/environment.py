"""The options that choose the environment of a job."""

from __future__ import annotations

import argparse
from pathlib import Path

from scriptrun.config.environments.environment import Environment
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: the mutually exclusive options that define the whole environment
SOURCES = ("environment", "requirements", "conda", "uv_project", "pixi_project", "from_script")


def arguments(add: Callable[..., object]) -> None:
    """Add the options that `run` and `env build` share."""
    add("--requirements", metavar="F", help="build the environment from a requirements file")
    add("--conda", metavar="F", help="build the environment from a conda environment file")
    add("--uv-project", metavar="DIR", help="build the environment from a uv project's uv.lock")
    add(
        "--pixi-project",
        metavar="DIR[:ENV]",
        help="build the environment from a pixi project's pixi.lock",
    )
    add("--group", metavar="NAME", action="append", dest="groups",
        help="install only this dependency group of --uv-project (repeatable)")  # fmt: skip
    add("--extra", metavar="NAME", action="append", default=[], dest="extras",
        help="install this extra of --uv-project (repeatable)")  # fmt: skip


def check_sources(args: argparse.Namespace) -> list[str]:
    """Return the option of SOURCES in use. Raises UserErrorException for conflicting options."""
    flags = [flag(name) for name in SOURCES if getattr(args, name, None)]
    if len(flags) > 1:
        raise UserErrorException(
            f"{' and '.join(flags)} cannot be used together.", "Use one of them."
        )
    if (args.groups or args.extras) and not args.uv_project:
        raise UserErrorException(
            "--group and --extra require --uv-project.", "Add --uv-project DIR."
        )
    return flags


def flag(name: str) -> str:
    """Return the option as typed on the command line."""
    return "--script" if name == "from_script" else "--" + name.replace("_", "-")


def load(args: argparse.Namespace) -> Environment | None:
    """Load the environment from the file or project in ``args``; None if there is none."""
    if args.requirements:
        return Environment.from_pip_requirements(_stem(args.requirements), args.requirements)
    if args.conda:
        return Environment.from_conda_specification(_stem(args.conda), args.conda)
    if args.uv_project:
        name = Path(args.uv_project).absolute().name
        return Environment.from_uv_project(name, args.uv_project, args.groups, args.extras)
    if args.pixi_project:
        folder, _, environment = args.pixi_project.partition(":")
        name = Path(folder).absolute().name
        return Environment.from_pixi_project(name, folder, environment or "default")
    script = getattr(args, "from_script", None)
    if script:
        return Environment.from_script(Path(script).name, script)
    return None


def _stem(path: str) -> str:
    return Path(path).stem
