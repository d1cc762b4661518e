"""PyTorch: one process a rank, with what ``init_process_group('env://')`` reads.

Without a number of processes each node runs one, which may start the others (torchrun).
"""

from .common import World


def tasks(job, order, meeting):
    """The ranks of this node."""
    world = World(job, order, meeting, job["distribution"]["processes_per_node"])
    first = order["node"] * world.each
    return [world.task(rank) for rank in range(first, first + world.each)]
