"""The status of a sweep: from its result; without one, its driver is ensured."""

from __future__ import annotations

from pathlib import Path

from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.job import JobSpec
from scriptrun.store.locks import leases
from scriptrun.sweeps import ensure_driver
from scriptrun.tracking import run_state


def status_of(workspace: WorkspaceFiles, folder: Path, job: JobSpec) -> run_state.RunState:
    """The sweep's status; ensures the driver of an active sweep of this host.

    An active sweep whose remote driver sends no heartbeat is reported as stalled.
    """
    status = run_state.read_status(folder)
    if status.is_final:
        return status
    remote = ensure_driver.remote_driver(folder, job.submitted_by)
    if remote is None:
        ensure_driver.ensure(workspace, folder.name)
        return status
    host, silence = remote
    if silence < leases.STALE_SECONDS:
        return status
    return status.replace(
        reason=f"stalled: its driver on {host} has sent no heartbeat for 5 minutes; "
        f"to continue it on this machine, run: scriptrun sweep resume {folder.name}"
    )
