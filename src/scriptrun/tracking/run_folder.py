"""Run folders: create, find and list them in a workspace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from scriptrun.runtime import files, results
from scriptrun.spec.errors import WorkspaceException
from scriptrun.spec.job import JobSpec
from scriptrun.store import paths, records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def folder_of(runs: Path, job: JobSpec) -> Path:
    """The folder of ``job`` below ``runs``: its day of submission, then its id."""
    return runs / job.created[:10] / job.id


def make(runs: Path, job: JobSpec) -> Path:
    """Create the run's folder; ``publish`` completes it.

    Raises WorkspaceException if the workspace is not writable.
    """
    folder = folder_of(runs, job)
    try:
        files.make_folders(folder.parent)
        paths.make_private(folder)
        (folder / "events").mkdir()
    except OSError as error:
        raise paths.not_writable(runs, error) from error
    return folder


def publish(folder: Path, job: JobSpec) -> None:
    """Write job.json, which turns the folder into a run and never changes afterwards.

    Afterwards the run survives a power cut.
    """
    try:
        data = files.to_json(job.to_dict())
        path = folder / "job.json"
        is_new = files.publish(path, data, may_be_empty=True, above=(folder.parent,))
    except OSError as error:
        raise paths.not_writable(folder, error) from error
    if not is_new:
        raise WorkspaceException(f"Run {job.id!r} already exists.", "Use another ID.")


def read_job(folder: Path) -> JobSpec | None:
    """The run's JobSpec, or None if the folder is not a run.

    Raises DamagedRecord if its job.json cannot be read.
    """
    return records.read(folder / "job.json", JobSpec.from_dict)


def stand_in(folder: Path) -> JobSpec:
    """What is known of the job of a run whose job.json cannot be read: its ID and its day."""
    created = f"{folder.parent.name}T00:00:00Z"
    return JobSpec(id=folder.name, experiment="", workspace="", created=created)


def exists(folder: Path) -> bool:
    """Whether ``folder`` is still a run, be its job.json damaged or not."""
    return os.path.lexists(folder / "job.json")


def is_linked(folder: Path) -> bool:
    """Whether ``folder`` or its day is a symbolic link: its files belong to another place."""
    return folder.is_symlink() or folder.parent.is_symlink()


def days(runs: Path) -> list[str]:
    """The days that hold runs, newest first. Raises WorkspaceException if ``runs`` is a file."""
    names = sorted((name for name in files.names_in(runs) if _is_day(name)), reverse=True)
    if not names and os.path.lexists(runs) and not os.path.isdir(runs):
        raise WorkspaceException(
            f"{str(runs)!r} is not a folder, so there are no runs.",
            "Restore it from a backup, or remove it to start without runs.",
        )
    return names


def _is_day(name: str) -> bool:
    return len(name) == 10 and name[4] == name[7] == "-"


def run_names(runs: Path, day: str) -> list[str]:
    """The names of the run folders of one day, unordered."""
    return files.names_in(runs / day)


def all_folders(runs: Path) -> Iterator[Path]:
    """All run folders, newest day first."""
    for day in days(runs):
        for name in run_names(runs, day):
            yield runs / day / name


def find(runs: Path, run_id: str) -> Path | None:
    """The folder of the run with exactly this ID, or None."""
    if not run_id or "/" in run_id or run_id in (".", ".."):
        return None
    for day in days(runs):
        folder = runs / day / run_id
        if exists(folder):
            return folder
    return None


def attempts(folder: Path) -> list[int]:
    """The numbers of the run's attempts, oldest first."""
    names = files.names_in(folder / "attempts")
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


def read_result(folder: Path, attempt: int | None = None) -> Json | None:
    """The result of an attempt (default: the latest); None while there is none to be read."""
    if attempt is None:
        numbers = attempts(folder)
        if not numbers:
            return None
        attempt = numbers[-1]
    return results.read(str(folder), attempt)


def has_ended(folder: Path, attempt: int) -> bool:
    """Whether an attempt has ended, whether or not another follows."""
    return os.path.lexists(folder / "attempts" / str(attempt) / "node-0.json")


def node_names(folder: Path, all_events: list[Json]) -> list[str]:
    """The nodes of the run's latest attempt, in order; ``all_events`` are the run's.

    They are called as their scheduler calls them, else by their host names.
    """
    attempt = (attempts(folder) or [0])[-1]
    names: dict[int, str] = {}
    for event in all_events:
        if event["kind"] == "began" and event.get("attempt") == attempt:
            _add_node(names, event.get("node"), event.get("node_name"), event.get("launcher"))
    attempt_folder = folder / "attempts" / str(attempt)
    for name in files.names_in(attempt_folder) if attempt else ():
        if name.startswith("node-") and name.endswith(".ready.json"):
            node = files.read_object(attempt_folder / name) or {}
            _add_node(names, node.get("node"), node.get("name"), node.get("launcher"))
    return [*dict.fromkeys(names[node] for node in sorted(names))]


def _add_node(names: dict[int, str], node: object, name: object, launcher: object) -> None:
    host = launcher.get("host") if isinstance(launcher, dict) else None
    if isinstance(node, int) and isinstance(name or host, str):
        names.setdefault(node, str(name or host))


def touch(folder: Path) -> None:
    """Update the modification times, so that listings notice a change to an ended run."""
    for path in (folder, folder.parent):
        try:
            os.utime(path)
        except OSError:
            pass
