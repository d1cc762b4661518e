"""Starting one run: its environment's lock written down, its attempt numbered, the engine asked."""

from __future__ import annotations

import sys
from pathlib import Path

from scriptrun.engines.base import Order
from scriptrun.preparation import environment_record
from scriptrun.queue import tickets
from scriptrun.registry import compute_targets
from scriptrun.spec.hints import TYPE_CHECKING, Any
from scriptrun.spec.job import JobSpec
from scriptrun.spec.later import later
from scriptrun.store import job_runtime, paths

if TYPE_CHECKING:
    from scriptrun.environments.builder import Ready
    from scriptrun.preparation import build_secrets
    from scriptrun.registry.workspace_files import Home
else:
    build_secrets = later("scriptrun.preparation.build_secrets")


def start(
    workspace: Home,
    job: JobSpec,
    folder: Path,
    ready: Ready,
    ticket: tickets.Ticket,
    attempt: int = 1,
) -> None:
    """Start the run whose environment is ``ready``.

    ``attempt`` comes from the same look that found the run waiting: two who start it at once then
    claim the same attempt, and one of them gets it. Raises NoRoom when it has to wait,
    ExperimentExecutionException when the engine refuses it.
    """
    engine = compute_targets.engine_of(job.target)
    order = order_of(workspace, job, folder, ready, ticket, attempt)
    environment_record.write_lock(folder, ready)
    engine.submit(job, order)


def order_of(
    workspace: Home,
    job: JobSpec,
    folder: Path,
    ready: Ready,
    ticket: tickets.Ticket,
    attempt: int = 1,
) -> Order:
    """What the engine needs to start the run at ``folder``."""
    elsewhere = getattr(compute_targets.engine_of(job.target), "own_environments", False)
    return Order(
        folder=folder,
        workspace=workspace.root,
        store=workspace.snapshots_folder,
        runtime=job_runtime.place(workspace.directory),
        python=ready.python,
        bin=ready.bin,
        prefix=ready.place,
        environ=ticket.environ,
        attempt=attempt,
        ticket=ticket.path,
        wake=wake(workspace),
        tool=(sys.executable, "-P"),
        container=ready.container,
        secrets=build_secrets.of(job.environment, workspace, ticket.environ) if elsewhere else {},
    )


def wake(workspace: Home) -> dict[str, Any]:
    """What a launcher needs to see to it, at its end, that a runner lives while anything waits."""
    return {
        "queue": str(tickets.queue_of(workspace.id)),
        "lock": str(runner_lock(workspace.id)),
        "command": runner_command(workspace),
    }


def runner_lock(workspace_id: str) -> Path:
    """The file whose lock the workspace's runner on this host holds."""
    return paths.runtime_folder("runners") / f"{workspace_id}.lock"


def runner_command(workspace: Home) -> list[str]:
    """The command line of the workspace's runner."""
    home = str(Path(__file__).resolve().parents[2])
    program = (
        f"import sys; sys.path.insert(0, {home!r}); from scriptrun.queue import runner; "
        f"runner.main({str(workspace.root)!r})"
    )
    return [sys.executable, "-I", "-c", program]
