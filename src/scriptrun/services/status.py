"""The status of a service's run: that of its process."""

from __future__ import annotations

from pathlib import Path

from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runs import status as run_status
from scriptrun.spec.job import JobSpec
from scriptrun.tracking import run_state


def status_of(workspace: WorkspaceFiles, folder: Path, job: JobSpec) -> run_state.RunState:
    """The run's status, as for a script."""
    return run_status.of_script(workspace, folder, job)
