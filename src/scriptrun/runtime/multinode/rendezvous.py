"""The rendezvous of a job's nodes before any rank starts (docs/explanation/engines.md)."""

import os
import time

from .. import files, identity, processes, results
from ..launcher import collect, supervise
from . import ports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.multinode.peers import Peers
    from scriptrun.runtime.order import Attempt, LaunchOrder

    _T = TypeVar("_T")


class RendezvousFailure(Exception):
    """The rendezvous failed; ``value`` is this node's result."""

    def __init__(self, value: "Json") -> None:
        super().__init__(value.get("reason"))
        self.value = value


def start_others(attempt: "Attempt", fork: "Callable[[LaunchOrder], int]") -> None:
    """Start the launchers of a rehearsal's other nodes; they share the slot of node 0."""
    attempt.started, order = True, attempt.order
    processes.become_subreaper()  # node 0 adopts the processes of a lost node
    for node in range(1, order.nodes):
        fork(order.replace(node=node, ticket=None, wake=None))


def meet(job: "Json", attempt: "Attempt", peers: "Peers") -> "Json":
    """Wait for the other nodes; return the agreement of all, the content of ``head.json``.

    Raises RendezvousFailure if the run is canceled or another node fails.
    """
    order = attempt.order
    folder = results.attempt_folder(order.folder, order.attempt)
    head = os.path.join(folder, "head.json")
    local_node = _describe_node(job, attempt)
    if order.node:
        path = os.path.join(folder, "node-{}.ready.json".format(order.node))
        files.publish(path, files.to_json(local_node), durable=False)
        answer: "Json" = _await(lambda: files.read_json(head), order, peers)
        return answer
    requested_port = _requested_port(job)
    port = ports.reserve(1, requested_port)[0]
    if order.nodes > 1:
        others = _await(lambda: _read_ready_nodes(folder, order.nodes), order, peers)
    else:
        others = []
    # the others may know this node's address better than it does itself
    local_node["address"] = next(
        (node["head"] for node in others if node.get("head")), local_node["address"]
    )
    agreement = {"address": local_node["address"], "port": port, "nodes": [local_node] + others}
    files.publish(head, files.to_json(agreement), durable=False)
    return agreement


def _describe_node(job: "Json", attempt: "Attempt") -> "Json":
    """The description of this node for the others."""
    order = attempt.order
    scheduler = order.load_scheduler()
    servers = ports.reserve(_count_ports(job, order.node))
    address = order.head if not order.node else ""
    return {
        "node": order.node,
        "name": scheduler.node_name() if scheduler is not None else "",
        "address": address or order.address or "127.0.0.1",
        "head": order.head or "",
        "ports": servers,
        "work": collect.work_folder(order.folder, order.node),
        "cpus": count_cpus(),
        "own": attempt.node_values(),
        "launcher": identity.identify(),
    }


def count_cpus() -> int:
    """How many CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def _count_ports(job: "Json", node: int) -> int:
    """How many processes of the job on ``node`` need their own port."""
    distribution = job["distribution"]
    if distribution["kind"] != "tensorflow":
        return 0
    servers = distribution["settings"].get("parameter_servers", 0)
    return 1 + len(range(node, servers, distribution["nodes"]))


def _requested_port(job: "Json") -> "int | None":
    text = (job.get("variables") or {}).get("MASTER_PORT", "")
    return int(text) if text.isdigit() and 0 < int(text) < 65536 else None


def _read_ready_nodes(folder: str, nodes: int) -> "list[Json] | None":
    values = [
        files.read_json(os.path.join(folder, "node-{}.ready.json".format(node)))
        for node in range(1, nodes)
    ]
    return values if all(values) else None


def _await(read: "Callable[[], _T | None]", order: "LaunchOrder", peers: "Peers") -> "_T":
    """Call ``read`` until it returns a true value, and return that."""
    cancel = os.path.join(order.folder, "cancel.json")
    pause, heartbeats, next_heartbeat = 0.001, 0, time.monotonic() + supervise.HEARTBEAT_SECONDS
    while True:
        value = read()
        if value:
            return value
        if os.path.lexists(cancel):
            raise RendezvousFailure(results.result(results.CANCELED, "canceled before it started"))
        problem = order.on_term if supervise.stop_requested() else peers.find_problem()
        if problem:
            raise RendezvousFailure(results.result(results.FAILED, problem))
        if time.monotonic() > next_heartbeat:
            heartbeats, next_heartbeat = (
                heartbeats + 1,
                time.monotonic() + supervise.HEARTBEAT_SECONDS,
            )
            path = "{}/node-{}.beat".format(peers.folder, order.node)
            files.write_atomic(path, "meeting {}".format(heartbeats).encode(), durable=False)
        time.sleep(pause)
        pause = min(pause * 1.3, 0.1)
