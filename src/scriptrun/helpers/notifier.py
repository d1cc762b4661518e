"""Executes the command of the setting ``notify`` when a run ends.

One process per workspace, host and user: it exits when no run is left to watch. Each command is
executed once at most.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.queue import notifications
from scriptrun.queue.notifications import Request
from scriptrun.registry import copies
from scriptrun.registry.settings import keys
from scriptrun.runs import details
from scriptrun.runs.status import RunMissing
from scriptrun.runtime import identity
from scriptrun.spec import ids
from scriptrun.spec.errors import ScriptrunError
from scriptrun.store.locks import flocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.tracking.run_state import RunState

#: seconds between two looks at the runs, and that a command may take
POLL, LIMIT = 1.0, 60.0
#: characters of a failed command's output that are logged
_LOGGED = 2000


def main(root: str) -> None:
    """Watch the runs of the workspace in ``root`` until all of them have ended."""
    identity.set_process_name(notifications.NAME)
    workspace = Workspace.reopen(root)
    lock_path = notifications.worker(workspace).lock_path
    while notifications.pending(workspace) and copies.is_still_there(workspace):
        flock = flocks.try_flock(lock_path)
        if flock is None:
            return
        with flock:
            while _watch(workspace) and copies.is_still_there(workspace):
                time.sleep(POLL)
        # look again: a run may have been added while the lock was still held


def _watch(workspace: Workspace) -> bool:
    """Report the runs that have ended; return whether any is left."""
    is_any_left = False
    for request in notifications.pending(workspace):
        folder = workspace.find_run(request.run_id)
        if folder is None:
            request.path.unlink(missing_ok=True)
        elif not _report_if_ended(workspace, folder, request):
            is_any_left = True
    return is_any_left


def _report_if_ended(workspace: Workspace, folder: Path, request: Request) -> bool:
    try:
        run = Run.at(workspace, folder)
        status = run.standing
    except RunMissing:
        request.path.unlink(missing_ok=True)
        return True
    except (ScriptrunError, OSError):
        return False  # its cluster cannot be reached now, or its disk is full
    if not status.is_final:
        return False
    request.path.unlink(missing_ok=True)  # first: a command is not executed twice
    _execute(workspace, run, status, request)
    return True


def _execute(workspace: Workspace, run: Run, status: RunState, request: Request) -> None:
    values = {
        "run": run.id,
        "name": details.shown_name(run),
        "experiment": run.known_job.experiment,
        "state": status.state,
        "workspace": str(workspace.root),
    }
    command = keys.fill(list(request.command), values)
    problem = ""
    try:
        done = subprocess.run(
            command,
            input=json.dumps({**values, "short_name": run.short_name, "reason": status.reason}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=request.environ,
            cwd=workspace.root,
            text=True,
            errors="replace",
            timeout=LIMIT,
        )
        if done.returncode:
            problem = f"exit code {done.returncode}\n{done.stdout[-_LOGGED:]}"
    except subprocess.TimeoutExpired:
        problem = f"it took more than {LIMIT:.0f} s"
    except (OSError, ValueError) as error:
        problem = str(error)
    if problem:
        _log(workspace, f"{run.id}: {command[0]}: {problem.rstrip()}")


def _log(workspace: Workspace, text: str) -> None:
    with open(notifications.log_path(workspace), "a", encoding="utf-8") as log:
        log.write(f"{ids.now_to_the_second()} {text}\n")
