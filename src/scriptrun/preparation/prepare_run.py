"""Prepare a run's environment as a logged step, in a separate process."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

from scriptrun.config.environments import curated
from scriptrun.environments import ensure
from scriptrun.preparation import environment_record
from scriptrun.preparation import resolve as resolve_environment
from scriptrun.registry import image_registries
from scriptrun.runtime import events
from scriptrun.spec import states
from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.job import JobSpec
from scriptrun.store.secrets import vault
from scriptrun.tracking.unstarted import end_failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles


def prepare(workspace: WorkspaceFiles, job: JobSpec, folder: Path) -> int:
    """Build the environment of the run at ``folder``; return an exit code: 0, or 1 if it failed.

    The log goes to the run's system_logs/environment.txt. A failure ends the run.
    """
    writer = events.EventWriter(folder, "prepare")
    writer.write("state", state=states.PREPARING, reason="building its environment")
    log = _Log(folder)
    try:
        lockfile = environment_record.read_lockfile(folder)
        registry = image_registries.for_build(job.environment, workspace)
        cache = resolve_environment.cache_folder_of(job.target, workspace)
        with vault.for_workspace(workspace.id):
            ready = ensure.ensure(
                job.environment,
                workspace.locks_folder,
                log.line,
                lockfile=lockfile,
                cache=cache,
                registry=registry,
            )
        environment_record.write_lockfile(folder, ready)
    except ScriptrunError as error:
        log.line(str(error))
        reason = f"environment build failed: {error.message}{_nearest_curated(job)}"
        return end_failed(folder, reason)
    except Exception as error:  # a bug or a machine failure must end the run, too
        log.line(traceback.format_exc())
        return end_failed(folder, f"environment build failed: {error}")
    return 0


def _nearest_curated(job: JobSpec) -> str:
    """A hint that names the nearest current environment of an old curated one, or ""."""
    nearest = curated.nearest_current(job.environment.name)
    return f" The nearest current curated environment is {nearest!r}." if nearest else ""


class _Log:
    """Appends lines to the run's environment log."""

    def __init__(self, folder: Path) -> None:
        self._path = os.path.join(folder, environment_record.LOG)

    def line(self, text: str) -> None:
        events.append(self._path, (text.rstrip("\n") + "\n").encode("utf-8", "surrogatepass"))
