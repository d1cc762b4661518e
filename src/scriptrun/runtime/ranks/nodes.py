"""The script or command once a node; what it starts there is its own business."""

from .common import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt


def tasks(job: "Json", attempt: "Attempt", meeting: "Json") -> "list[Task]":
    """The one process of this node."""
    return [World(job, attempt, meeting, 1).task(attempt.order.node)]
