"""The mounts of this machine: which are ours, whose process is gone, and taking them away."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import NamedTuple

from scriptrun.runtime import identity

_TYPE = "fuse.scriptrun"
_NAME = re.compile(r"scriptrun-(\d+)-(\d+)")
_LAZILY = 2  # MNT_DETACH


class Mount(NamedTuple):
    """One of our mounts: where it is, and the process that serves it."""

    mountpoint: str
    pid: int
    start: str

    @property
    def is_served(self) -> bool:
        """Whether its process lives."""
        return bool(identity.start_time(self.pid) == self.start)


def name_of_this_process() -> str:
    """What the system's list of mounts shows for a mount that this process serves."""
    return f"scriptrun-{os.getpid()}-{identity.start_time(os.getpid())}"


def ours() -> list[Mount]:
    """Our mounts on this machine, as far as this process sees them; none without /proc."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
            lines = table.readlines()
    except OSError:
        return []
    return [found for found in map(_mount, lines) if found is not None]


def _mount(line: str) -> Mount | None:
    """A line of mountinfo (man 5 proc): our mount, or None."""
    before, _, after = line.partition(" - ")
    kind, source, *_ = after.split(" ")
    name = _NAME.fullmatch(source)
    if kind != _TYPE or name is None:
        return None
    place = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), before.split(" ")[4])
    return Mount(place, int(name[1]), name[2])


def unmount(mountpoint: str) -> bool:
    """Unmount lazily: it is gone from the tree at once, and for good when nothing uses it."""
    if os.geteuid() == 0:
        import ctypes

        code: int = ctypes.CDLL(None).umount2(os.fsencode(mountpoint), _LAZILY)
        return code == 0
    tool = shutil.which("fusermount3") or "fusermount"
    try:
        done = subprocess.run([tool, "-uz", "--", mountpoint], capture_output=True)
    except OSError:
        return False
    return done.returncode == 0
