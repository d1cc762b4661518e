"""What a launcher is told, and what it learns on the way (Python 3.8+).

``LaunchOrder`` is the reference of the order's format. An engine makes one; the launcher takes it
as it is where it is forked, else as one JSON object, from its standard input or a file: the fields
below by their names, and ``schema``. An order that lies in a file holds no ``environ``.

The code that reads an order travels with the workspace under its digest, so both sides have the
same fields; what was written by another scriptrun is refused.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Optional, Tuple, Union, dataclass_transform

    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.launcher.variables import Task
    from scriptrun.runtime.schedulers import Scheduler

    Listener = Union[Tuple[()], Tuple[int, Callable[[int], bool]]]
else:

    def dataclass_transform(**_: object) -> "Callable[[type], type]":
        """What ``typing`` has under this name, which says something to type checkers only."""
        return lambda cls: cls


#: the number of this format
SCHEMA = 2
#: what of an order is a node's own, and what of an attempt: node 0 hears of it when they meet
_OWN_ORDER = ("devices", "python", "bin", "prefix", "scratch")
_OWN_DATA = ("brought", "brought_plain")
#: fields that may name a variable ("$SLURM_NODEID") that holds them where the launcher starts
_PLACED = ("node", "nodes", "address", "head")


@dataclass_transform(kw_only_default=True)
class _Fields:
    """Values by name; what the class gives to a name is its default."""

    if not TYPE_CHECKING:

        def __init__(self, **given: object) -> None:
            names = type(self).__annotations__
            wrong = [name for name in given if name not in names]
            wrong += [name for name in names if name not in given and not hasattr(self, name)]
            if wrong:
                message = "{} has, and needs, other fields: {}"
                raise TypeError(message.format(type(self).__name__, ", ".join(wrong)))
            self.__dict__.update(given)


class LaunchOrder(_Fields):
    """What one launcher is told; it never changes: ``replace`` makes another.

    Paths are absolute, and texts.
    """

    #: the run's folder, which holds job.json
    folder: str
    #: the workspace's root
    workspace: str
    #: the folder of the snapshots
    store: str
    #: the folder of what travels with jobs: this package, and what the script imports
    runtime: str
    #: the number of the attempt at the run, from 1
    attempt: int = 1

    #: this node among the job's, from 0, and how many these are
    node: int = 0
    nodes: int = 1
    #: this node's address, as the others can reach it; "" for this machine alone
    address: str = ""
    #: the address of node 0, where this node knows it; else ""
    head: str = ""
    #: all nodes are this machine: the launcher of node 0 starts those of the others
    rehearsal: bool = False

    #: the environment: its interpreter, the folder of its programs, and its own folder; None where
    #: the job has none of it
    python: "Optional[str]" = None
    bin: "Optional[str]" = None
    prefix: "Optional[str]" = None
    #: the node builds the environment itself, before the nodes meet
    own_environment: bool = False
    #: what the job inherits, perhaps with secrets; None: what the launcher was started with
    environ: "Optional[Mapping[str, str]]" = None
    #: the GPUs, as CUDA_VISIBLE_DEVICES names them; "" where nothing is said of them
    devices: str = ""
    #: how the processes become containers (docs/explanation/formats.md); None: they do not
    container: "Optional[Json]" = None
    #: begins the command line of an interpreter on this node that has scriptrun; empty: none has
    tool: "Sequence[str]" = ()
    #: the folder on the node's own disk for its working directory, where variables are expanded;
    #: None: that lies in the run's folder
    scratch: "Optional[str]" = None

    #: the ticket, whose removal is the right to start the script; None where the engine has a queue
    ticket: "Optional[str]" = None
    #: what wakes the queue when the run has ended: ``queue`` (the folder of the tickets), ``lock``
    #: (the runner's), ``command`` (which starts a runner)
    wake: "Optional[Json]" = None
    #: open descriptors, which hold the machine's slots until all is over
    keep: "Sequence[int]" = ()

    #: SIGTERM to the launcher stops the script, lets it save, and this sentence is why; "": it ends
    #: the launcher
    on_term: str = ""
    #: seconds after which the engine ends the job for good; None: never, or nobody knows
    seconds: "Optional[float]" = None
    #: how often the engine starts the job again when its time is over
    requeues: int = 0
    #: the scheduler that runs the launcher: a module of runtime/schedulers/; "": none
    scheduler: str = ""
    #: the folder of what was handed to it; None where there is none
    handed: "Optional[str]" = None

    #: what starts the ranks of an MPI job in mpirun's place (a scheduler's command and its
    #: options); None: mpirun
    mpi: "Optional[Sequence[str]]" = None
    #: what that can start, of which the first that the job's MPI library understands is taken
    mpi_kinds: "Sequence[str]" = ()
    #: an mpirun is preferred all the same, where there is one
    mpi_alone: bool = False

    @property
    def inherited(self) -> "Mapping[str, str]":
        """The variables that the job inherits."""
        return os.environ if self.environ is None else self.environ

    def load_scheduler(self) -> "Optional[Scheduler]":
        """What the launcher does differently under its scheduler; None: it has none."""
        if not self.scheduler:
            return None
        from . import schedulers

        return schedulers.load(self.scheduler)

    def replace(self, **changes: object) -> "LaunchOrder":
        """The same order but for ``changes``."""
        return LaunchOrder(**dict(self.__dict__, **changes))

    def to_json(self) -> "Json":
        """All fields, as a JSON object."""
        return dict(
            {name: getattr(self, name) for name in LaunchOrder.__annotations__}, schema=SCHEMA
        )

    @classmethod
    def from_json(cls, value: "Json", task: int = 0) -> "LaunchOrder":
        """The order that ``value`` tells; of an array's, which has ``runs``, that of its ``task``.

        ``runs`` holds, for each task, the fields that are not the same for all. Raises ValueError
        where another scriptrun wrote it.
        """
        told = dict(value)
        runs = told.pop("runs", None)
        schema = told.pop("schema", None)
        told.update(runs[task] if runs else {})
        unknown = sorted(set(told) - set(cls.__annotations__))
        if schema != SCHEMA or unknown:
            what = ", ".join(unknown) or "no other field"
            raise ValueError(
                "The launcher cannot read its order, which another scriptrun wrote: it is of "
                "schema {}, and this one knows {}; of its fields, this one does not know: "
                "{}. Submit the run again.".format(schema, SCHEMA, what)
            )
        for name in _PLACED:
            if isinstance(told.get(name), str) and told[name].startswith("$"):
                told[name] = os.environ[told[name][1:]]
        for name in ("node", "nodes"):
            if name in told:
                told[name] = int(told[name])
        return cls(**told)


class Attempt:
    """A node's part of an attempt at a run: its order, and what its launcher learns on the way."""

    #: the guard's pid, in the launcher
    guard: "Optional[int]" = None
    #: node 0 of a rehearsal has started the others
    started = False
    #: the launcher, or what it started, was told to stop by the engine
    told_to_stop = False
    #: starts what hears of the engine's wish to stop: its pid, and what judges its wait status; ()
    #: where there is none
    listen: "Optional[Callable[[], Listener]]" = None
    #: where the run's handle lies, and what it says if it is this attempt's
    handle: "Optional[tuple[str, Json]]" = None
    #: the pids of this node's ranks, where they are not below the launcher
    ranks_here: "Optional[Callable[[], list[int]]]" = None
    #: the task whose container the tool could not start
    not_started: "Optional[Task]" = None
    #: a container may be left: its tool was killed, or failed
    cut = False
    #: the monitor of a container was killed: nobody tells how that ends
    adrift = False

    def __init__(self, order: LaunchOrder) -> None:
        #: replaced where the node's environment, or what the job inherits, is known better
        self.order = order
        #: secrets that the environment's build on this node asks for; not the script's
        self.lent: "dict[str, str]" = {}
        #: the variables that name the data which was brought, and those of them that only
        #: processes see
        self.brought: "dict[str, str]" = {}
        self.brought_plain: "dict[str, str]" = {}
        #: (source, place, whether it may be written) of what a container must see of the data
        self.binds: "Sequence[tuple[str, str, bool]]" = ()
        #: the tasks in containers, by the pid of the tool's process
        self.tasks: "dict[int, Task]" = {}

    def own(self) -> "Json":
        """What node 0 must know of this node to tell its ranks, as a JSON object."""
        found = {name: getattr(self.order, name) for name in _OWN_ORDER}
        found.update({name: getattr(self, name) for name in _OWN_DATA})
        return {name: value for name, value in found.items() if value}

    def on(self, node: int, own: "Json") -> "Attempt":
        """The attempt as ``node`` sees it, which told of its ``own``."""
        changes = {name: own[name] for name in _OWN_ORDER if name in own}
        made = Attempt(self.order.replace(node=node, **changes))
        made.__dict__.update({name: getattr(self, name) for name in (*_OWN_DATA, "binds")})
        made.__dict__.update({name: own[name] for name in _OWN_DATA if name in own})
        return made
