"""Build a run's environment on a node's local disk from the run's lockfile, once per node.

The node's launcher requests it (``runtime/launcher/delivery_client.py``). Jobs that start on a
node at the same time wait for a single build, which holds a file lock on that node.
"""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun.environments import ensure
from scriptrun.preparation import environment_record
from scriptrun.registry import image_registries
from scriptrun.runtime import events
from scriptrun.spec.errors import EnvironmentException, ScriptrunError
from scriptrun.store.secrets import vault
from scriptrun.tracking import run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles


def build(workspace: WorkspaceFiles, folder: Path, node: int) -> dict[str, str | None]:
    """The ``python``, ``bin`` and ``prefix`` of the run's environment in this node's cache.

    Logs to the run's system_logs/environment.txt. Raises EnvironmentException.
    """
    job = run_folder.read_job(folder)
    assert job is not None, "the launcher has read it before"
    environment = job.environment
    path = os.path.join(folder, environment_record.LOG)

    def log(text: str) -> None:
        line = f"node {node}: {text.rstrip()}\n"
        events.append(path, line.encode("utf-8", "surrogatepass"))

    try:
        with vault.for_workspace(workspace.id):
            prepared = ensure.ensure(
                environment,
                workspace.locks_folder,
                log,
                lockfile=environment_record.read_lockfile(folder),
                registry=image_registries.for_build(environment, workspace),
            )
    except (ScriptrunError, OSError) as error:
        log(str(error))
        reason, hint = getattr(error, "message", str(error)), getattr(error, "hint", "")
        message = f"environment build failed on node {node}: {reason}"
        raise EnvironmentException(message, hint) from error
    return {"python": prepared.python, "bin": prepared.bin, "prefix": prepared.place}
