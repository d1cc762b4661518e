"""The order of a launcher, and the state of its attempt (Python 3.8+).

``LaunchOrder`` defines the order's format. An engine creates one; a forked launcher gets it as is,
others as a JSON object on standard input or in a file: the fields below by name, and ``schema``.
An order in a file has no ``environ``.

The code that reads an order travels with the workspace under its digest, so both sides have the
same fields; an order written by another scriptrun is rejected.
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
        """A stand-in for ``typing.dataclass_transform``, which matters to type checkers only."""
        return lambda cls: cls


#: the number of this format
SCHEMA = 2
#: the fields of an order and of an attempt that a node sends to node 0 at the rendezvous
_NODE_FIELDS = ("devices", "python", "bin", "prefix", "scratch")
_NODE_DATA = ("brought", "brought_plain")
#: fields that may name a variable on the node, e.g. "$SLURM_NODEID", instead of a value
_VARIABLE_FIELDS = ("node", "nodes", "address", "head")


@dataclass_transform(kw_only_default=True)
class _Fields:
    """Named fields; class attributes are the defaults."""

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
    """The order of one launcher; immutable: ``replace`` returns a changed copy.

    Paths are absolute strings.
    """

    #: the run's folder, which holds job.json
    folder: str
    #: the workspace's root
    workspace: str
    #: the folder of the snapshots
    store: str
    #: the folder of the job runtime: this package, and what the script imports
    runtime: str
    #: the number of the attempt, from 1
    attempt: int = 1

    #: the number of this node, from 0, and the number of nodes
    node: int = 0
    nodes: int = 1
    #: this node's address for the other nodes; "" for a single machine
    address: str = ""
    #: the address of node 0, if this node knows it; else ""
    head: str = ""
    #: simulate all nodes on this machine: node 0's launcher starts the others
    rehearsal: bool = False

    #: the environment: its interpreter, the folder of its programs, and its own folder; None if the
    #: job has none
    python: "Optional[str]" = None
    bin: "Optional[str]" = None
    prefix: "Optional[str]" = None
    #: the node builds the environment itself, before the rendezvous
    own_environment: bool = False
    #: the variables that the job inherits, perhaps with secrets; None: those of the launcher
    environ: "Optional[Mapping[str, str]]" = None
    #: the GPUs, in the form of CUDA_VISIBLE_DEVICES; "" if unspecified
    devices: str = ""
    #: the container settings (docs/explanation/formats.md); None: no containers
    container: "Optional[Json]" = None
    #: the command line of an interpreter on this node that has scriptrun; empty: there is none
    tool: "Sequence[str]" = ()
    #: the folder on the node's own disk for its working directory, with variables expanded;
    #: None: it is in the run's folder
    scratch: "Optional[str]" = None

    #: the ticket, whose removal gives the right to start the script; None if the engine has a queue
    ticket: "Optional[str]" = None
    #: how to wake the queue when the run has ended: ``queue`` (the folder of the tickets), ``lock``
    #: (the runner's), ``command`` (starts a runner)
    wake: "Optional[Json]" = None
    #: the user's private folder on this machine for records of processes (``process_record``);
    #: None on a cluster's nodes, where the engine ends what is left
    processes: "Optional[str]" = None
    #: open descriptors that hold the machine's slots until the run ends
    keep: "Sequence[int]" = ()

    #: if set, SIGTERM to the launcher stops the script, which may save, with this reason; "":
    #: SIGTERM ends the launcher
    on_term: str = ""
    #: seconds after which the engine kills the job; None: never, or unknown
    seconds: "Optional[float]" = None
    #: how often the engine requeues the job at its time limit
    requeues: int = 0
    #: the scheduler that runs the launcher: a module of runtime/schedulers/; "": none
    scheduler: str = ""
    #: the folder of what was handed to it; None where there is none
    handed: "Optional[str]" = None

    #: what starts the ranks of an MPI job in mpirun's place (a scheduler's command and its
    #: options); None: mpirun
    mpi: "Optional[Sequence[str]]" = None
    #: its ``--mpi`` kinds, of which the first that the job's MPI library supports is used
    mpi_kinds: "Sequence[str]" = ()
    #: prefer mpirun if there is one
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
        """A copy of the order with ``changes``."""
        return LaunchOrder(**dict(self.__dict__, **changes))

    def to_json(self) -> "Json":
        """All fields, as a JSON object."""
        return dict(
            {name: getattr(self, name) for name in LaunchOrder.__annotations__}, schema=SCHEMA
        )

    @classmethod
    def from_json(cls, value: "Json", task: int = 0) -> "LaunchOrder":
        """The order in ``value``; for a job array, which has ``runs``, that of its ``task``.

        ``runs`` holds the fields that differ, for each task. Raises ValueError if another
        scriptrun wrote it.
        """
        fields = dict(value)
        runs = fields.pop("runs", None)
        schema = fields.pop("schema", None)
        fields.update(runs[task] if runs else {})
        unknown = sorted(set(fields) - set(cls.__annotations__))
        if schema != SCHEMA or unknown:
            unknown_text = ", ".join(unknown) or "no other field"
            raise ValueError(
                "The launcher cannot read its order, which another scriptrun wrote: it is of "
                "schema {}, and this one knows {}; of its fields, this one does not know: "
                "{}. Submit the run again.".format(schema, SCHEMA, unknown_text)
            )
        for name in _VARIABLE_FIELDS:
            if isinstance(fields.get(name), str) and fields[name].startswith("$"):
                fields[name] = os.environ[fields[name][1:]]
        for name in ("node", "nodes"):
            if name in fields:
                fields[name] = int(fields[name])
        return cls(**fields)


class Attempt:
    """A node's part of an attempt: its order, and the state of its launcher."""

    #: the guard's pid, in the launcher
    guard: "Optional[int]" = None
    #: the launcher's identity, in the launcher
    launcher: "Optional[Json]" = None
    #: whether node 0 of a rehearsal has started the others
    started = False
    #: whether the engine has stopped the launcher or its ranks
    stop_requested = False
    #: starts a process that listens for preemption; returns its pid and a function that interprets
    #: its wait status, or ()
    listen: "Optional[Callable[[], Listener]]" = None
    #: the path of the run's handle, and its content for this attempt
    handle: "Optional[tuple[str, Json]]" = None
    #: the pids of this node's ranks, if they are not descendants of the launcher
    local_ranks: "Optional[Callable[[], list[int]]]" = None
    #: the pids of the scripts that this launcher has started; each leads a process group
    groups: "Sequence[int]" = ()
    #: the task whose container failed to start
    not_started: "Optional[Task]" = None
    #: whether a container may be left behind, as its tool was killed or failed
    may_leave_container = False
    #: whether the monitor of a container was killed, so that its exit status is lost
    monitor_killed = False

    def __init__(self, order: LaunchOrder) -> None:
        #: replaced when the node's environment or the inherited variables change
        self.order = order
        #: secrets for building the environment on this node; not for the script
        self.secrets: "dict[str, str]" = {}
        #: the variables that name the delivered data, and those that only processes see
        self.brought: "dict[str, str]" = {}
        self.brought_plain: "dict[str, str]" = {}
        #: (source, target, writable) of the data that a container needs
        self.binds: "Sequence[tuple[str, str, bool]]" = ()
        #: the tasks in containers, by the pid of the tool's process
        self.tasks: "dict[int, Task]" = {}

    def node_values(self) -> "Json":
        """The values of this node that node 0 needs for its ranks, as a JSON object."""
        values = {name: getattr(self.order, name) for name in _NODE_FIELDS}
        values.update({name: getattr(self, name) for name in _NODE_DATA})
        return {name: value for name, value in values.items() if value}

    def for_node(self, node: int, node_values: "Json") -> "Attempt":
        """The attempt as ``node`` sees it, with the values ``node_values`` of that node."""
        changes = {name: node_values[name] for name in _NODE_FIELDS if name in node_values}
        attempt = Attempt(self.order.replace(node=node, **changes))
        attempt.__dict__.update({name: getattr(self, name) for name in (*_NODE_DATA, "binds")})
        attempt.__dict__.update(
            {name: node_values[name] for name in _NODE_DATA if name in node_values}
        )
        return attempt
