"""Damage in the queue: a run's ticket that cannot be read, and a run that cannot be started.

A ticket is made again from the run's record; only the variables that the run inherits are lost.
"""

from __future__ import annotations

import os
import traceback
from pathlib import Path

from scriptrun.queue import tickets
from scriptrun.runtime import events as runtime_events
from scriptrun.spec.errors import ScriptrunError
from scriptrun.tracking import events, run_folder, unstarted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.spec.job import JobSpec

#: seconds in which a run whose ticket cannot be read may still be published
SUBMISSION_SECONDS = 60.0


def renew_ticket(workspace: WorkspaceFiles, path: Path) -> tickets.Ticket | None:
    """Write the ticket at ``path``, which cannot be read, again; None if its run is gone.

    The run inherits this process's variables. It fails if it passes variables that are not set.
    Raises DamagedRecord if the run's record cannot be read either.
    """
    if not os.path.lexists(path):
        return None
    folder = workspace.find_run(tickets.run_id_of(path))
    job = None if folder is None else run_folder.read_job(folder)
    if folder is None or job is None:
        if tickets.age(path) > SUBMISSION_SECONDS:
            tickets.drop(path)
        return None
    missing = [name for name in job.passed if name not in os.environ]
    if missing:
        _end(path, folder, _missing_reason(job, missing))
        return None
    message = (
        "its entry in the queue was damaged and has been renewed; it inherits the variables of "
        "the process that renewed it, not those of its submitter"
    )
    events.later_writer(folder, "runner").write("warning", message=message)
    return tickets.renew(path, folder, job.submitted_by)


def _missing_reason(job: JobSpec, missing: list[str]) -> str:
    names = ", ".join(missing)
    return (
        f"its entry in the queue was damaged, and with it the variables that it passes: {names}; "
        f"to run it again, set them and run: scriptrun rerun {job.id}"
    )


def end_unstartable(workspace: WorkspaceFiles, path: Path, error: Exception) -> None:
    """End the run of the ticket at ``path``, whose start raised ``error``, and drop the ticket."""
    folder = workspace.find_run(tickets.run_id_of(path))
    if folder is None:
        tickets.drop(path)
        return
    if isinstance(error, ScriptrunError):
        reason = f"it cannot be started: {error.message}"
    else:
        reason = f"it cannot be started: {type(error).__name__}: {error}"
        text = "".join(traceback.format_exception(error)).encode("utf-8", "replace")
        runtime_events.append(str(folder / "system_logs" / "launcher.txt"), text)
    _end(path, folder, reason)


def _end(path: Path, folder: Path, reason: str) -> None:
    unstarted.end_failed(folder, reason)
    tickets.drop(path)
