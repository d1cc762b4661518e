"""A disk of its own whose power can be cut: a loop device with ext4, as root.

``cut`` stops the file system at once, without writing out what only memory holds, as a power cut
does; it is mounted again, and its journal replayed. What ran on it is ended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from machine import lacking

#: EXT4_IOC_SHUTDOWN, and not to write out the journal first
_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587D, 2
#: sparse, and more than a second and a half of submissions can fill
_SIZE = 512 << 20


class Disk:
    """An ext4 file system in a file, mounted at ``place``."""

    def __init__(self, folder: Path) -> None:
        self.image, self.place = folder / "power.img", folder / "power"
        self._cuts = 0
        if os.geteuid() != 0 or not shutil.which("mkfs.ext4") or not shutil.which("losetup"):
            lacking("a disk cannot be cut off here (it takes root, mkfs.ext4 and losetup)")
        with open(self.image, "wb") as file:
            file.truncate(_SIZE)
        self.place.mkdir()
        command = ["mkfs.ext4", "-q", "-E", "lazy_itable_init=0", self.image]
        subprocess.run(command, check=True)
        self._mount()

    def _mount(self) -> None:
        command = ["mount", "-o", "loop", self.image, self.place]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            lacking(f"a loop device cannot be mounted here: {done.stderr.strip()}")

    def cut(self) -> None:
        """Cut the power, end what runs on the disk, and mount it again."""
        import fcntl

        handle = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, _NO_LOG_FLUSH.to_bytes(4, "little"))
        finally:
            os.close(handle)
        self.end()
        # a copy: another process's mount namespace may still hold what has been stopped
        copy = self.image.with_suffix(".copy")
        subprocess.run(["cp", "--sparse=always", self.image, copy], check=True)
        self.image.unlink()
        self.image = copy.rename(self.image.with_suffix(f".{self._cuts}"))
        self._cuts += 1
        self._mount()

    def end(self) -> None:
        """End what runs on the disk and unmount it."""
        while True:
            for pid in self._users():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if subprocess.run(["umount", self.place], capture_output=True).returncode == 0:
                return
            if os.fsencode(self.place) not in Path("/proc/mounts").read_bytes():
                return
            time.sleep(0.02)

    def _users(self) -> list[int]:
        """Processes that work in, execute from, hold open or name something on the disk."""
        mark = os.fsencode(self.place)
        return [pid for pid in _processes() if any(mark in name for name in _names(pid))]


def _processes() -> list[int]:
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if pid not in (1, os.getpid())]


def _names(pid: int) -> list[bytes]:
    folder = f"/proc/{pid}"
    found = []
    with contextlib.suppress(OSError):
        for variable in Path(folder, "environ").read_bytes().split(b"\0"):
            found.append(variable)
        found.append(Path(folder, "cmdline").read_bytes())
        links = ["cwd", "exe", *(f"fd/{name}" for name in os.listdir(f"{folder}/fd"))]
        for link in links:
            with contextlib.suppress(OSError):
                found.append(os.fsencode(os.readlink(f"{folder}/{link}")))
    return found
