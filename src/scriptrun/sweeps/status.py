"""How a sweep stands: its result decides; without one its driver is seen to."""

from __future__ import annotations

from pathlib import Path

from scriptrun.registry.workspace_files import Home
from scriptrun.spec.job import JobSpec
from scriptrun.store.locks import leases
from scriptrun.sweeps import ensure_driver
from scriptrun.tracking import run_state


def status_of(workspace: Home, folder: Path, job: JobSpec) -> run_state.Status:
    """The sweep's state; where it goes on, and is driven here, its driver is seen to.

    One that another host drives, and that gives no sign of life, is said to stand still.
    """
    status = run_state.told(folder)
    if status.is_final:
        return status
    far = ensure_driver.far_driver(folder, job.submitted_by)
    if far is None:
        ensure_driver.ensure(workspace, folder.name)
        return status
    host, silence = far
    if silence < leases.STALE_SECONDS:
        return status
    return status.replace(
        reason=f"stalled: its driver on {host} has sent no heartbeat for 5 minutes; "
        f"to continue it on this machine, run: scriptrun sweep resume {folder.name}"
    )
