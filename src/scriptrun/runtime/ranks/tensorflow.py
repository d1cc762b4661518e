"""TensorFlow: workers, parameter servers and an optional chief, configured via TF_CONFIG.

See TF_CONFIG in "Distributed training with TensorFlow": ``cluster`` maps a type to the addresses of
its tasks, ``task`` holds the ``type`` and ``index`` of this process. Worker ``i`` and server ``j``
run on nodes ``i`` and ``j`` modulo the number of nodes, as in SDK v1.
"""

import json

from ..launcher import variables
from .common import World, log_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt


def tasks(job: "Json", attempt: "Attempt", agreement: "Json") -> "list[Task]":
    """The tasks of this node's worker (the first may be the chief) and parameter servers."""
    world = World(job, attempt, agreement, 1)
    members = _list_members(job, agreement)
    cluster: "dict[str, list[str]]" = {}
    for kind, _, _, address in members:
        cluster.setdefault(kind, []).append(address)
    local_tasks = []
    for rank, (kind, index, node, _) in enumerate(members):
        if node == attempt.order.node:
            local_rank = sum(1 for member in members[:rank] if member[2] == node)
            config = {"cluster": cluster, "task": {"type": kind, "index": index}}
            local_tasks.append(_task(world, rank, local_rank, dict(config, environment="cloud")))
    return local_tasks


def _list_members(job: "Json", agreement: "Json") -> "list[tuple[str, int, int, str]]":
    """(type, index, node, address) of each task of the job, by rank."""
    settings = job["distribution"]["settings"]
    nodes = agreement["nodes"]
    kinds = ["worker"] * settings.get("workers", len(nodes))
    kinds += ["ps"] * settings.get("parameter_servers", 0)
    if settings.get("chief"):
        kinds[0] = "chief"
    ports = [list(node_entry["ports"]) for node_entry in nodes]
    members: "list[tuple[str, int, int, str]]" = []
    counts: "dict[str, int]" = {}
    for kind in kinds:
        role = "ps" if kind == "ps" else "worker"
        node = counts.get(role, 0) % len(nodes)
        counts[role] = counts.get(role, 0) + 1
        index = sum(1 for member in members if member[0] == kind)
        address = "{}:{}".format(nodes[node]["address"], ports[node].pop(0))
        members.append((kind, index, node, address))
    return members


def _task(world: "World", rank: int, local_rank: int, config: "Json") -> "Task":
    environ = dict(world.system)
    environ.update(world.position_variables(rank, world.order.node, local_rank))
    environ["TF_CONFIG"] = json.dumps(config)
    role = config["task"]
    if role["type"] == "ps" and environ.get("CUDA_VISIBLE_DEVICES"):
        environ["CUDA_VISIBLE_DEVICES"] = ""  # a server would occupy the workers' GPU memory
    argv = variables.command_line(world.job, world.order, environ)
    task = variables.Task(rank, local_rank, world.order.node, argv, environ, log_name(rank))
    task.name = "{type} {index}".format(**role)
    task.is_server = role["type"] == "ps"
    return task
