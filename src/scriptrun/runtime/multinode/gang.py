"""A job of several ranks, on one or more nodes: all of them run, or none (Python 3.8+)."""

import os
import time

from .. import log_tail, processes, results
from ..launcher import steps
from ..ranks import mpi, nodes, pytorch, tensorflow
from . import gather, rendezvous
from .peers import Peers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from scriptrun.runtime.events import EventWriter
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.delivery_client import DeliveryClient
    from scriptrun.runtime.launcher.supervise import ExitSummary
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
    delivery: "DeliveryClient",
    fork: "Callable[[LaunchOrder], int]",
) -> "Json":
    """Meet the other nodes, run this node's ranks, and return the node's result.

    ``fork(order)`` starts the launcher of another node of a rehearsal.
    """
    order = attempt.order
    if order.rehearsal and not order.node:
        rendezvous.start_others(attempt, fork)
    work = steps.set_up_work_folder(attempt, log, delivery)
    peers = Peers(order)
    try:
        agreement = rendezvous.meet(job, attempt, peers)
    except rendezvous.RendezvousFailure as failure:
        return _with_cause(failure.value, peers)
    kind = _KINDS[job["distribution"]["kind"]]
    tasks = kind.tasks(job, attempt, agreement)
    _log_start(job, order, tasks, agreement, log)
    try:
        pids = _start(job, attempt, tasks, work, log)
    except OSError as error:
        reason = steps.start_error(error, job, attempt.order)
        return _with_cause(results.result(results.FAILED, reason), peers)
    supervisor = steps.make_supervisor(job, attempt, list(pids))
    supervisor.peers = peers
    supervisor.servers = frozenset(pid for pid, task in pids.items() if task.is_server)
    peers.only_waits = not pids
    if kind is mpi:
        ranks_per_node = job["distribution"]["processes_per_node"]
        order = attempt.order  # mpi.tasks has refined it
        attempt.local_ranks = lambda: mpi.local_rank_pids(order, ranks_per_node)
        if pids:
            mpi.supervise_ranks(supervisor, order, ranks_per_node)
        else:  # node 0 signals the ranks, and may need this node until they have saved
            supervisor.on_term = ""
    return _node_result(supervisor.wait(), job, order, pids, peers, agreement)


def _start(
    job: "Json", attempt: "Attempt", tasks: "list[Task]", work: str, log: "EventWriter"
) -> "dict[int, Task]":
    processes.become_subreaper()
    started: "dict[int, Task]" = {}
    for task in tasks:
        try:
            started[steps.start(job, attempt, task, work, log)] = task
        except OSError:
            for pid in started:
                processes.end_group(pid, 9)
            raise
    return started


def _log_start(
    job: "Json", order: "LaunchOrder", tasks: "list[Task]", agreement: "Json", log: "EventWriter"
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
    requested_port = (job.get("variables") or {}).get("MASTER_PORT")
    if requested_port and requested_port != str(agreement["port"]):
        reason = "is in use on node 0" if requested_port.isdigit() else "is not a port"
        message = "MASTER_PORT {} {}; using {}"
        log.write("warning", message=message.format(requested_port, reason, agreement["port"]))


def _node_result(
    ending: "ExitSummary",
    job: "Json",
    order: "LaunchOrder",
    pids: "dict[int, Task]",
    peers: "Peers",
    agreement: "Json",
) -> "Json":
    """This node's result; its ``cause`` is the first failure here, if any."""
    if ending.failed is None:
        value = steps.outcome(ending, steps.subject_of(job))
        if ending.stop_reason and ending.failed_at is None:  # because of another node
            value["reason"] = ending.stop_reason
        return _with_cause(value, peers, ending.failed_at)
    task = pids[ending.failed] if isinstance(ending.failed, int) else ending.failed
    who = task.name
    if order.nodes > 1:
        name = agreement["nodes"][task.node].get("name")
        who += " (node {}{})".format(task.node, ": " + name if name else "")
    subject = who if task.log == mpi.LOG else "{} on {}".format(steps.subject_of(job), who)
    value = steps.outcome(ending, subject, who)
    path = os.path.join(order.folder, *task.log.split("/"))
    value.update(rank=task.rank, failed_node=task.node, log=task.log, tail=log_tail.read_tail(path))
    return _with_cause(value, peers, ending.failed_at)


def _with_cause(value: "Json", peers: "Peers", failed_at: "float | None" = None) -> "Json":
    """Add the ``cause`` to ``value``, for comparison between nodes; {} if another node failed."""
    failed_elsewhere = any(
        other_result.get("state") != results.COMPLETED for other_result in peers.ended.values()
    )
    if failed_at is None and (failed_elsewhere or peers.lost):
        value["cause"] = {}
    elif failed_at is not None:
        value["cause"] = cause_of(value, failed_at)
    return value


def cause_of(value: "Json", failed_at: "float | None" = None) -> "Json":
    """The cause of a failure, for comparison with those of other nodes; {} without one."""
    if value["state"] != results.FAILED:
        return {}
    names = ("reason", "exit_code", "signal", "rank", "failed_node", "log", "tail")
    return dict({name: value[name] for name in names if name in value}, t=failed_at or time.time())


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
