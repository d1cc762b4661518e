"""Conda packages in an image: a prefix made here for its place there, and kept as one layer.

rattler lays the locked packages out on this machine with the paths that they will have in the image
(``/opt/scriptrun``), so the image needs neither a Python nor conda, nor the network.
"""

from __future__ import annotations

import os
import tempfile

from scriptrun.environments import conda, conda_lock, image_base, image_tool
from scriptrun.environments.base import Lock, Log, Stop
from scriptrun.environments.image import VENV
from scriptrun.spec.digests import digest_of
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.spec.hints import Any

#: what a conda lock and an image's have in common
_TAKEN = ("conda", "python", "requirements", "requested", "notes")
_MPI = {"openmpi": "open", "mpich": "other", "impi_rt": "other"}


def locked(
    spec: EnvironmentSpec, facts: dict[str, Any], glibc: str, log: Log, stop: Stop
) -> dict[str, Any]:
    """What the lock of an image with conda packages says of them; ``glibc`` is the image's."""
    if image_base.foreign(spec):
        raise EnvironmentException(
            f"Conda packages are put into images of this machine's kind only, and the image is to "
            f"be for {image_base.foreign(spec)}.",
            "Leave environment.docker.platform as it is, or build the image by a Dockerfile.",
        )
    found = conda_lock.resolve(spec, log, stop, glibc=glibc)
    names = {each["name"] for each in found["conda"]}
    own_mpi = next((kind for name, kind in _MPI.items() if name in names), facts["mpi"])
    path = f"{VENV}/bin:{facts['environ'].get('PATH', os.defpath)}"
    return {
        **{name: found[name] for name in _TAKEN},
        "interpreter": f"{VENV}/bin/python",
        "environ": {**facts["environ"], "PATH": path},
        "mpi": own_mpi,
    }


def tag(lock: Lock, base: str) -> str:
    """The name of the layer with conda's packages alone."""
    return f"localhost/scriptrun-conda:{digest_of([base, lock['conda']])[:32]}"


def fill(spec: EnvironmentSpec, lock: Lock, base: str, name: str, log: Log, stop: Stop) -> None:
    """Make the container ``name`` of ``base``, with the prefix in it; it is not started."""
    with tempfile.TemporaryDirectory(prefix="scriptrun-build-") as folder:
        root = os.path.join(folder, "root")
        prefix = os.path.join(root, *VENV.split("/"))
        os.makedirs(prefix)
        conda.install(spec, lock, prefix, log, stop, elsewhere=VENV)
        create = ["create", "--name", name, "--pull=never", "--network=none", base, "true"]
        image_tool.run(create, f"Taking the image {lock['named']}", log, stop)
        copy = ["cp", f"{root}/.", f"{name}:/"]
        image_tool.run(copy, f"Copying conda's packages into {lock['named']}", log, stop)
