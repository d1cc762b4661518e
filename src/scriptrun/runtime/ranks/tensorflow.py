"""TensorFlow: workers, parameter servers and an optional chief, configured via TF_CONFIG.

See TF_CONFIG in "Distributed training with TensorFlow": ``cluster`` maps a type to the addresses of
its tasks, ``task`` holds the ``type`` and ``index`` of this process. Worker ``i`` and server ``j``
run on nodes ``i`` and ``j`` modulo the number of nodes, as in SDK v1.
"""

import json

from ..launcher import variables
from .common import World, log_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt


def tasks(job: "Json", attempt: "Attempt", meeting: "Json") -> "list[Task]":
    """The tasks of this node's worker (the first may be the chief) and parameter servers."""
    world = World(job, attempt, meeting, 1)
    listed = _listed(job, meeting)
    cluster: "dict[str, list[str]]" = {}
    for kind, _, _, address in listed:
        cluster.setdefault(kind, []).append(address)
    found = []
    for rank, (kind, index, node, _) in enumerate(listed):
        if node == attempt.order.node:
            local = sum(1 for each in listed[:rank] if each[2] == node)
            config = {"cluster": cluster, "task": {"type": kind, "index": index}}
            found.append(_task(world, rank, local, dict(config, environment="cloud")))
    return found


def _listed(job: "Json", meeting: "Json") -> "list[tuple[str, int, int, str]]":
    """(type, index, node, address) of each task of the job, by rank."""
    settings = job["distribution"]["settings"]
    nodes = meeting["nodes"]
    kinds = ["worker"] * settings.get("workers", len(nodes))
    kinds += ["ps"] * settings.get("parameter_servers", 0)
    if settings.get("chief"):
        kinds[0] = "chief"
    ports = [list(each["ports"]) for each in nodes]
    found: "list[tuple[str, int, int, str]]" = []
    counts: "dict[str, int]" = {}
    for kind in kinds:
        place = "ps" if kind == "ps" else "worker"
        node = counts.get(place, 0) % len(nodes)
        counts[place] = counts.get(place, 0) + 1
        index = sum(1 for each in found if each[0] == kind)
        address = "{}:{}".format(nodes[node]["address"], ports[node].pop(0))
        found.append((kind, index, node, address))
    return found


def _task(world: "World", rank: int, local: int, config: "Json") -> "Task":
    known = dict(world.system)
    known.update(world.place(rank, world.order.node, local))
    known["TF_CONFIG"] = json.dumps(config)
    task = config["task"]
    if task["type"] == "ps" and known.get("CUDA_VISIBLE_DEVICES"):
        known["CUDA_VISIBLE_DEVICES"] = ""  # a server would occupy the workers' GPU memory
    argv = variables.command_line(world.job, world.order, known)
    made = variables.Task(rank, local, world.order.node, argv, known, log_of(rank))
    made.name = "{type} {index}".format(**task)
    made.serves = task["type"] == "ps"
    return made
