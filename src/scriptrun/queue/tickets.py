"""The queue: one private file for each run that waits to be started on this host.

A ticket is written before the run's job.json is published and removed just before its script
begins, so a run that waits is never lost and a run that began is never started again. It holds the
variables that the job inherits, so it lies in the user's own runtime directory (mode 0600).
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from scriptrun.runtime import files, identity
from scriptrun.spec.values import Value
from scriptrun.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Ticket(Value):
    """One waiting run: its ticket's path, its folder, what it inherits, and who queued it."""

    path: Path
    folder: Path
    environ: dict[str, str]
    submitter: dict[str, Any]


def queue_of(workspace_id: str) -> Path:
    """The directory of the workspace's tickets on this host."""
    return paths.runtime_folder("queue", workspace_id)


def write(queue: Path, folder: Path, environ: dict[str, str]) -> Ticket:
    """Queue the run at ``folder``; tickets are taken in the order of their names."""
    path = queue / f"{time.time_ns():020d}-{folder.name}.json"
    submitter = identity.of_process()
    value = {"folder": str(folder), "environ": environ, "submitter": submitter}
    files.write_atomic(str(path), files.to_json(value), mode=0o600)
    return Ticket(path, folder, environ, submitter)


def waiting(queue: Path) -> list[Path]:
    """The tickets in their order."""
    return [queue / name for name in names(queue)]


def names(queue: Path) -> list[str]:
    """The tickets' file names in their order."""
    try:
        return sorted(name for name in os.listdir(queue) if name.endswith(".json"))
    except (FileNotFoundError, NotADirectoryError):
        return []


def run_of(path: Path) -> str:
    """The id of the run that the ticket at ``path`` is for."""
    return path.name.partition("-")[2][: -len(".json")]


def find(queue: Path, run_id: str) -> Path | None:
    """The run's ticket, or None when it does not wait here.

    Raises PermissionError for a queue that is another user's.
    """
    ending = f"-{run_id}.json"
    return next((queue / name for name in names(queue) if name[20:] == ending), None)


def age(path: Path) -> float:
    """Seconds since the ticket at ``path`` was written, whichever way the clock was set since."""
    try:
        return abs(time.time() - int(path.name[:20]) / 1e9)
    except ValueError:
        return 0.0


def read(path: Path) -> Ticket | None:
    """The ticket at ``path``, or None when it has gone."""
    value = files.read_json(str(path))
    if not isinstance(value, dict):
        return None
    return Ticket(path, Path(value["folder"]), value["environ"], value["submitter"])


def put_back(queue: Path, run_id: str) -> bool:
    """Let a run that began wait again, by the ticket that its launcher kept aside."""
    ending = f"-{run_id}.json.began"
    try:
        kept = next((queue / name for name in os.listdir(queue) if name[20:] == ending), None)
        if kept is not None:
            os.rename(kept, kept.with_suffix(""))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return kept is not None


def drop(path: Path) -> None:
    """Take the ticket away."""
    try:
        path.unlink()
    except FileNotFoundError:
        pass
