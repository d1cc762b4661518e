"""Making a run's environment ready as a logged step, in a process of its own."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from scriptrun.runtime import events, results
from scriptrun.spec import states
from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.job import JobSpec
from scriptrun.starting import lock_of, next_attempt, write_lock
from scriptrun.tracking import folders

if TYPE_CHECKING:
    from scriptrun.workspace import Workspace

LOG = "system_logs/environment.txt"


def prepare(workspace: Workspace, job: JobSpec, folder: Path) -> int:
    """Build the environment of the run at ``folder``; return an exit code: 0, or 1 if it failed.

    What happens is written to the run's system_logs/environment.txt. A failure ends the run.
    """
    from scriptrun.environments import ensure

    writer = events.EventWriter(folder, "prepare")
    writer.write("state", state=states.PREPARING)
    log = _Log(folder)
    try:
        lock = lock_of(folder)
        ready = ensure.ensure(job.environment, workspace.locks_folder, log.line, lock=lock)
        write_lock(folder, ready)
    except ScriptrunError as error:
        log.line(str(error))
        reason = f"the environment could not be made: {error.message}{_nearest(job)}"
        return end_failed(folder, reason)
    except Exception as error:  # our own bug, or the machine's: the run must end all the same
        log.line(traceback.format_exc())
        return end_failed(folder, f"the environment could not be made: {error}")
    return 0


def _nearest(job: JobSpec) -> str:
    """For an old curated environment: the current one that stands nearest."""
    from scriptrun.config import curated

    near = curated.nearest_current(job.environment.name)
    return f" The nearest curated environment of today is {near}." if near else ""


def end_failed(folder: Path, reason: str, state: str = states.FAILED) -> int:
    """End a run that never began; the result stands unless another came first."""
    attempt = next_attempt(folder)
    place = Path(results.attempt_folder(str(folder), attempt))
    place.mkdir(parents=True, exist_ok=True)
    results.publish(str(folder), attempt, results.result(state, reason, by="runner"))
    folders.touch(folder)
    return 1


class _Log:
    """Lines appended to the run's log of the environment as they come."""

    def __init__(self, folder: Path) -> None:
        self._path = os.path.join(folder, LOG)

    def line(self, text: str) -> None:
        events.append(self._path, (text.rstrip("\n") + "\n").encode("utf-8", "surrogatepass"))
