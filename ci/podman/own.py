"""A podman of one's own in a directory: its store, its settings and two images, no registry.

``python own.py DIRECTORY`` prints the path of the program to use; ``python own.py DIRECTORY end``
removes what runs and what lies there. Needs Debian's podman, crun, catatonit and util-linux.

Locks and temporary files are its own too: those that all podmans of a user share do not bear that a
new store is made while another one is in use.

Where a machine has both kinds of control groups mounted ("hybrid"), crun refuses to work: there
the program runs podman in a mount namespace of its own that does not see the second kind.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rootfs

#: the images that are made: one with a Python, one without
BASE, BARE = "localhost/base:1", "localhost/bare:1"
_CONF = """
[containers]
cgroups = "disabled"
default_ulimits = []
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
lock_type = "file"
tmp_dir = "{root}/tmp"
"""
_STORAGE = """
[storage]
driver = "overlay"
graphroot = "{root}/graph"
rootless_storage_path = "{root}/graph"
runroot = "{root}/run"
"""
#: builds keep the limits of this process: buildah 1.39 sets higher ones, which not every root may
_PROGRAM = """#!/bin/sh
export CONTAINERS_CONF="{root}/containers.conf" CONTAINERS_STORAGE_CONF="{root}/storage.conf"
command=
for word do
    shift
    set -- "$@" "$word"
    case "$command$word" in
        -*) ;;
        build) command=build; set -- "$@" {limits} ;;
        *) command=other ;;
    esac
done
{start}
"""
_HYBRID = "/sys/fs/cgroup/unified"
_UNSEEN = f"""exec unshare -m --propagation slave sh -c \
'umount {_HYBRID}; exec "$0" "$@"' {{podman}} "$@"
"""


def bring_up(root: Path, images: tuple[str, ...] = (BASE, BARE)) -> Path:
    """Make the store below ``root`` with ``images``; the path of the program to use."""
    (root / "bin").mkdir(parents=True)
    (root / "containers.conf").write_text(
        _CONF.format(root=root, locks="shm" if os.geteuid() else "file")
    )
    (root / "storage.conf").write_text(_STORAGE.format(root=root))
    podman = shutil.which("podman") or "/usr/bin/podman"
    hybrid = os.path.ismount(_HYBRID) and os.geteuid() == 0
    start = _UNSEEN.format(podman=podman) if hybrid else f'exec {podman} "$@"'
    program = root / "bin" / "podman"
    program.write_text(_PROGRAM.format(root=root, start=start, limits=_limits()))
    program.chmod(0o755)
    for image in images:
        add_image(program, root, image, python=image == BASE)
    return program


def _limits() -> str:
    """This process's own limits as options of ``podman build``.

    podman 4 lowers its own limit of processes to 32768, and cannot raise it again.
    """
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    _, most = resource.getrlimit(resource.RLIMIT_NPROC)
    processes = 32768 if most == resource.RLIM_INFINITY else min(most, 32768)
    return f"--ulimit nofile={files}:{files} --ulimit nproc={processes}:{processes}"


def add_image(program: Path, root: Path, image: str, python: bool) -> None:
    """Make ``image`` of this machine's own files."""
    tar = root / "rootfs.tar"
    rootfs.write(tar, python=python)
    words = ["import", "--change", "ENV PATH=/usr/local/bin:/usr/bin:/bin"]
    words += ["--change", "ENV LD_LIBRARY_PATH=/usr/local/lib"] if python else []
    subprocess.run([program, *words, tar, image], check=True, stdout=subprocess.DEVNULL)
    tar.unlink()


def end(root: Path) -> None:
    """Remove every container and the store."""
    program = root / "bin" / "podman"
    last = [["system", "migrate"]] if os.geteuid() else []  # ends what holds a user's namespace
    for words in (["rm", "--all", "--force", "--time", "0"], *last):
        subprocess.run([program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    discard(root)


def discard(root: Path) -> None:
    """Unmount what is mounted below ``root``, and remove it."""
    with open("/proc/mounts") as mounts:
        below = [line.split()[1] for line in mounts if line.split()[1].startswith(f"{root}/")]
    for place in sorted(below, reverse=True):
        subprocess.run(["umount", "--lazy", place], stderr=subprocess.DEVNULL)
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    where = Path(sys.argv[1]).absolute()
    if sys.argv[2:] == ["end"]:
        end(where)
    else:
        print(bring_up(where))
