"""A job of several ranks, here and perhaps on other nodes: all together or none (Python 3.8+)."""

import os
import time

from .. import processes, results
from ..launcher import steps
from ..ranks import mpi, nodes, pytorch, tensorflow
from . import gather, rendezvous
from .peers import Peers

_KINDS = {
    "": nodes,
    "nodes": nodes,
    "pytorch": pytorch,
    "tensorflow": tensorflow,
    "mpi": mpi,
}


def run(job, order, log, data, fork):
    """Meet the other nodes, run this node's ranks, and give how they ended.

    ``fork(order, keep)`` starts the launcher of another node of a rehearsal.
    """
    if order.get("rehearsal") and not order["node"]:
        rendezvous.start_others(order, fork)
    work = steps.move_in(order, log, data)
    peers = Peers(order)
    try:
        agreed = rendezvous.meet(job, order, peers)
    except rendezvous.Apart as apart:
        return _with_cause(apart.value, order, peers)
    kind = _KINDS[job["distribution"]["kind"]]
    tasks = kind.tasks(job, order, agreed)
    _tell(job, order, tasks, agreed, log)
    try:
        pids = _start(job, order, tasks, work, log)
    except OSError as error:
        reason = steps.sentence(error, job, order)
        return _with_cause(results.result(results.FAILED, reason), order, peers)
    watch = steps.watch(job, order, list(pids))
    watch.peers = peers
    watch.servers = frozenset(pid for pid, task in pids.items() if task.serves)
    peers.only_waits = not pids
    if kind is mpi:
        each = job["distribution"]["processes_per_node"]
        order["ranks_here"] = lambda: mpi.living_on(order, each)
        if pids:
            mpi.look_inside(watch, order, each)
        else:  # node 0 tells the ranks, and may need this node until they have saved
            watch.on_term = ""
    return _value(watch.wait(), job, order, pids, peers, agreed)


def _start(job, order, tasks, work, log):
    processes.become_subreaper()
    found = {}
    for task in tasks:
        try:
            found[steps.start(job, order, task, work, log)] = task
        except OSError:
            for pid in found:
                processes.end_group(pid, 9)
            raise
    return found


def _tell(job, order, tasks, agreed, log):
    """Say what a reader of the run's record should know, once."""
    if order["node"]:
        return
    log.write("state", state="Running")
    if order.get("rehearsal"):
        message = (
            "a rehearsal: {} nodes are simulated on this machine, each in a directory of its own"
        )
        log.write("note", message=message.format(order["nodes"]))
    threads = [task.variables.get("OMP_NUM_THREADS") for task in tasks]
    if threads and threads[0]:
        message = "OMP_NUM_THREADS={} for each rank: its share of the CPUs, for it was not set"
        log.write("note", message=message.format(threads[0]))
    wanted = (job.get("variables") or {}).get("MASTER_PORT")
    if wanted and wanted != str(agreed["port"]):
        why = "is taken on node 0" if wanted.isdigit() else "is no port"
        message = "MASTER_PORT {} {}, so the ranks were given {}"
        log.write("warning", message=message.format(wanted, why, agreed["port"]))


def _value(ending, job, order, pids, peers, agreed):
    """This node's result; ``cause`` is what went wrong here first, where anything did."""
    if ending.failed is None:
        value = steps.outcome(ending, job.get("script") or "the command")
        if ending.stopped and ending.at is None:  # for the sake of another node
            value["reason"] = ending.stopped
        return _with_cause(value, order, peers, ending.at)
    task = ending.failed if hasattr(ending.failed, "rank") else pids[ending.failed]
    if task.log == mpi.LOG:
        what = task.name
    else:
        what = "{} on {}".format(job.get("script") or "the command", task.name)
    if order["nodes"] > 1:
        name = agreed["nodes"][task.node].get("name")
        what += " (node {}{})".format(task.node, ": " + name if name else "")
    value = steps.outcome(ending, what)
    path = os.path.join(order["folder"], *task.log.split("/"))
    value.update(rank=task.rank, failed_node=task.node, log=task.log, tail=gather.tail_of(path))
    return _with_cause(value, order, peers, ending.at)


def _with_cause(value, order, peers, at=None):
    """``value`` with what other nodes need to find the first failure; {} where it is theirs."""
    elsewhere = any(each.get("state") != results.COMPLETED for each in peers.ended.values())
    if at is None and (elsewhere or peers.lost):
        value["cause"] = {}
    elif at is not None:
        value["cause"] = cause_of(value, at)
    return value


def cause_of(value, at=None):
    """What went wrong, for the comparison with what did on other nodes: {} where nothing did."""
    if value["state"] != results.FAILED:
        return {}
    names = ("reason", "exit_code", "signal", "rank", "failed_node", "log", "tail")
    return dict({name: value[name] for name in names if name in value}, t=at or time.time())


def end(job, order, value, log):
    """Tell how this node ended; True where that is all there is for it to do.

    On node 0 ``value`` becomes the whole run's, once all nodes have ended.
    """
    value.setdefault("cause", cause_of(value))
    if order["node"]:
        gather.end_node(order, value, log)
        return True
    alone = order.get("rehearsal") and not order.get("started")
    value.update(gather.end(job, order, value, log, alone))
    value.pop("cause")
    value["ended"] = time.time()
    return False
