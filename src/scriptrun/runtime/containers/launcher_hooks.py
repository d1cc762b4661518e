"""What the launcher does otherwise where the job's processes are containers (Python 3.8+)."""

import os

from .. import processes
from . import apptainer_enroot, docker

_ADRIFT = "podman's monitor of its container (conmon) was killed, so its end cannot be known"


def start(job, order, task, work, output):
    """Start ``task`` as a container; the pid of the tool's process, which ends as it does."""
    if _is_sandbox(order):
        argv, environ = apptainer_enroot.start_line(job, order, task, work)
    else:
        docker.bring(order)
        argv, environ = docker.start_line(job, order, task, work)
    pid = processes.spawn(argv, work, environ, output)
    order.setdefault("tasks", {})[pid] = task
    return pid


def look_after(watch, order):
    """Let ``watch`` read the tool's exit codes, and reach the processes in the containers."""
    ranks = {pid: task.rank for pid, task in order.get("tasks", {}).items()}
    watch.translate = lambda pid, status: _read(order, pid, status)
    if _is_sandbox(order):
        return  # its processes are ours
    watch.terminate = lambda living: docker.terminate(
        order, {pid: ranks[pid] for pid in living if pid in ranks}
    )
    watch.troubled = lambda: _trouble(order, watch.living, ranks)


def _is_sandbox(order):
    return order["container"]["kind"] in apptainer_enroot.KINDS


def _read(order, pid, status):
    task = order["tasks"][pid]
    if _is_sandbox(order):
        if apptainer_enroot.not_started(order, task.rank, status):
            order["not_started"] = task
    elif os.WIFSIGNALED(status):
        order["cut"] = True  # the tool was killed: it has not removed its container
    elif docker.not_started(order, task.rank, status):
        order["not_started"] = task
        order["cut"] = True
    elif docker.is_tools_own(status) and docker.is_adrift(order, task.rank):
        order["adrift"] = True  # podman 5 ends when its monitor is killed, and removes nothing
    return docker.read_status(status)


def _trouble(order, living, ranks):
    if order["container"]["kind"] != "podman":
        return ""
    if any(docker.is_adrift(order, ranks[pid]) for pid in living if pid in ranks):
        order["adrift"] = True
        return _ADRIFT
    return ""


def settle(order, value):
    """The containers' end: what holds them goes, and the result ``value`` says what is the case."""
    if order.get("cut"):
        processes.clear_descendants(patience=0.2)
    used = docker.settle(order)
    if order.get("adrift"):  # podman does not remove a container whose processes are not reaped
        processes.clear_descendants(patience=0.2)
        _say_why(value, _ADRIFT)
    if (order.get("cut") or order.get("adrift")) and not _is_sandbox(order):
        docker.remove(order["folder"], order.get("environ"), order["node"])
    usage = value.get("usage")
    if usage:
        for name in ("user_seconds", "system_seconds"):
            usage[name] = round(usage[name] + used[name], 3)
        usage["peak_memory_kb"] = max(usage["peak_memory_kb"], used["peak_memory_kb"])
    task = order.get("not_started")
    if task is not None:
        path = os.path.join(order["folder"], *task.log.split("/"))
        kind = order["container"]["kind"]
        reason = "{} could not start the container of the image {}: {}".format(
            kind, order["container"]["named"], docker.last_words(path, kind)
        )
        _say_why(value, reason)


def _say_why(value: dict, reason: str) -> None:
    """Let ``reason`` be why the run failed, and no exit code of the tool's."""
    if value["state"] != "Failed":
        return
    for each in (value, value.get("cause") or {}):
        each.update({name: reason for name in ("reason",) if name in each})
        each.pop("exit_code", None)
