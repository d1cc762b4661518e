"""The local engine: jobs as processes of this machine, as many at once as its slots allow."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from scriptrun.engines.base import (
    ALIVE,
    ENDED,
    UNKNOWN,
    WAITING,
    NoRoom,
    Order,
    PollRound,
    Traits,
    View,
    options_check,
)
from scriptrun.engines.checks import Check, Site, guarded
from scriptrun.engines.local import slots
from scriptrun.runtime import files, identity, processes
from scriptrun.runtime.launcher import collect
from scriptrun.runtime.order import LaunchOrder
from scriptrun.spec.errors import ExperimentExecutionException
from scriptrun.spec.job import JobSpec
from scriptrun.spec.later import later
from scriptrun.spec.values import Value
from scriptrun.store import detached, paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.engines import containers
    from scriptrun.engines.local import requirements as local_requirements
    from scriptrun.store.locks import silence
else:
    local_requirements = later("scriptrun.engines.local.requirements")
    containers = later("scriptrun.engines.containers")
    silence = later("scriptrun.store.locks.silence")

#: seconds without a heartbeat after which a run of another host counts as ended
SILENCE = 300.0

_forking = {"allowed": False}


def allow_fork() -> None:
    """Say that this process has one thread, so that jobs may be forked from it.

    Only the command's own process and the runner say so: a notebook has threads.
    """
    _forking["allowed"] = True


class Local(Value):
    """This machine as the compute target.

    ``max_runs`` bounds how many runs are alive at once (default: one a GPU, or two on a machine
    without); slots and GPUs belong to the machine, so all users and workspaces share them.
    """

    name: str = "local"
    max_runs: int | None = None

    @property
    def traits(self) -> Traits:
        """Jobs run here."""
        return Traits(here=True)

    def check(self, job: JobSpec) -> list[str]:
        """Why this job cannot run here, every reason; empty when it can."""
        reasons = []
        if os.name != "posix":
            reasons.append("local jobs require Linux or macOS; use another compute target")
        if self.max_runs is not None and self.max_runs < 1:
            reasons.append(
                f"compute target {self.name!r} has max_runs={self.max_runs}; it must be at least 1"
            )
        if job.distribution.kind or job.resources:
            reasons += local_requirements.problems(job)
        if job.environment.container:
            reasons += containers.problems(job)
        return reasons

    def render(self, job: JobSpec, folder: Path) -> str:
        """What would be executed where, as text for people; pure, and without secrets."""
        if job.command:
            line = job.command
        else:
            line = " ".join(["python", _quoted(job.script or ""), *map(_quoted, job.arguments)])
        names = ", ".join(sorted({*job.variables, *job.passed})) or "inherited only"
        limit = job.max_run_duration_seconds
        until = "no time limit" if limit is None else f"at most {limit:g} s"
        spec, where = job.environment, f"on this machine, in {folder / 'work'}"
        if spec.container:
            where += f", in a container of {containers.named(spec.image, spec.docker)}"
        return f"{where}:\n  {line}\n  variables: {names}; {until}"

    def submit(self, job: JobSpec, order: Order) -> str:
        """Start the job and return its handle, its id.

        Raises NoRoom when all slots are taken, ExperimentExecutionException when it cannot be
        started at all.
        """
        visible = job.variables.get(
            "CUDA_VISIBLE_DEVICES", (order.environ or {}).get("CUDA_VISIBLE_DEVICES")
        )
        held = slots.take(paths.slots_root(), self.max_runs, _gpus(job), visible)
        if held is None:
            raise NoRoom(f"all slots of this machine are in use; {job.id} is queued")
        try:
            _start(_launch_order(job, order, held))
        except OSError as error:
            raise ExperimentExecutionException(
                f"Cannot start {job.id}: {error.strerror}."
            ) from error
        finally:
            held.close()
        return job.id

    def submit_together(self, pairs: list[tuple[JobSpec, Order]]) -> list[JobSpec]:
        """None of them: this machine has no arrays."""
        return []

    def interpreter(self) -> str | None:
        """None: jobs run on the Python of whoever submits."""
        return None

    def diagnose(self, site: Site) -> Iterator[Check]:
        """Whether its options let it take a job."""
        return guarded("options", lambda: [options_check(self)])

    def poll(self, folders: list[Path], poll_round: PollRound | None = None) -> list[View]:
        """What is seen of each run, in one question."""
        return [_view(folder) for folder in folders]

    def cancel(self, folder: Path) -> None:
        """Nothing to do: the launcher looks for the run's cancel.json five times a second."""

    def clean(self, folder: Path) -> None:
        """End what a run left alive when its launcher and its guard were both killed."""
        processes.end_run(str(folder), _living_scripts(folder))
        containers.clean(folder)
        try:
            collect.collect(str(folder))
            if any(name.startswith("work-node-") for name in os.listdir(folder)):
                from scriptrun.runtime.multinode import gather

                gather.gather(str(folder))
        except OSError:
            pass  # what was written stays where the script wrote it


