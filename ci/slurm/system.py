"""What the cluster asks of the machine: programs, ports, processes by /proc."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: seconds after which what should have happened never will; see scriptrun.testing.jobs
PATIENCE = 300.0


#: what says to other processes of this machine that a port is meant for this one
_taken: list[socket.socket] = []


def free_ports(count: int) -> list[int]:
    """Ports below the range from which the kernel gives out its own.

    None of them is given to two processes, also while nobody listens there yet.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().randrange(20000, 32000)
        mine = socket.socket(socket.AF_UNIX)
        with socket.socket() as one, contextlib.suppress(OSError):
            mine.bind(f"\0scriptrun-port-{port}")  # a name without a file, gone with the process
            _taken.append(mine)
            one.bind(("0.0.0.0", port))
            found.append(port)
    return found


def which(name: str) -> str:
    """Where a program is, daemons included; "" where it is not."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    return shutil.which(name, path=path) or ""


def until(what: Callable[[], Any], why: str | Callable[[], str], seconds: float = PATIENCE) -> Any:
    """What ``what`` gives once that is true; TimeoutError with ``why`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(why() if callable(why) else why)
        time.sleep(0.02)


def kill(pid: int) -> None:
    """End a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def remove_jobs(spool: Path) -> None:
    """Remove the sockets and the folders of jobs that a killed slurmd left in its folder."""
    for path in spool.iterdir():
        if path.is_socket():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)


def read_proc(pid: int, name: str) -> bytes:
    """A file of the process in /proc; b"" once it is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def comm(pid: int) -> str:
    """The process's name."""
    return read_proc(pid, "comm").decode(errors="replace").strip()


def cmdline(pid: int) -> bytes:
    """Its command line, the words ended by NUL."""
    return read_proc(pid, "cmdline")


def environ(pid: int) -> list[bytes]:
    """Its variables as NAME=VALUE."""
    return read_proc(pid, "environ").split(b"\0")


def parent(pid: int) -> int:
    """Its parent's pid; 0 once it is gone."""
    stat = read_proc(pid, "stat").decode(errors="replace")
    return int(stat.rpartition(")")[2].split()[1]) if stat else 0
