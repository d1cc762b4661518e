"""The local engine: jobs as processes of this machine, limited by its slots."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from scriptrun.engines import launchers
from scriptrun.engines.base import NoRoom, Order, PollRound, Traits, View, check_options
from scriptrun.engines.checks import Check, Site, guarded
from scriptrun.engines.local import slots
from scriptrun.runtime import events
from scriptrun.runtime.order import LaunchOrder
from scriptrun.spec.absent import absent
from scriptrun.spec.errors import ExperimentExecutionException
from scriptrun.spec.job import JobSpec, Resources
from scriptrun.spec.later import later
from scriptrun.spec.run_kinds import run_kind
from scriptrun.spec.values import Value
from scriptrun.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

    from scriptrun.engines import containers
    from scriptrun.engines.local import requirements as local_requirements
else:
    local_requirements = later("scriptrun.engines.local.requirements")
    containers = later("scriptrun.engines.containers")

_forking = {"allowed": False}


def allow_fork() -> None:
    """Declare that this process has one thread, so that jobs may be forked from it.

    Only the command line and the runner do so: a notebook has threads.
    """
    _forking["allowed"] = True


@absent("deserialize_from_dict", 'Use the compute target "local".')
class Local(Value):
    """This machine as the compute target.

    ``max_runs`` limits how many runs are alive at once (default: one per GPU, or two without GPUs);
    slots and GPUs belong to the machine, so all users and workspaces share them.
    """

    name: str = "local"
    max_runs: int | None = None
    #: SDK v1's name for this kind of target
    type: ClassVar[str] = "local"

    @staticmethod
    def deserialize_from_dict(
        compute_target_name: str, compute_target_dict: dict[str, object]
    ) -> Local:
        """This machine, from what SDK v1 wrote of it."""
        return Local()

    @property
    def traits(self) -> Traits:
        """Jobs run on this machine."""
        return Traits(here=True)

    def check(self, job: JobSpec) -> list[str]:
        """Every reason why this machine cannot run the job; empty if it can."""
        problems = []
        if os.name != "posix":
            problems.append("local jobs require Linux or macOS; use another compute target")
        if self.max_runs is not None and self.max_runs < 1:
            problems.append(
                f"compute target {self.name!r} has max_runs={self.max_runs}; it must be at least 1"
            )
        if job.distribution.kind or job.resources != Resources():
            problems += local_requirements.problems(job)
        if job.environment.container:
            problems += containers.problems(job)
        return problems

    def render(self, job: JobSpec, folder: Path) -> str:
        """What would run where, as text for people; pure, and without secrets."""
        if job.command:
            line = job.command
        else:
            line = " ".join(["python", _quoted(job.script or ""), *map(_quoted, job.arguments)])
        names = ", ".join(sorted({*job.variables, *job.passed})) or "inherited only"
        limit = job.max_run_duration_seconds
        limit_text = "no time limit" if limit is None else f"at most {limit:g} s"
        spec, location = job.environment, f"on this machine, in {folder / 'work'}"
        if spec.container:
            location += f", in a container of {containers.describe_image(spec)}"
        return f"{location}:\n  {line}\n  variables: {names}; {limit_text}"

    def submit(self, job: JobSpec, order: Order) -> str:
        """Start the job and return its handle: its ID.

        Raises NoRoom if all slots are in use, ExperimentExecutionException if it cannot be started.
        """
        visible = job.variables.get(
            "CUDA_VISIBLE_DEVICES", (order.environ or {}).get("CUDA_VISIBLE_DEVICES")
        )
        slot = self._take_slot(job, order, visible)
        try:
            _start(_launch_order(job, order, slot))
        except OSError as error:
            raise ExperimentExecutionException(
                f"Cannot start {job.id}: {error.strerror}."
            ) from error
        finally:
            slot.close()
        return job.id

    def _take_slot(self, job: JobSpec, order: Order, visible: str | None) -> slots.Slot:
        """A slot of this machine, else one of the user's own where those cannot be used."""
        search, gpus = slots.Search(), _requested_gpus(job)
        limits = (self.max_runs, gpus, visible, job.id, search, run_kind(job.kind).takes_slot)
        try:
            slot = slots.take(paths.slots_root(), *limits)
        except slots.SlotsUnusable as error:
            own = paths.own_slots_root()
            try:
                slot = slots.take(own, *limits)
            except slots.SlotsUnusable as own_error:
                raise NoRoom(f"waits for a slot: {own_error}") from None
            if slot is not None:
                message = f"{error}; this run's slot is in {own}, which other users do not see"
                events.EventWriter(order.folder, "engine").write("warning", message=message)
        if slot is None:
            raise NoRoom(search.reason())
        return slot

    def submit_together(self, pairs: list[tuple[JobSpec, Order]]) -> list[JobSpec]:
        """None of them: this machine has no arrays."""
        return []

    def home(self, folder: Path) -> None:
        """None: jobs write into the run's folder."""

    def interpreter(self) -> str | None:
        """None: jobs run on the submitter's Python."""
        return None

    def diagnose(self, site: Site) -> Iterator[Check]:
        """Check the target's options."""
        return guarded("options", lambda: [check_options(self)])

    def poll(self, folders: list[Path], poll_round: PollRound | None = None) -> list[View]:
        """The view of each run."""
        return [launchers.view(folder) for folder in folders]

    def job_ids(self, folder: Path) -> list[str]:
        """None: this machine has no queue that numbers jobs."""
        return []

    def cancel(self, folder: Path) -> None:
        """Nothing to do: the launcher checks for the run's cancel.json five times a second."""

    def clean(self, folder: Path) -> None:
        """Kill what a run left behind when its launcher and guard were both killed."""
        containers.clean(folder)
        launchers.clear(folder)


def _requested_gpus(job: JobSpec) -> int:
    """How many GPUs the job needs on this machine: one per process unless it says otherwise.

    A run without a slot (a service) gets only what it requests.
    """
    per_node = job.resources.gpus
    if per_node is None:
        takes_slot = run_kind(job.kind).takes_slot
        per_node = job.distribution.processes_per_node if takes_slot else 0
    return per_node * job.distribution.nodes


def _devices(job: JobSpec, slot: slots.Slot) -> str:
    """CUDA_VISIBLE_DEVICES; -1, which means none to CUDA, for a job that requests no GPU."""
    no_gpu = _requested_gpus(job) == 0 and slots.machine_gpus()
    return "-1" if no_gpu else ",".join(slot.gpus)


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _launch_order(job: JobSpec, order: Order, slot: slots.Slot) -> LaunchOrder:
    return LaunchOrder(
        folder=str(order.folder),
        workspace=str(order.workspace),
        store=str(order.store),
        runtime=str(order.runtime),
        python=order.python,
        bin=order.bin,
        prefix=order.prefix,
        environ=order.environ,
        attempt=order.attempt,
        nodes=job.distribution.nodes,
        rehearsal=job.distribution.nodes > 1,
        devices=_devices(job, slot),
        ticket=str(order.ticket) if order.ticket else None,
        wake=order.wake,
        tool=order.tool,
        container=order.container,
        processes=str(paths.processes_folder()),
        keep=slot.descriptors,
    )


def _start(order: LaunchOrder) -> None:
    if _forking["allowed"]:
        from scriptrun.runtime.launcher import entry

        entry.fork(order)
    else:
        launchers.start(order)  # of a fresh interpreter: this process may have threads
