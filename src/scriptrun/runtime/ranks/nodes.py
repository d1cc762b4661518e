"""The script or command once a node; what it starts there is its own business."""

from .common import World


def tasks(job, order, meeting):
    """The one process of this node."""
    return [World(job, order, meeting, 1).task(order["node"])]
