"""Conda packages in an image: a prefix built on this machine and added as one layer.

rattler installs the locked packages on this machine with the paths that they will have in the image
(``/opt/scriptrun``), so the image needs neither Python nor conda nor the network.
"""

from __future__ import annotations

import json
import os
import tempfile

from scriptrun.environments.builder import Lock, Log, Stop
from scriptrun.environments.conda import builder as conda_builder
from scriptrun.environments.conda import lock as conda_lock
from scriptrun.environments.image import base as image_base
from scriptrun.environments.image import tool as image_tool
from scriptrun.environments.image.builder import VENV
from scriptrun.runtime import conda_prefix
from scriptrun.spec.digests import digest_of
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import container_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PRINT = "import json, os; print(json.dumps(dict(os.environ)))"
_SOURCE = (
    'for each in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do . "$each" >&2; done; '
    'exec "$0" -c "$1"'
)
#: the keys that a conda lockfile and an image's lockfile share
_TAKEN = ("conda", "python", "requirements", "requested", "notes", "relaxed")
_MPI = {"openmpi": "open", "mpich": "other", "impi_rt": "other"}


def locked(
    spec: EnvironmentSpec, facts: dict[str, Any], glibc: str, log: Log, stop: Stop
) -> dict[str, Any]:
    """The lockfile entries for the conda packages of an image; ``glibc`` is the image's version."""
    if image_base.foreign(spec):
        raise EnvironmentException(
            f"Cannot install conda packages into an image for another platform "
            f"({image_base.foreign(spec)}).",
            "Keep the default environment.docker.platform, or use a Dockerfile.",
        )
    found = conda_lock.resolve(spec, log, stop, glibc=glibc)
    names = {each["name"] for each in found["conda"]}
    own_mpi = next((kind for name, kind in _MPI.items() if name in names), facts["mpi"])
    path = f"{VENV}/bin:{facts['environ'].get('PATH', os.defpath)}"
    return {
        **{name: found[name] for name in _TAKEN if name in found},
        "interpreter": f"{VENV}/bin/python",
        "environ": {**facts["environ"], "PATH": path},
        "mpi": own_mpi,
    }


def tag(lock: Lock, base: str) -> str:
    """The tag of the layer with only the conda packages."""
    return f"localhost/scriptrun-conda:{digest_of([base, lock['conda']])[:32]}"


def fill(
    spec: EnvironmentSpec, lock: Lock, base: str, name: str, log: Log, stop: Stop
) -> tuple[dict[str, str], bool]:
    """Create the container ``name`` from ``base`` with the prefix in it, without starting it.

    Returns the variables that the packages set, and whether their scripts set more.
    """
    with tempfile.TemporaryDirectory(prefix="scriptrun-build-") as folder:
        root = os.path.join(folder, "root")
        prefix = os.path.join(root, *VENV.split("/"))
        os.makedirs(prefix)
        conda_builder.install(spec, lock, prefix, log, stop, elsewhere=VENV)
        create = ["create", "--name", name, "--pull=never", "--network=none", base, "true"]
        image_tool.run(create, f"Preparing image {lock['named']}", log, stop)
        copy = ["cp", f"{root}/.", f"{name}:/"]
        image_tool.run(copy, f"Copying conda packages into {lock['named']}", log, stop)
        return conda_prefix.settings(prefix), bool(conda_prefix.scripts(prefix))


def activated(image: str) -> dict[str, str]:
    """The variables set by the activation scripts in ``image``. Raises EnvironmentException."""
    python = f"{VENV}/bin/python"
    before = _variables(image, [python, "-c", _PRINT])
    after = _variables(image, ["/bin/sh", "-c", _SOURCE, python, _PRINT])
    return {
        name: value
        for name, value in after.items()
        if before.get(name) != value and name not in ("_", "PWD", "OLDPWD", "SHLVL")
    }


def _variables(image: str, argv: list[str]) -> dict[str, str]:
    words = ["run", "--rm", "--pull=never", "--network=none", "--user", "0:0"]
    words += ["--security-opt", "label=disable", "--env", f"CONDA_PREFIX={VENV}"]
    said = container_tool.run(
        container_tool.require(), [*words, "--entrypoint", "", image, *argv], timeout=120
    )
    if said.code or not said.out.startswith("{"):
        raise EnvironmentException(
            f"Activating the conda environment in the image failed: {said.error}",
            "Check its scripts in etc/conda/activate.d, which run with /bin/sh.",
        )
    found: dict[str, str] = json.loads(said.out)
    return found
