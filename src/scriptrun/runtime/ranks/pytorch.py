"""PyTorch: one process per rank, with the variables that ``init_process_group('env://')`` reads.

Without a process count, each node runs one process, which may start the others (torchrun).
"""

from .common import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt


def tasks(job: "Json", attempt: "Attempt", agreement: "Json") -> "list[Task]":
    """The tasks of this node's ranks."""
    world = World(job, attempt, agreement, job["distribution"]["processes_per_node"])
    first = attempt.order.node * world.ranks_per_node
    return [world.task(rank) for rank in range(first, first + world.ranks_per_node)]
