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


class Apart(Exception):
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
    place = results.attempt_folder(order.folder, order.attempt)
    head = os.path.join(place, "head.json")
    here = _here(job, attempt)
    if order.node:
        path = os.path.join(place, "node-{}.ready.json".format(order.node))
        files.publish(path, files.to_json(here))
        answer: "Json" = _await(lambda: files.read_json(head), order, peers)
        return answer
    wanted = _wanted_port(job)
    port = ports.free(1, wanted)[0]
    if order.nodes > 1:
        others = _await(lambda: _ready(place, order.nodes), order, peers)
    else:
        others = []
    # the others may know this node's address better than it does itself
    here["address"] = next((each["head"] for each in others if each.get("head")), here["address"])
    agreed = {"address": here["address"], "port": port, "nodes": [here] + others}
    files.publish(head, files.to_json(agreed))
    return agreed


def _here(job: "Json", attempt: "Attempt") -> "Json":
    """The description of this node for the others."""
    order = attempt.order
    scheduler = order.load_scheduler()
    servers = ports.free(_ports_needed(job, order.node))
    address = order.head if not order.node else ""
    return {
        "node": order.node,
        "name": scheduler.node_name() if scheduler is not None else "",
        "address": address or order.address or "127.0.0.1",
        "head": order.head or "",
        "ports": servers,
        "work": collect.place(order.folder, order.node),
        "cpus": cpus(),
        "own": attempt.own(),
        "launcher": identity.of_process(),
    }


def cpus() -> int:
    """How many CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def _ports_needed(job: "Json", node: int) -> int:
    """How many processes of the job on ``node`` need their own port."""
    distribution = job["distribution"]
    if distribution["kind"] != "tensorflow":
        return 0
    servers = distribution["settings"].get("parameter_servers", 0)
    return 1 + len(range(node, servers, distribution["nodes"]))


def _wanted_port(job: "Json") -> "int | None":
    wanted = (job.get("variables") or {}).get("MASTER_PORT", "")
    return int(wanted) if wanted.isdigit() and 0 < int(wanted) < 65536 else None


def _ready(place: str, nodes: int) -> "list[Json] | None":
    found = [
        files.read_json(os.path.join(place, "node-{}.ready.json".format(node)))
        for node in range(1, nodes)
    ]
    return found if all(found) else None


def _await(what: "Callable[[], _T | None]", order: "LaunchOrder", peers: "Peers") -> "_T":
    """Call ``what`` until it returns a true value, and return that."""
    cancel = os.path.join(order.folder, "cancel.json")
    pause, beats, next_beat = 0.001, 0, time.monotonic() + supervise.BEAT
    while True:
        found = what()
        if found:
            return found
        if os.path.exists(cancel):
            raise Apart(results.result(results.CANCELED, "canceled before it started"))
        trouble = order.on_term if supervise.asked() else peers.look()
        if trouble:
            raise Apart(results.result(results.FAILED, trouble))
        if time.monotonic() > next_beat:
            beats, next_beat = beats + 1, time.monotonic() + supervise.BEAT
            path = "{}/node-{}.beat".format(peers.place, order.node)
            files.write_atomic(path, "meeting {}".format(beats).encode())
        time.sleep(pause)
        pause = min(pause * 1.3, 0.1)
