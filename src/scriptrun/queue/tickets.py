"""The queue: one private file, a ticket, for each run queued on this host.

A ticket is written before the run's job.json is published and removed just before its script
starts, so a queued run is never lost and a started one is never started again. It holds the
variables that the job inherits, so it is in the user's own runtime directory (mode 0600).
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
    from scriptrun.runtime.hints import Json


class Ticket(Value):
    """A queued run: its ticket's path, its folder, its inherited variables, and its submitter."""

    path: Path
    folder: Path
    environ: dict[str, str]
    submitter: Json


def queue_of(workspace_id: str) -> Path:
    """The folder of the workspace's tickets on this host."""
    return paths.runtime_folder("queue", workspace_id)


def write(queue: Path, folder: Path, environ: dict[str, str], *, durable: bool = True) -> Ticket:
    """Queue the run at ``folder``; tickets are processed in the order of their names.

    Without ``durable`` it survives a power cut only after ``sync``.
    """
    path = queue / f"{time.time_ns():020d}-{folder.name}.json"
    return _store(Ticket(path, folder, environ, identity.identify()), durable)


def _store(ticket: Ticket, durable: bool = True) -> Ticket:
    value = {
        "folder": str(ticket.folder),
        "environ": ticket.environ,
        "submitter": ticket.submitter,
    }
    data = files.to_json(value)
    try:
        files.write_atomic(str(ticket.path), data, mode=0o600, durable=durable)
    except FileNotFoundError:  # the runtime directory was removed meanwhile
        paths.runtime_root()
        files.make_folders(ticket.path.parent, 0o700)
        files.write_atomic(str(ticket.path), data, mode=0o600, durable=durable)
    return ticket


def sync(path: Path) -> None:
    """Let the ticket survive a power cut, if it has not been used meanwhile."""
    for error in files.sync_together([str(path), str(path.parent)]):
        if not isinstance(error, FileNotFoundError):
            raise error


def waiting(queue: Path) -> list[Path]:
    """The paths of the tickets, in order."""
    return [queue / name for name in names(queue)]


def names(queue: Path) -> list[str]:
    """The file names of the tickets, in order."""
    return sorted(name for name in files.names_in(queue) if name.endswith(".json"))


def run_id_of(path: Path) -> str:
    """The ID of the run of the ticket at ``path``."""
    return path.name.partition("-")[2][: -len(".json")]


def find(queue: Path, run_id: str) -> Path | None:
    """The run's ticket, or None if it is not queued on this host.

    Raises PermissionError for another user's queue.
    """
    ending = f"-{run_id}.json"
    return next((queue / name for name in names(queue) if name[20:] == ending), None)


def age(path: Path) -> float:
    """Seconds since the ticket at ``path`` was written, even if the clock was changed since."""
    try:
        written = int(path.name[:20]) / 1e9
    except ValueError:  # a file of another name
        try:
            written = path.lstat().st_mtime
        except OSError:
            return 0.0
    return abs(time.time() - written)


def read(path: Path) -> Ticket | None:
    """The ticket at ``path``; None if it is gone, or cannot be read."""
    value = files.read_object(path)
    if value is None or not is_ticket(value) or Path(value["folder"]).name != run_id_of(path):
        return None
    return Ticket(path, Path(value["folder"]), value["environ"], value["submitter"])


def is_ticket(value: Json) -> bool:
    """Whether ``value``, read from a file, is a ticket, of this queue or of sweeps."""
    environ = value.get("environ")
    return (
        isinstance(value.get("folder"), str)
        and identity.is_identity(value.get("submitter"))
        and isinstance(environ, dict)
        and all(map(_is_variable, environ.items()))
    )


def _is_variable(item: tuple[str, object]) -> bool:
    name, text = item
    return "=" not in name and isinstance(text, str) and "\0" not in name + text


def renew(path: Path, folder: Path, submitter: Json) -> Ticket:
    """Write the ticket of the run at ``folder`` again, at its place, with our own variables."""
    environ = {n: text for n, text in os.environ.items() if n not in identity.JOB_VARIABLES}
    if path.is_dir():
        drop(path)
    return _store(Ticket(path, folder, environ, submitter))


def move(ticket: Ticket, folder: Path) -> Ticket:
    """The ticket, rewritten for a run whose workspace was moved: it is in ``folder`` now."""
    return _store(ticket.replace(folder=folder))


def put_back(queue: Path, run_id: str) -> bool:
    """Requeue a started run with the ticket that its launcher kept for a retry."""
    ending = f"-{run_id}.json.began"
    try:
        path = next((queue / name for name in files.names_in(queue) if name[20:] == ending), None)
        if path is not None:
            os.rename(path, path.with_suffix(""))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return path is not None


def drop(path: Path) -> None:
    """Remove the ticket."""
    try:
        path.unlink()
    except FileNotFoundError:
        pass
    except (IsADirectoryError, PermissionError):  # damage: a folder, which is not a ticket
        if not path.is_dir():
            raise
        import shutil

        shutil.rmtree(path, ignore_errors=True)
