"""Conda packages in an image: a prefix built on this machine and added as one layer.

rattler installs the locked packages on this machine with the paths that they will have in the image
(``/opt/scriptrun``), so the image needs neither Python nor conda nor the network.
"""

from __future__ import annotations

import json
import os

from scriptrun.environments.builder import Lockfile, Log, Stop
from scriptrun.environments.conda import builder as conda_builder
from scriptrun.environments.conda import lock as conda_lock
from scriptrun.environments.image import base as image_base
from scriptrun.environments.image import tool as image_tool
from scriptrun.environments.image.builder import VENV
from scriptrun.runtime import conda_prefix
from scriptrun.spec.digests import digest_of
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import container_tool, scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json

_PRINT_ENVIRON = "import json, os; print(json.dumps(dict(os.environ)))"
_SOURCE_SCRIPTS = (
    'for each in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do . "$each" >&2; done; '
    'exec "$0" -c "$1"'
)
#: the keys that a conda lockfile and an image's lockfile share
_SHARED_KEYS = ("conda", "python", "requirements", "requested", "notes", "relaxed", "as_of")
_MPI = {"openmpi": "open", "mpich": "other", "impi_rt": "other"}


def lock_packages(spec: EnvironmentSpec, facts: Json, glibc: str, log: Log, stop: Stop) -> Json:
    """The lockfile entries for the conda packages of an image; ``glibc`` is the image's version."""
    if image_base.foreign_platform(spec):
        raise EnvironmentException(
            f"Cannot install conda packages into an image for another platform "
            f"({image_base.foreign_platform(spec)}).",
            "Keep the default environment.docker.platform, or use a Dockerfile.",
        )
    conda_lockfile = conda_lock.resolve(spec, log, stop, glibc=glibc)
    names = {package["name"] for package in conda_lockfile["conda"]}
    mpi = next((kind for name, kind in _MPI.items() if name in names), facts["mpi"])
    path = f"{VENV}/bin:{facts['environ'].get('PATH', os.defpath)}"
    return {
        **{name: conda_lockfile[name] for name in _SHARED_KEYS if name in conda_lockfile},
        "interpreter": f"{VENV}/bin/python",
        "environ": {**facts["environ"], "PATH": path},
        "mpi": mpi,
    }


def layer_tag(lockfile: Lockfile, base: str) -> str:
    """The tag of the layer with only the conda packages."""
    return f"localhost/scriptrun-conda:{digest_of([base, lockfile['conda']])[:32]}"


def create_container(
    spec: EnvironmentSpec, lockfile: Lockfile, base: str, name: str, log: Log, stop: Stop
) -> tuple[dict[str, str], bool]:
    """Create the container ``name`` from ``base`` with the prefix in it, without starting it.

    Returns the variables that the packages set, and whether their scripts set more.
    """
    with scratch.Scratch("build") as folder:
        root = os.path.join(folder, "root")
        prefix = os.path.join(root, *VENV.split("/"))
        os.makedirs(prefix)
        conda_builder.install(spec, lockfile, prefix, log, stop, final_prefix=VENV)
        create = ["create", "--name", name, "--pull=never", "--network=none", base, "true"]
        image_tool.run(create, f"Preparing image {lockfile['named']}", log, stop)
        copy = ["cp", f"{root}/.", f"{name}:/"]
        image_tool.run(copy, f"Copying conda packages into {lockfile['named']}", log, stop)
        return conda_prefix.settings(prefix), bool(conda_prefix.scripts(prefix))


def activation_variables(image: str) -> dict[str, str]:
    """The variables set by the activation scripts in ``image``. Raises EnvironmentException."""
    python = f"{VENV}/bin/python"
    before = _read_variables(image, [python, "-c", _PRINT_ENVIRON])
    after = _read_variables(image, ["/bin/sh", "-c", _SOURCE_SCRIPTS, python, _PRINT_ENVIRON])
    return {
        name: value
        for name, value in after.items()
        if before.get(name) != value and name not in ("_", "PWD", "OLDPWD", "SHLVL")
    }


def _read_variables(image: str, argv: list[str]) -> dict[str, str]:
    arguments = ["run", "--rm", "--pull=never", "--network=none", "--user", "0:0"]
    arguments += ["--security-opt", "label=disable", "--env", f"CONDA_PREFIX={VENV}"]
    result = container_tool.run(
        container_tool.require(), [*arguments, "--entrypoint", "", image, *argv], timeout=120
    )
    if result.code or not result.out.startswith("{"):
        raise EnvironmentException(
            f"Activating the conda environment in the image failed: {result.error}",
            "Check its scripts in etc/conda/activate.d, which run with /bin/sh.",
        )
    variables: dict[str, str] = json.loads(result.out)
    return variables
