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
TIMEOUT = 20.0
LOG = os.path.join("system_logs", "stacks.txt")


def collect(order: "LaunchOrder", pids: "list[int]") -> None:
    """Append the stacks of ``pids`` and their Python descendants to ``system_logs/stacks.txt``."""
    path = os.path.join(order.folder, LOG)
    py_spy = find_py_spy(order)
    if py_spy is None:
        text = "node {}: py-spy is not installed, so no stacks are available\n"
        _write(path, text.format(order.node))
        return
    targets = list(
        dict.fromkeys(process_id for top in pids for process_id in _with_descendants(top))
    )
    dumps = [
        (pid, _start_dump(py_spy, pid))
        for pid in targets
        if "python" in processes.program_name(pid)
    ]
    for pid, process in dumps:
        _write(path, "node {}, process {}:\n{}\n".format(order.node, pid, _read_dump(process)))


def find_py_spy(order: "LaunchOrder") -> "str | None":
    """The path of py-spy: in the job's environment, on its PATH, or next to scriptrun; or None."""
    path = (order.environ or os.environ).get("PATH") or os.defpath
    tool = os.path.dirname((order.tool or [sys.executable])[0] or "")
    search_paths = [order.bin, path, tool]
    return shutil.which("py-spy", path=os.pathsep.join(entry for entry in search_paths if entry))


def _with_descendants(pid: int) -> "list[int]":
    return [pid] + processes.descendants(pid)


def _start_dump(py_spy: str, pid: int) -> "Popen[bytes] | OSError":
    try:
        return subprocess.Popen(
            [py_spy, "dump", "--pid", str(pid)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError as error:
        return error


def _read_dump(process: "Popen[bytes] | OSError") -> str:
    if isinstance(process, OSError):
        return str(process)
    try:
        return process.communicate(timeout=TIMEOUT)[0].decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return "py-spy timed out after {:g} s".format(TIMEOUT)


def _write(path: str, text: str) -> None:
    try:
        events.append(path, text.encode("utf-8", "backslashreplace"))
    except OSError:
        pass
