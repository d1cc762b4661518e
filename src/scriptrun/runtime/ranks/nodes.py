"""One process per node, which may start others itself."""

from .common import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.order import Attempt


def tasks(job: "Json", attempt: "Attempt", agreement: "Json") -> "list[Task]":
    """The task of this node."""
    return [World(job, attempt, agreement, 1).task(attempt.order.node)]
