"""Ensure that a sweep's driver is running: one process per sweep, on the host that submitted it.

The driver's flock is on the local disk. Its ticket, next to it, contains the environment that the
runs inherit, so it is in the user's runtime directory with mode 0600; it is deleted when the sweep
has ended. For other hosts the driver holds a lease in the sweep's folder, with a heartbeat.
"""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun.queue import tickets, workers
from scriptrun.runtime import files, identity, processes
from scriptrun.store import paths
from scriptrun.store.locks import leases
from scriptrun.store.locks import silence as lease_silence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json

#: seconds that a new driver needs to acquire its flock
BOOT_SECONDS = 2.0


def sweeps_folder(workspace_id: str) -> Path:
    """The folder of the workspace's sweep flocks and tickets on this host."""
    return paths.runtime_folder("sweeps", workspace_id)


def flock_path(workspace_id: str, run_id: str) -> Path:
    """The file that the sweep's driver locks."""
    return sweeps_folder(workspace_id) / f"{run_id}.lock"


def ticket_path(workspace_id: str, run_id: str) -> Path:
    """The file that requests a driver for the sweep, with the environment of its runs."""
    return sweeps_folder(workspace_id) / f"{run_id}.json"


def lease_path(folder: Path) -> Path:
    """The lease of the driver of the sweep in ``folder``."""
    return folder / "driver"


def remote_driver(folder: Path, submitter: Json) -> tuple[str, float] | None:
    """The remote host that drives the sweep, and the seconds since its heartbeat; None: this host.

    Before the driver has its first lease, the host is the submitter's.
    """
    holder = leases.holder(lease_path(folder))
    owner = holder[0] if holder and holder[0] else submitter
    if identity.is_local(owner):
        return None
    silence = holder[1] if holder else lease_silence.seconds(str(lease_path(folder)), None)
    return str(owner.get("host")), silence


def write_ticket(workspace_id: str, folder: Path) -> Path:
    """Request a driver for the sweep in ``folder``; its runs inherit our environment variables."""
    path = ticket_path(workspace_id, folder.name)
    submitter = identity.identify()
    value = {"folder": str(folder), "environ": dict(os.environ), "submitter": submitter}
    files.write_atomic(str(path), files.to_json(value), mode=0o600)
    return path


def ensure_all(workspace: WorkspaceFiles) -> None:
    """Start the missing drivers of all sweeps that request one."""
    try:
        names = os.listdir(sweeps_folder(workspace.id))
    except OSError:
        return
    for name in names:
        if name.endswith(".json"):
            ensure(workspace, name[: -len(".json")])


def ensure(workspace: WorkspaceFiles, run_id: str) -> None:
    """Start the sweep's driver unless it is running."""
    workers.ensure(worker(workspace, run_id), lambda: not _is_abandoned(workspace, run_id))


def worker(workspace: WorkspaceFiles, run_id: str) -> workers.Worker:
    """The worker that drives the sweep."""
    return workers.Worker(
        queue=sweeps_folder(workspace.id),
        lock_path=flock_path(workspace.id, run_id),
        command=workers.command("scriptrun.sweeps.driver", str(workspace.root), run_id),
        name=processes.SWEEP,
        boot_seconds=BOOT_SECONDS,
    )


def _is_abandoned(workspace: WorkspaceFiles, run_id: str) -> bool:
    """Whether the sweep was deleted, or its submitter died before recording it."""
    path = ticket_path(workspace.id, run_id)
    ticket = files.read_object(path)
    if ticket is None or not tickets.is_ticket(ticket) or workspace.find_run(run_id) is not None:
        return False
    if not identity.may_be_alive(ticket["submitter"]):
        path.unlink(missing_ok=True)
    return True
