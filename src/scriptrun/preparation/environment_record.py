"""The environment's files in a run's folder: the lockfile, and the log of its build."""

from __future__ import annotations

from pathlib import Path

from scriptrun.environments import locks
from scriptrun.environments.cache import usage as cache_usage
from scriptrun.runtime import events, files
from scriptrun.store import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.environments.builder import ReadyEnvironment
    from scriptrun.runtime.hints import Json


LOCKFILE = "environment.lock.json"

#: the log of the environment's build
LOG = "system_logs/environment.txt"


def write_lockfile(folder: Path, ready: ReadyEnvironment) -> None:
    """Store the lockfile in the run's folder and record its environment, once per run."""
    if read_lockfile(folder) is None:  # durable with the run's result; until then it can be found
        sealed = files.to_json(locks.seal(ready.lock))
        files.write_atomic(str(folder / LOCKFILE), sealed, durable=False)
    writer = events.EventWriter(folder, "prepare")
    if any(event["kind"] == "environment" for event in events.read(writer.path)):
        return  # recorded already, by an earlier preparation of the run
    writer.write(
        "environment",
        key=ready.key,
        place=ready.place,
        python=ready.python,
        cached=ready.cached,
        seconds=ready.seconds,
    )
    if ready.place:
        cache_usage.record_run(ready.place, folder)
    for note in ready.notes:
        writer.write("note", message=note)
    for sentence in ready.failed_imports:
        writer.write("warning", message=sentence)
    relaxed = ready.lock.get("relaxed")
    if relaxed:
        changes = ", ".join(
            f"{name} {requested} -> {actual}" for name, (requested, actual) in relaxed.items()
        )
        writer.write("tag", set={"pins relaxed": changes})


def read_lockfile(folder: Path) -> Json | None:
    """The lockfile of the run's environment, or None if it is not locked yet.

    An empty file, as a power cut may leave it, is none. Raises DamagedRecord for another that
    cannot be read, or whose content was changed.
    """
    path = folder / LOCKFILE
    return None if records.is_blank(path) else records.read(path, locks.checked)


def read_recorded_lockfile(folder: Path) -> Json | None:
    """As ``read_lockfile``, for a run that has started: an empty file is damaged too."""
    return records.read(folder / LOCKFILE, locks.checked)
