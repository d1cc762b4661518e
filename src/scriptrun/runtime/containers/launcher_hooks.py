"""What the launcher does differently for tasks in containers (Python 3.8+)."""

import os

from .. import processes
from . import apptainer_enroot, docker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.supervise import Supervisor
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt, LaunchOrder


_MONITOR_KILLED = "podman's container monitor (conmon) was killed, so the exit status is unknown"


def start(job: "Json", attempt: "Attempt", task: "Task", work: str, output: int) -> int:
    """Start ``task`` in a container; return the pid of the tool, which exits with the task."""
    order = attempt.order
    if _is_sandbox(order):
        argv, environ = apptainer_enroot.run_command(job, attempt, task, work)
    else:
        docker.load_image(order)
        argv, environ = docker.run_command(job, attempt, task, work)
    pid = processes.spawn(argv, work, environ, output)
    attempt.tasks[pid] = task
    return pid


def configure_supervisor(supervisor: "Supervisor", attempt: "Attempt") -> None:
    """Let ``supervisor`` decode the tool's exit codes and signal processes in the containers."""
    order = attempt.order
    ranks = {pid: task.rank for pid, task in attempt.tasks.items()}
    supervisor.translate_status = lambda pid, status: _read_status(attempt, pid, status)
    if _is_sandbox(order):
        return  # its processes are our own children
    supervisor.terminate = lambda pids: docker.terminate(
        order, {pid: ranks[pid] for pid in pids if pid in ranks}
    )
    supervisor.find_problem = lambda: _monitor_problem(attempt, supervisor.running, ranks)


def _is_sandbox(order: "LaunchOrder") -> bool:
    return docker.container_of(order)["kind"] in apptainer_enroot.KINDS


def _read_status(attempt: "Attempt", pid: int, status: int) -> int:
    task, order = attempt.tasks[pid], attempt.order
    if _is_sandbox(order):
        if apptainer_enroot.not_started(attempt, task.rank, status):
            attempt.not_started = task
    elif os.WIFSIGNALED(status):
        attempt.may_leave_container = True  # the tool was killed before it removed its container
    elif docker.not_started(order, task.rank, status):
        attempt.not_started = task
        attempt.may_leave_container = True
    elif docker.is_tool_exit_code(status) and docker.is_monitor_killed(attempt, task.rank):
        attempt.monitor_killed = (
            True  # podman 5 exits when its monitor is killed, and removes nothing
        )
    return docker.read_status(status)


def _monitor_problem(attempt: "Attempt", pids: "list[int]", ranks: "dict[int, int]") -> str:
    if docker.container_of(attempt.order)["kind"] != "podman":
        return ""
    if any(docker.is_monitor_killed(attempt, ranks[pid]) for pid in pids if pid in ranks):
        attempt.monitor_killed = True
        return _MONITOR_KILLED
    return ""


def finish(attempt: "Attempt", value: "Json") -> None:
    """Clean up after the containers, and add their usage and failures to the result ``value``."""
    order, container = attempt.order, docker.container_of(attempt.order)
    if attempt.may_leave_container:
        processes.clear_descendants(patience=0.2)
    helper_usage = docker.wait_for_helpers()
    if attempt.monitor_killed:  # podman does not remove a container whose processes are not reaped
        processes.clear_descendants(patience=0.2)
        _set_reason(value, _MONITOR_KILLED)
    if (attempt.may_leave_container or attempt.monitor_killed) and not _is_sandbox(order):
        docker.remove_containers(order)
    usage = value.get("usage")
    if usage:
        for name in ("user_seconds", "system_seconds"):
            usage[name] = round(usage[name] + helper_usage[name], 3)
        usage["peak_memory_kb"] = max(usage["peak_memory_kb"], helper_usage["peak_memory_kb"])
    task = attempt.not_started
    if task is not None:
        path = os.path.join(order.folder, *task.log.split("/"))
        kind = container["kind"]
        reason = "{} failed to start a container from image {}: {}".format(
            kind, container["named"], docker.last_error(path, kind)
        )
        _set_reason(value, reason)


def _set_reason(value: "Json", reason: str) -> None:
    """Set ``reason`` as the cause of a failed run, and drop the tool's exit code."""
    if value["state"] != "Failed":
        return
    for part in (value, value.get("cause") or {}):
        part.update({name: reason for name in ("reason",) if name in part})
        part.pop("exit_code", None)
