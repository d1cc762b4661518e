"""The machine's table of mounts: find scriptrun's mounts, and unmount them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import NamedTuple

from scriptrun.runtime import identity

_TYPE = "fuse.scriptrun"
_NAME = re.compile(r"scriptrun-(\d+)-(\d+)(?:-(\d+))?")
_LAZILY = 2  # MNT_DETACH


class MountEntry(NamedTuple):
    """One of scriptrun's mounts, and the process that serves it, by its number in ``namespace``."""

    mountpoint: str
    pid: int
    start: str
    #: the PID namespace of that process; "" for mounts of earlier versions
    namespace: str = ""

    @property
    def is_served(self) -> bool:
        """Whether its process is alive, or cannot be seen, as it is in another PID namespace."""
        if self.namespace not in ("", str(identity.pid_namespace() or "")):
            return True
        return bool(identity.start_time(self.pid) == self.start)


def name_of_this_process() -> str:
    """The source shown in the system's list of mounts for a mount of this process."""
    pid = os.getpid()
    name = f"scriptrun-{pid}-{identity.start_time(pid)}"
    return f"{name}-{identity.pid_namespace() or ''}".rstrip("-")


def our_mounts() -> list[MountEntry]:
    """Scriptrun's mounts that this process can see; none without /proc."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
            lines = table.readlines()
    except OSError:
        return []
    return [entry for entry in map(_parse_line, lines) if entry is not None]


def _parse_line(line: str) -> MountEntry | None:
    """Parse a line of mountinfo (man 5 proc); None if it is not a scriptrun mount."""
    before, _, after = line.partition(" - ")
    kind, source, *_ = after.split(" ")
    name = _NAME.fullmatch(source)
    if kind != _TYPE or name is None:
        return None
    mountpoint = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), before.split(" ")[4])
    return MountEntry(mountpoint, int(name[1]), name[2], name[3] or "")


def unmount(mountpoint: str) -> bool:
    """Unmount lazily: hidden at once, released when nothing uses it. Returns success."""
    if os.geteuid() == 0:
        import ctypes

        code: int = ctypes.CDLL(None).umount2(os.fsencode(mountpoint), _LAZILY)
        return code == 0
    tool = shutil.which("fusermount3") or "fusermount"
    try:
        result = subprocess.run([tool, "-uz", "--", mountpoint], capture_output=True)
    except OSError:
        return False
    return result.returncode == 0
