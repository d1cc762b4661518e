"""Dump the Python stacks of hanging processes with py-spy, if installed (Python 3.8+)."""

import os
import shutil
import subprocess
import sys

from .. import events, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen

    from scriptrun.runtime.order import LaunchOrder


#: seconds for all dumps together
PATIENCE = 20.0
LOG = os.path.join("system_logs", "stacks.txt")


def collect(order: "LaunchOrder", pids: "list[int]") -> None:
    """Append the stacks of ``pids`` and their Python descendants to ``system_logs/stacks.txt``."""
    path = os.path.join(order.folder, LOG)
    spy = find(order)
    if spy is None:
        text = "node {}: py-spy is not installed, so no stacks are available\n"
        _write(path, text.format(order.node))
        return
    seen = list(dict.fromkeys(each for top in pids for each in _with_below(top)))
    started = [(pid, _start(spy, pid)) for pid in seen if "python" in processes.name_of(pid)]
    for pid, process in started:
        _write(path, "node {}, process {}:\n{}\n".format(order.node, pid, _read(process)))


def find(order: "LaunchOrder") -> "str | None":
    """The path of py-spy: in the job's environment, on its PATH, or next to scriptrun; or None."""
    path = (order.environ or os.environ).get("PATH") or os.defpath
    tool = os.path.dirname((order.tool or [sys.executable])[0] or "")
    places = [order.bin, path, tool]
    return shutil.which("py-spy", path=os.pathsep.join(each for each in places if each))


def _with_below(pid: int) -> "list[int]":
    return [pid] + processes.descendants(pid)


def _start(spy: str, pid: int) -> "Popen[bytes] | OSError":
    try:
        return subprocess.Popen(
            [spy, "dump", "--pid", str(pid)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError as error:
        return error


def _read(process: "Popen[bytes] | OSError") -> str:
    if isinstance(process, OSError):
        return str(process)
    try:
        return process.communicate(timeout=PATIENCE)[0].decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return "py-spy timed out after {:g} s".format(PATIENCE)


def _write(path: str, text: str) -> None:
    try:
        events.append(path, text.encode("utf-8", "backslashreplace"))
    except OSError:
        pass
