"""Starts a cluster's daemons and ends them, whatever becomes of the process that asked.

It reads JSON lines from standard input: ``{"start": [argv], "environ": {...}, "log": path}``
starts a process, ``{"run": [argv]}`` runs one to its end; each is answered with a line. When the
input ends, for whatever reason, everything that descends from this process is killed: it is a
subreaper, so daemons and the jobs that they leave behind come back to it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time

_SUBREAPER = 36
#: seconds until a process that SIGKILL does not end is left alone
PATIENCE = 240.0


def main() -> None:
    """Answer until the input ends; then end all."""
    ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line))), flush=True)
    finally:
        end_all()


def answer(order: dict) -> dict:
    """Do what one line asks."""
    reap()
    if "run" in order:
        done = subprocess.run(order["run"], capture_output=True, text=True, errors="replace")
        return {"code": done.returncode, "said": done.stdout + done.stderr}
    with open(order["log"], "ab") as log:
        process = subprocess.Popen(
            order["start"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={**os.environ, **order.get("environ", {})},
            start_new_session=True,
        )
    process.returncode = 0  # reaped with all others, in reap()
    return {"pid": process.pid}


def reap() -> None:
    """Take the status of what has ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def end_all() -> None:
    """Kill every descendant, until none is left."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        left = descendants(os.getpid())
        if not left:
            return
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        reap()
        time.sleep(0.01)


def descendants(root: int) -> list[int]:
    """The living processes below ``root``, parents first."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as handle:
            state, parent = handle.read().rpartition(")")[2].split()[:2]
            if state != "Z" or int(parent) == root:
                children.setdefault(int(parent), []).append(int(name))
    found, todo = [], [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


if __name__ == "__main__":
    main()
