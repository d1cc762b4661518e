"""Requests to execute a command when a run ends: one private file for each run, on this host.

A worker of its own watches the runs, so that a run is reported whether its submitter follows it or
not. A request holds the variables of the submitter, as a queued run's ticket does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from scriptrun.queue import workers
from scriptrun.queue.workers import Worker
from scriptrun.runtime import files, processes
from scriptrun.spec.values import Value
from scriptrun.store import detached, paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles

#: seconds that a new worker needs to take its lock
BOOT_SECONDS = 2.0
#: the worker's process name
NAME = processes.NOTIFIER


class Request(Value):
    """A request: its file, the run's ID, the command, and the variables to execute it with."""

    path: Path
    run_id: str
    command: tuple[str, ...]
    environ: dict[str, str]


def folder_of(workspace: WorkspaceFiles) -> Path:
    """The folder of the workspace's requests on this host, and of their log."""
    return paths.runtime_folder("notify", workspace.id)


def log_path(workspace: WorkspaceFiles) -> Path:
    """The log of the commands that failed."""
    return folder_of(workspace) / "notify.log"


def request(workspace: WorkspaceFiles, run_id: str, command: Sequence[str]) -> None:
    """Execute ``command`` on this host once the run has ended."""
    value = {"command": list(command), "environ": detached.environ_outside_job()}
    path = folder_of(workspace) / f"{run_id}.json"
    files.write_atomic(str(path), files.to_json(value), mode=0o600)
    workers.ensure(worker(workspace))


def pending(workspace: WorkspaceFiles) -> list[Request]:
    """The requests whose runs have not ended; files that are damaged are removed."""
    folder = folder_of(workspace)
    found = []
    for name in sorted(files.names_in(folder)):
        if not name.endswith(".json"):
            continue
        value = files.read_object(folder / name) or {}
        command, environ = value.get("command"), value.get("environ")
        if isinstance(command, list) and isinstance(environ, dict):
            path = folder / name
            found.append(Request(path, name[: -len(".json")], tuple(command), environ))
        else:
            os.unlink(folder / name)
    return found


def worker(workspace: WorkspaceFiles) -> Worker:
    """The worker that watches the runs."""
    return Worker(
        queue=folder_of(workspace),
        lock_path=paths.runtime_folder("notify") / f"{workspace.id}.lock",
        command=workers.command("scriptrun.helpers.notifier", str(workspace.root)),
        name=NAME,
        boot_seconds=BOOT_SECONDS,
    )
