"""What a launcher does differently under a scheduler: one module each, loaded by its name.

A module here has the functions and values of `Scheduler` (Python 3.8+).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol, Tuple

    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.order import LaunchOrder
else:
    Protocol = object


class Scheduler(Protocol):
    """What a launcher asks of its scheduler."""

    #: variables that number the ranks which the scheduler itself starts, and those that together
    #: name the step to which such a rank belongs
    RANK: "Tuple[str, ...]"
    STEP: "Tuple[str, ...]"

    def node_name(self) -> str:
        """What the scheduler calls this node."""
        ...

    def is_preempted(self) -> bool:
        """Whether this job continues only to save."""
        ...

    def is_last_warning(self, order: "LaunchOrder") -> bool:
        """Whether the job's time limit is near, and it is not started again."""
        ...

    def why_stopped(self, order: "LaunchOrder", value: "Json") -> bool:
        """Say in the result ``value`` why the scheduler stopped the job; whether the run ends.

        It does not where the scheduler starts the job again.
        """
        ...

    def start_again(self, order: "LaunchOrder") -> None:
        """Have the scheduler start the job again when this attempt has ended. Raises OSError."""
        ...

    def describe_nodes(self, environ: "dict[str, str]", nodes: int, each: int) -> None:
        """Let the variables of an mpirun say that it starts ``each`` ranks on every node."""
        ...

    def rank_starter(self, order: "LaunchOrder", is_open_mpi: bool) -> "list[str]":
        """The command that starts the ranks of an MPI job in mpirun's place (``order.mpi``)."""
        ...

    def stop_step(self, step: str) -> bool:
        """SIGTERM to all ranks of a step, past what started them; whether it went out."""
        ...


def load(name: str) -> "Scheduler":
    """The scheduler of that name. Raises ValueError where there is none."""
    if name == "slurm":
        from . import slurm

        return slurm
    raise ValueError("no scheduler is named {!r}".format(name))
