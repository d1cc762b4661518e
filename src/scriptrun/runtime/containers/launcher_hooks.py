"""What the launcher does differently for tasks in containers (Python 3.8+)."""

import os

from .. import processes
from . import apptainer_enroot, docker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.supervise import Watch
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt, LaunchOrder


_ADRIFT = "podman's container monitor (conmon) was killed, so the exit status is unknown"


def start(job: "Json", attempt: "Attempt", task: "Task", work: str, output: int) -> int:
    """Start ``task`` in a container; return the pid of the tool, which exits with the task."""
    order = attempt.order
    if _is_sandbox(order):
        argv, environ = apptainer_enroot.start_line(job, attempt, task, work)
    else:
        docker.bring(order)
        argv, environ = docker.start_line(job, attempt, task, work)
    pid = processes.spawn(argv, work, environ, output)
    attempt.tasks[pid] = task
    return pid


def look_after(watch: "Watch", attempt: "Attempt") -> None:
    """Let ``watch`` decode the tool's exit codes and signal processes in the containers."""
    order = attempt.order
    ranks = {pid: task.rank for pid, task in attempt.tasks.items()}
    watch.translate = lambda pid, status: _read(attempt, pid, status)
    if _is_sandbox(order):
        return  # its processes are our own children
    watch.terminate = lambda living: docker.terminate(
        order, {pid: ranks[pid] for pid in living if pid in ranks}
    )
    watch.troubled = lambda: _trouble(attempt, watch.living, ranks)


def _is_sandbox(order: "LaunchOrder") -> bool:
    return docker.told_of(order)["kind"] in apptainer_enroot.KINDS


def _read(attempt: "Attempt", pid: int, status: int) -> int:
    task, order = attempt.tasks[pid], attempt.order
    if _is_sandbox(order):
        if apptainer_enroot.not_started(attempt, task.rank, status):
            attempt.not_started = task
    elif os.WIFSIGNALED(status):
        attempt.cut = True  # the tool was killed before it removed its container
    elif docker.not_started(order, task.rank, status):
        attempt.not_started = task
        attempt.cut = True
    elif docker.is_tools_own(status) and docker.is_adrift(attempt, task.rank):
        attempt.adrift = True  # podman 5 exits when its monitor is killed, and removes nothing
    return docker.read_status(status)


def _trouble(attempt: "Attempt", living: "list[int]", ranks: "dict[int, int]") -> str:
    if docker.told_of(attempt.order)["kind"] != "podman":
        return ""
    if any(docker.is_adrift(attempt, ranks[pid]) for pid in living if pid in ranks):
        attempt.adrift = True
        return _ADRIFT
    return ""


def settle(attempt: "Attempt", value: "Json") -> None:
    """Clean up after the containers, and add their usage and failures to the result ``value``."""
    order, told = attempt.order, docker.told_of(attempt.order)
    if attempt.cut:
        processes.clear_descendants(patience=0.2)
    used = docker.settle()
    if attempt.adrift:  # podman does not remove a container whose processes are not reaped
        processes.clear_descendants(patience=0.2)
        _say_why(value, _ADRIFT)
    if (attempt.cut or attempt.adrift) and not _is_sandbox(order):
        docker.remove(order.folder, order.environ, order.node)
    usage = value.get("usage")
    if usage:
        for name in ("user_seconds", "system_seconds"):
            usage[name] = round(usage[name] + used[name], 3)
        usage["peak_memory_kb"] = max(usage["peak_memory_kb"], used["peak_memory_kb"])
    task = attempt.not_started
    if task is not None:
        path = os.path.join(order.folder, *task.log.split("/"))
        kind = told["kind"]
        reason = "{} failed to start a container from image {}: {}".format(
            kind, told["named"], docker.last_words(path, kind)
        )
        _say_why(value, reason)


def _say_why(value: "Json", reason: str) -> None:
    """Set ``reason`` as the cause of a failed run, and drop the tool's exit code."""
    if value["state"] != "Failed":
        return
    for each in (value, value.get("cause") or {}):
        each.update({name: reason for name in ("reason",) if name in each})
        each.pop("exit_code", None)
