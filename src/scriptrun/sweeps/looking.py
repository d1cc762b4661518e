"""How a sweep stands: its result decides; without one its driver is seen to."""

from __future__ import annotations

from pathlib import Path

from scriptrun.home import Home
from scriptrun.runtime import identity
from scriptrun.spec.job import JobSpec
from scriptrun.sweeps import tending
from scriptrun.tracking import settle


def status_of(workspace: Home, folder: Path, job: JobSpec) -> settle.Status:
    """The sweep's state; where it goes on, and was submitted here, its driver is seen to."""
    status = settle.told(folder)
    if not status.is_final and identity.is_here(job.submitted_by):
        tending.see_to_it(workspace, folder.name)
    return status
