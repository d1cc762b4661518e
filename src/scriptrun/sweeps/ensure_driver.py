"""Seeing to it that a sweep's driver lives: one process a sweep, on the host that submitted it.

The driver's lock lies on the local disk. Its ticket, beside it, holds what the runs inherit, and so
lies in the user's own runtime directory (mode 0600); it goes when the sweep has ended. For other
hosts the driver holds a lease in the sweep's folder, and keeps its counter moving.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from scriptrun.queue import workers
from scriptrun.runtime import files, identity, processes
from scriptrun.store import paths
from scriptrun.store.locks import leases
from scriptrun.store.locks import silence as lease_silence
from scriptrun.tracking import run_folder

#: seconds in which a driver that was started is about to take its lock
BOOT = 2.0


def place(workspace_id: str) -> Path:
    """Where the workspace's locks and tickets of sweeps lie on this host."""
    return paths.runtime_folder("sweeps", workspace_id)


def lock_of(workspace_id: str, run_id: str) -> Path:
    """The file whose lock the sweep's driver holds."""
    return place(workspace_id) / f"{run_id}.lock"


def ticket_of(workspace_id: str, run_id: str) -> Path:
    """The file that says that the sweep wants a driver, and what its runs inherit."""
    return place(workspace_id) / f"{run_id}.json"


def lease_of(folder: Path) -> Path:
    """The lease that the driver of the sweep in ``folder`` holds."""
    return folder / "driver"


def far_driver(folder: Path, submitter: dict[str, Any]) -> tuple[str, float] | None:
    """The other host that drives the sweep, and the seconds without a sign of life; None: this one.

    A sweep whose driver holds no lease, just before its first, is its submitter's.
    """
    found = leases.holder(lease_of(folder))
    who = found[0] if found else submitter
    if identity.is_here(who):
        return None
    silence = found[1] if found else lease_silence.seconds(str(lease_of(folder)), None)
    return str(who.get("host")), silence


def write_ticket(workspace_id: str, folder: Path) -> Path:
    """Say that the sweep in ``folder`` wants a driver; its runs inherit our variables."""
    path = ticket_of(workspace_id, folder.name)
    submitter = identity.of_process()
    value = {"folder": str(folder), "environ": dict(os.environ), "submitter": submitter}
    files.write_atomic(str(path), files.to_json(value), mode=0o600)
    return path


def ensure_all(workspace: Any) -> None:
    """Start the drivers of all sweeps that want one and have none."""
    try:
        names = os.listdir(place(workspace.id))
    except OSError:
        return
    for name in names:
        if name.endswith(".json"):
            ensure(workspace, name[: -len(".json")])


def ensure(workspace: Any, run_id: str) -> None:
    """Start the sweep's driver unless one lives."""
    workers.ensure(worker(workspace, run_id), lambda: not _is_abandoned(workspace.id, run_id))


def worker(workspace: Any, run_id: str) -> workers.Worker:
    """The worker that drives the sweep."""
    return workers.Worker(
        queue=place(workspace.id),
        lock=lock_of(workspace.id, run_id),
        command=workers.command("scriptrun.sweeps.driver", str(workspace.root), run_id),
        name=processes.SWEEP,
        boot=BOOT,
    )


def _is_abandoned(workspace_id: str, run_id: str) -> bool:
    """Whether the sweep was deleted, or its submitter died before it was written down."""
    path = ticket_of(workspace_id, run_id)
    ticket = files.read_json(str(path))
    if not isinstance(ticket, dict) or run_folder.read_job(Path(ticket["folder"])) is not None:
        return False
    if not identity.is_alive(ticket["submitter"]):
        path.unlink(missing_ok=True)
    return True
