"""The engine interface, which every engine implements (docs/explanation/engines.md).

An engine object *is* the compute target, a frozen value of its options. It starts, observes and
stops a job's processes, but never reports success: only the job's own result does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scriptrun.engines.checks import Check, Site
from scriptrun.spec.errors import ExperimentExecutionException
from scriptrun.spec.job import JobSpec
from scriptrun.spec.values import Value, fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from scriptrun.runtime.hints import Json
    from scriptrun.tracking.run_files import RunFiles
else:
    Protocol = object

#: the states of a job that an engine may report
WAITING, ALIVE, ENDED, UNKNOWN = "waiting", "alive", "ended", "unknown"
#: the job is in the engine's own queue and will be started, perhaps again
QUEUED = "queued"


class View(Value):
    """An engine's view of one job: WAITING, QUEUED, ALIVE, ENDED or UNKNOWN, and the evidence.

    ``submitted``: the engine has the job, so no queue ticket counts any more; ``canceled``: someone
    ended it with the engine's own tools.
    """

    state: str
    evidence: str = ""
    submitted: bool = False
    canceled: bool = False


class PollRound:
    """One poll of many runs: polls with the same round may share a cluster's answers.

    ``answers`` belongs to the engine, keyed by its queries.
    """

    def __init__(self) -> None:
        self.answers: dict[object, object] = {}


class Order(Value, frozen=False):
    """What an engine needs in addition to the spec to start a job; specific to this submission.

    ``environ`` is what the job inherits; it may hold secrets and is never written into the
    workspace; None: the launcher's own. ``python``, ``bin`` and ``prefix`` come from the
    environment that was made ready. ``nodes``, ``node``, ``address`` and ``head`` (of this node
    and of node 0) are the job's place in the cluster; a text that begins with ``$`` names the
    variable that holds it where the launcher starts (``"$SLURM_NODEID"``). ``tool`` begins the
    command line of an interpreter that has scriptrun, on that node. ``container`` describes how to
    run the job's processes in containers (docs/explanation/formats.md); None: without containers.
    ``secrets`` are for building the environment on the nodes: never written, and not visible to
    the script. ``data`` are the files below the workspace's directory that the job's data needs, by
    name, where nodes do not see that.
    """

    folder: Path
    workspace: Path
    store: Path
    runtime: Path
    python: str | None
    bin: str | None
    prefix: str | None
    environ: dict[str, str] | None
    attempt: int = 1
    ticket: Path | None = None
    wake: Json | None = None
    nodes: int | str = 1
    node: int | str = 0
    address: str = "127.0.0.1"
    head: str = ""
    tool: tuple[str, ...] = ()
    container: Json | None = None
    secrets: dict[str, str] = fresh(default_factory=dict)
    data: dict[str, bytes] = fresh(default_factory=dict)


class NoRoom(Exception):
    """The engine can't take the job now; submit it again later."""


class NoAnswer(ExperimentExecutionException):
    """The engine does not respond: the state of its jobs is unknown, and none has failed."""


class Traits(Value):
    """The properties of an engine and of the machines that its jobs run on.

    ``here``: jobs run on this machine. ``shared_files``: they see the workspace's files under the
    same paths, or those of the host that ``through`` names; else ``Engine.home`` brings a run's
    files home. ``queues``: the engine has its own queue, so runs do not wait here for one
    another. ``containers`` is what runs images there ("": this machine's own tool where jobs run
    here, else nothing does). ``builds_on_nodes``: a job's environment is built again on its node.
    ``arrays``: several jobs may be submitted at once (``submit_together``). ``through`` is the
    host by way of which jobs are submitted, whose files alone the nodes see. Runs are looked at
    every ``poll_seconds``. ``run_options`` are the options that a run may set for itself.
    """

    here: bool
    shared_files: bool = True
    queues: bool = False
    containers: str = ""
    builds_on_nodes: bool = False
    arrays: bool = False
    through: str | None = None
    poll_seconds: float = 1.0
    run_options: tuple[str, ...] = ()


class Engine(Protocol):
    """What every engine implements; `scriptrun.testing.engines` is the suite that it must pass.

    An engine object *is* the compute target, a frozen value of its options. It starts, observes
    and stops a job's processes, but never reports success: only the job's own result does.
    """

    @property
    def name(self) -> str:
        """The compute target's name."""
        ...

    @property
    def traits(self) -> Traits:
        """The engine's capabilities."""
        ...

    def check(self, job: JobSpec) -> list[str]:
        """Every reason why this engine cannot run the job; empty if it can.

        ``checks.Unanswered`` marks the reason that the cluster does not respond.
        """
        ...

    def render(self, job: JobSpec, folder: Path) -> str:
        """What would run where, as text for people; pure, and without secrets."""
        ...

    def submit(self, job: JobSpec, order: Order) -> str:
        """Start the job and return its handle; the same job twice gives the same handle.

        Raises NoRoom if the job has to wait, NoAnswer if it is unknown whether the engine has it
        (submit it again later), ExperimentExecutionException if the engine rejects it.
        """
        ...

    def submit_together(self, pairs: list[tuple[JobSpec, Order]]) -> list[JobSpec]:
        """Submit jobs together where possible and return those; called only with ``arrays``."""
        ...

    def poll(self, folders: list[Path], poll_round: PollRound | None = None) -> list[View]:
        """The view of each run, with one query for all, if possible for a whole round."""
        ...

    def job_ids(self, folder: Path) -> list[str]:
        """The IDs of the run's jobs in the engine's own queue, oldest first; none without one."""
        ...

    def cancel(self, folder: Path) -> None:
        """Make sure that a run with a cancellation request in its folder ends."""
        ...

    def clean(self, folder: Path) -> None:
        """Remove what an ended run has left behind outside its folder."""
        ...

    def home(self, folder: Path) -> RunFiles | None:
        """What brings the record and the outputs of the run at ``folder`` home from its node.

        None where ``traits.shared_files``: they are written into ``folder`` itself.
        """
        ...

    def interpreter(self) -> str | None:
        """The Python of jobs without an environment; None: the submitter's."""
        ...

    def diagnose(self, site: Site) -> Iterator[Check]:
        """Check whether the target accepts jobs now; yields each check as it finishes."""
        ...


def check_options(engine: Engine) -> Check:
    """Check the engine's options with a job that requests no resources."""
    problems = engine.check(JobSpec("check", "check", "check", ""))
    if problems:
        hint = f"To change them, run: scriptrun compute set {engine.name} ..."
        return Check("options", "bad", "; ".join(problems), hint)
    return Check("options", "ok", f"{engine.name} can accept jobs")
