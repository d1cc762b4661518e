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


def free_ports(count: int) -> list[int]:
    """Ports below the range from which the kernel gives out its own."""
    held, found = [], []
    try:
        while len(found) < count:
            one = socket.socket()
            held.append(one)
            with contextlib.suppress(OSError):
                one.bind(("0.0.0.0", random.SystemRandom().randrange(20000, 32000)))
                found.append(one.getsockname()[1])
    finally:
        for one in held:
            one.close()
    return found


def which(name: str) -> str:
    """Where a program is, daemons included; "" where it is not."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    return shutil.which(name, path=path) or ""


def until(what: Callable[[], Any], why: str | Callable[[], str], seconds: float = 60) -> Any:
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
