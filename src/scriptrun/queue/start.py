"""Starting one run: its environment's lock written down, its attempt numbered, the engine asked."""

from __future__ import annotations

import sys
from pathlib import Path

from scriptrun.engines.base import Order
from scriptrun.environments.cache import usage as cache_usage
from scriptrun.queue import tickets
from scriptrun.registry import compute_targets
from scriptrun.runtime import events, files, results
from scriptrun.spec import states
from scriptrun.spec.hints import TYPE_CHECKING, Any
from scriptrun.spec.job import JobSpec
from scriptrun.spec.later import later
from scriptrun.store import job_runtime, paths
from scriptrun.tracking import run_folder

if TYPE_CHECKING:
    from scriptrun.environments.builder import Ready
    from scriptrun.preparation import build_secrets
    from scriptrun.registry.workspace_files import Home
else:
    build_secrets = later("scriptrun.preparation.build_secrets")


LOCK = "environment.lock.json"
#: what making the environment ready says
ENVIRONMENT_LOG = "system_logs/environment.txt"


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
    write_lock(folder, ready)
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


def next_attempt(folder: Path) -> int:
    """The number of the attempt that would be the run's next."""
    return (run_folder.attempts(folder) or [0])[-1] + 1


def end_failed(folder: Path, reason: str, state: str = states.FAILED) -> int:
    """End a run that never began; the result stands unless another came first."""
    attempt = next_attempt(folder)
    place = Path(results.attempt_folder(str(folder), attempt))
    place.mkdir(parents=True, exist_ok=True)
    results.publish(str(folder), attempt, results.result(state, reason, by="runner"))
    run_folder.touch(folder)
    return 1


def write_lock(folder: Path, ready: Ready) -> None:
    """Keep with the run what its environment was locked to; once, before it runs."""
    if not (folder / LOCK).exists():
        files.publish(str(folder / LOCK), files.to_json(ready.lock))
    writer = events.EventWriter(folder, "prepare")
    if any(event["kind"] == "environment" for event in events.read(writer.path)):
        return  # told already: the run was built for, or has waited for room since
    writer.write(
        "environment",
        key=ready.key,
        place=ready.place,
        python=ready.python,
        cached=ready.cached,
        seconds=ready.seconds,
    )
    if ready.place:
        cache_usage.note(ready.place, folder)
    for note in ready.notes:
        writer.write("note", message=note)
    relaxed = ready.lock.get("relaxed")
    if relaxed:
        said = ", ".join(f"{name} {asked} -> {given}" for name, (asked, given) in relaxed.items())
        writer.write("tag", set={"pins relaxed": said})


def lock_of(folder: Path) -> dict[str, Any] | None:
    """What the run's environment is locked to, once that is settled."""
    lock: dict[str, Any] | None = files.read_json(str(folder / LOCK))
    return lock


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