def _gpus(job: JobSpec) -> int:
    """How many GPUs the job wants of this machine: one a process, unless it says how many."""
    a_node = job.resources.get("gpus", job.distribution.processes_per_node)
    return int(a_node) * job.distribution.nodes


def _devices(job: JobSpec, held: slots.Held) -> str:
    """CUDA_VISIBLE_DEVICES; -1, which CUDA takes for none, for a job that asked for no GPU."""
    none = job.resources.get("gpus") == 0 and slots.machine_gpus()
    return "-1" if none else ",".join(held.gpus)


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _launch_order(job: JobSpec, order: Order, held: slots.Held) -> LaunchOrder:
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
        devices=_devices(job, held),
        ticket=str(order.ticket) if order.ticket else None,
        wake=order.wake,
        tool=order.tool,
        container=order.container,
        keep=held.descriptors,
    )


def _start(order: LaunchOrder) -> None:
    if _forking["allowed"]:
        from scriptrun.runtime.launcher import entry

        entry.fork(order)
    else:
        _start_fresh(order)


def _start_fresh(order: LaunchOrder) -> None:
    """Start the launcher as an interpreter of its own: this process may have threads."""
    home = str(Path(__file__).resolve().parents[3])
    program = (
        f"import sys; sys.path.insert(0, {home!r}); "
        "from scriptrun.runtime.launcher import entry; entry.main()"
    )
    detached.start(
        [sys.executable, "-I", "-S", "-c", program],
        processes.GUARD,
        environ={},
        stdin=json.dumps(order.to_json()).encode("utf-8", "surrogatepass"),
        pass_fds=order.keep,
        new_session=False,
    )


def _view(folder: Path) -> View:
    attempt = _newest_attempt(folder)
    if attempt is None:
        return View(WAITING)
    owner = files.read_json(str(attempt / "node-0.start.json"))
    if owner is None:
        return View(WAITING)
    if not identity.is_here(owner):
        return _distant_view(attempt, owner)
    if identity.is_alive(owner):
        return View(ALIVE, f"process {owner['pid']}")
    launcher = _launcher(folder)
    if launcher and identity.is_alive(launcher):
        return View(ALIVE, f"process {launcher['pid']}")
    return View(
        ENDED, f"the launcher (process {owner['pid']} on {owner['host']}) is gone{_why(owner)}"
    )


def _why(owner: dict[str, Any]) -> str:
    return " because the machine rebooted" if owner["boot"] != identity.boot() else ""


def _newest_attempt(folder: Path) -> Path | None:
    try:
        numbers = [int(name) for name in os.listdir(folder / "attempts") if name.isdigit()]
    except (FileNotFoundError, NotADirectoryError):
        return None
    return folder / "attempts" / str(max(numbers)) if numbers else None


def _began(folder: Path) -> dict[str, Any] | None:
    from scriptrun.runtime import events

    seen = events.read(str(folder / "events" / "node-0.jsonl"))
    return next((event for event in reversed(seen) if event["kind"] == "began"), None)


def _living_scripts(folder: Path) -> list[int]:
    """The job's processes that live on, of all its nodes, as pids."""
    from scriptrun.runtime import events

    found = [e["script"] for e in events.read_all(folder) if e["kind"] == "began" and "script" in e]
    return [each["pid"] for each in found if identity.is_here(each) and identity.is_alive(each)]


def _launcher(folder: Path) -> dict[str, Any] | None:
    began = _began(folder)
    return began.get("launcher") if began else None


def _distant_view(attempt: Path, owner: dict[str, Any]) -> View:
    """Judge a run of another host by its heartbeat alone, against this machine's own clock."""
    try:
        beat = (attempt / "node-0.beat").read_text()
    except OSError:
        beat = ""
    if silence.seconds(str(attempt), beat) > SILENCE:
        host, run_id = owner["host"], attempt.parent.parent.name
        return View(
            ENDED,
            f"its launcher on {host} has sent no heartbeat for 5 minutes, so {host} is considered "
            f"lost; to run it again, run: scriptrun rerun {run_id}",
        )
    return View(UNKNOWN, f"running on {owner['host']}")
