"""A job of several ranks, on one or more nodes: all of them run, or none (Python 3.8+)."""

import os
import time

from .. import processes, results
from ..launcher import steps
from ..ranks import mpi, nodes, pytorch, tensorflow
from . import gather, rendezvous
from .peers import Peers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from scriptrun.runtime.events import EventWriter
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.delivery_client import Helper
    from scriptrun.runtime.launcher.supervise import Ending
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt, LaunchOrder


_KINDS = {
    "": nodes,
    "nodes": nodes,
    "pytorch": pytorch,
    "tensorflow": tensorflow,
    "mpi": mpi,
}


def run(
    job: "Json",
    attempt: "Attempt",
    log: "EventWriter",
    data: "Helper",
    fork: "Callable[[LaunchOrder], int]",
) -> "Json":
    """Meet the other nodes, run this node's ranks, and return the node's result.

    ``fork(order)`` starts the launcher of another node of a rehearsal.
    """
    order = attempt.order
    if order.rehearsal and not order.node:
        rendezvous.start_others(attempt, fork)
    work = steps.move_in(attempt, log, data)
    peers = Peers(order)
    try:
        agreed = rendezvous.meet(job, attempt, peers)
    except rendezvous.Apart as apart:
        return _with_cause(apart.value, peers)
    kind = _KINDS[job["distribution"]["kind"]]
    tasks = kind.tasks(job, attempt, agreed)
    _tell(job, order, tasks, agreed, log)
    try:
        pids = _start(job, attempt, tasks, work, log)
    except OSError as error:
        reason = steps.sentence(error, job, attempt.order)
        return _with_cause(results.result(results.FAILED, reason), peers)
    watch = steps.watch(job, attempt, list(pids))
    watch.peers = peers
    watch.servers = frozenset(pid for pid, task in pids.items() if task.serves)
    peers.only_waits = not pids
    if kind is mpi:
        each = job["distribution"]["processes_per_node"]
        order = attempt.order  # mpi.tasks has refined it
        attempt.ranks_here = lambda: mpi.living_on(order, each)
        if pids:
            mpi.look_inside(watch, order, each)
        else:  # node 0 signals the ranks, and may need this node until they have saved
            watch.on_term = ""
    return _value(watch.wait(), job, order, pids, peers, agreed)


def _start(
    job: "Json", attempt: "Attempt", tasks: "list[Task]", work: str, log: "EventWriter"
) -> "dict[int, Task]":
    processes.become_subreaper()
    found: "dict[int, Task]" = {}
    for task in tasks:
        try:
            found[steps.start(job, attempt, task, work, log)] = task
        except OSError:
            for pid in found:
                processes.end_group(pid, 9)
            raise
    return found


def _tell(
    job: "Json", order: "LaunchOrder", tasks: "list[Task]", agreed: "Json", log: "EventWriter"
) -> None:
    """Log the start and settings of the job, once."""
    if order.node:
        return
    log.write("state", state="Running")
    if order.rehearsal:
        message = "simulating {} nodes on this machine, each in its own directory"
        log.write("note", message=message.format(order.nodes))
    threads = [task.variables.get("OMP_NUM_THREADS") for task in tasks]
    if threads and threads[0]:
        message = "OMP_NUM_THREADS was not set; using {} (each rank's share of the CPUs)"
        log.write("note", message=message.format(threads[0]))
    wanted = (job.get("variables") or {}).get("MASTER_PORT")
    if wanted and wanted != str(agreed["port"]):
        why = "is in use on node 0" if wanted.isdigit() else "is not a port"
        message = "MASTER_PORT {} {}; using {}"
        log.write("warning", message=message.format(wanted, why, agreed["port"]))


def _value(
    ending: "Ending",
    job: "Json",
    order: "LaunchOrder",
    pids: "dict[int, Task]",
    peers: "Peers",
    agreed: "Json",
) -> "Json":
    """This node's result; its ``cause`` is the first failure here, if any."""
    if ending.failed is None:
        value = steps.outcome(ending, job.get("script") or "the command")
        if ending.stopped and ending.at is None:  # because of another node
            value["reason"] = ending.stopped
        return _with_cause(value, peers, ending.at)
    task = pids[ending.failed] if isinstance(ending.failed, int) else ending.failed
    if task.log == mpi.LOG:
        what = task.name
    else:
        what = "{} on {}".format(job.get("script") or "the command", task.name)
    if order.nodes > 1:
        name = agreed["nodes"][task.node].get("name")
        what += " (node {}{})".format(task.node, ": " + name if name else "")
    value = steps.outcome(ending, what)
    path = os.path.join(order.folder, *task.log.split("/"))
    value.update(rank=task.rank, failed_node=task.node, log=task.log, tail=gather.tail_of(path))
    return _with_cause(value, peers, ending.at)


def _with_cause(value: "Json", peers: "Peers", at: "float | None" = None) -> "Json":
    """Add the ``cause`` to ``value``, for comparison between nodes; {} if another node failed."""
    elsewhere = any(each.get("state") != results.COMPLETED for each in peers.ended.values())
    if at is None and (elsewhere or peers.lost):
        value["cause"] = {}
    elif at is not None:
        value["cause"] = cause_of(value, at)
    return value


def cause_of(value: "Json", at: "float | None" = None) -> "Json":
    """The cause of a failure, for comparison with those of other nodes; {} without one."""
    if value["state"] != results.FAILED:
        return {}
    names = ("reason", "exit_code", "signal", "rank", "failed_node", "log", "tail")
    return dict({name: value[name] for name in names if name in value}, t=at or time.time())


def end(job: "Json", attempt: "Attempt", value: "Json", log: "EventWriter") -> bool:
    """Publish this node's result; True if nothing else is left to do on it.

    On node 0, ``value`` becomes the whole run's result once all nodes have ended.
    """
    order = attempt.order
    value.setdefault("cause", cause_of(value))
    if order.node:
        gather.end_node(order, value, log)
        return True
    alone = order.rehearsal and not attempt.started
    value.update(gather.end(job, order, value, log, alone))
    value.pop("cause")
    value["ended"] = time.time()
    return False
