"""Start one run: record its lockfile and submit it to the engine."""

from __future__ import annotations

from pathlib import Path

from scriptrun.engines.base import Order
from scriptrun.preparation import environment_record
from scriptrun.queue import tickets, workers
from scriptrun.registry import compute_targets
from scriptrun.spec import tool_python
from scriptrun.spec.job import JobSpec
from scriptrun.spec.later import later
from scriptrun.store import job_runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.environments.builder import ReadyEnvironment
    from scriptrun.preparation import build_secrets, data_bundle
    from scriptrun.registry.workspace_files import WorkspaceFiles
else:
    build_secrets = later("scriptrun.preparation.build_secrets")
    data_bundle = later("scriptrun.preparation.data_bundle")


def start(
    workspace: WorkspaceFiles,
    job: JobSpec,
    folder: Path,
    ready: ReadyEnvironment,
    ticket: tickets.Ticket,
    attempt: int = 1,
    runtime: Path | None = None,
) -> None:
    """Start the run whose environment is ``ready``.

    ``attempt`` is determined when the run is found queued: if two processes start it at once, they
    claim the same attempt, and one of them wins. ``runtime`` is the folder of the jobs' runtime, if
    it was checked just now. Raises NoRoom if it has to wait, ExperimentExecutionException if the
    engine rejects it.
    """
    engine = compute_targets.engine_of(job.target)
    order = make_order(workspace, job, folder, ready, ticket, attempt, runtime)
    environment_record.write_lockfile(folder, ready)
    engine.submit(job, order)


def make_order(
    workspace: WorkspaceFiles,
    job: JobSpec,
    folder: Path,
    ready: ReadyEnvironment,
    ticket: tickets.Ticket,
    attempt: int = 1,
    runtime: Path | None = None,
) -> Order:
    """The engine's order to start the run at ``folder``."""
    traits = compute_targets.engine_of(job.target).traits
    return Order(
        folder=folder,
        workspace=workspace.root,
        store=workspace.snapshots_folder,
        runtime=runtime or job_runtime.install(workspace.directory),
        python=ready.python,
        bin=ready.bin,
        prefix=ready.place,
        environ=ticket.environ,
        attempt=attempt,
        ticket=ticket.path,
        wake=workers.runner(workspace).wake(),
        tool=(tool_python.path(), "-P"),
        container=ready.container,
        secrets=build_secrets.find_secrets(job.environment, workspace, ticket.environ)
        if traits.builds_on_nodes
        else {},
        data={}
        if traits.shared_files or not job.data.has_items
        else data_bundle.contents(workspace, job),
    )
