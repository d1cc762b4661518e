"""Child runs that a script starts and ends itself, without a launcher (Python 3.6+)."""

import os
import re
import time

from scriptrun.runtime import files, identity
from scriptrun.runtime.injob import record
from scriptrun.runtime.injob.errors import UserErrorException
from scriptrun.runtime.injob.metrics.writer import writer_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


_ID = re.compile(r"^[A-Za-z0-9][\w.\-]{0,199}$")


def begin(
    parent: str, parent_id: str, name: "str | None" = None, run_id: "str | None" = None
) -> str:
    """Create the folder of a new child of the run in ``parent``, and return it."""
    above = record.job(parent)
    now = time.time()
    run_id = _checked(run_id) or "{}_{}_{}".format(
        above.get("experiment") or "run", int(now), files.unique(8)
    )
    created = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    folder = os.path.join(_runs(parent), created[:10], run_id)
    try:
        os.makedirs(os.path.join(folder, "events"))
    except FileExistsError:
        raise UserErrorException("Run {!r} already exists.".format(run_id))
    job = _job(above, run_id, parent_id, name)
    job["created"] = "{}.{:06d}+00:00".format(created, int(now % 1 * 1e6))
    claim(folder)
    record.say(folder, "state", state="Running")
    files.publish(os.path.join(folder, "job.json"), files.to_json(job))
    return folder


def _job(above: "Json", run_id: str, parent_id: str, name: "str | None") -> "Json":
    """A JobSpec as JSON: inherited from the parent, with nothing to execute."""
    kept = (
        "format",
        "experiment",
        "workspace",
        "snapshot",
        "source_directory",
        "environment",
        "submitted_by",
    )
    job = {key: above[key] for key in kept if key in above}
    job.update(
        id=run_id,
        parent=parent_id,
        root=above.get("root") or parent_id,
        kind="azureml.scriptrun",
        display_name="" if name is None else str(name),
        target=dict(above.get("target") or {"name": "local", "kind": "Local"}, options={}),
    )
    return job


def claim(folder: str) -> None:
    """Record this process as the one that runs it, as a launcher does."""
    place = os.path.join(folder, "attempts", "1")
    os.makedirs(place)
    files.publish(os.path.join(place, "node-0.start.json"), files.to_json(identity.of_process()))


def is_begun_here(folder: str) -> bool:
    """Whether a script started the run in ``folder``, and so must end it."""
    job = record.job(folder)
    return bool(job) and not job.get("script") and not job.get("command")


def end(folder: str, state: str, reason: str) -> None:
    """Publish the result of a run that a script started; launchers do it for others."""
    if not is_begun_here(folder):
        return
    result = {
        "state": state,
        "reason": reason,
        "exit_code": None,
        "signal": None,
        "attempt": 1,
        "node": 0,
        "by": "script",
        "began": _began(folder),
        "ended": time.time(),
    }
    try:
        os.makedirs(os.path.join(folder, "attempts", "1"), exist_ok=True)
        path = os.path.join(folder, "attempts", "1", "result.json")
        files.publish(path, files.to_json(result))
    except OSError as error:
        record.warn("cannot write the result of run {}".format(folder), error)
    writer_of(folder).close()


def cancel(folder: str) -> None:
    """Request cancellation of a run; one that a script started ends at once."""
    value = {"t": time.time(), "by": identity.of_process()}
    files.publish(os.path.join(folder, "cancel.json"), files.to_json(value))
    end(folder, "Canceled", "canceled by the script")


def find(folder: str, run_id: str) -> "str | None":
    """The folder of the run ``run_id`` in the same workspace, or None."""
    for day in _days(_runs(folder)):
        place = os.path.join(_runs(folder), day, run_id)
        if os.path.isfile(os.path.join(place, "job.json")):
            return place
    return None


def of(folder: str) -> "list[str]":
    """The folders of the direct children of the run in ``folder``, oldest first."""
    return [child for parent, child in _family(folder) if parent == _id(folder)]


def below(folder: str) -> "list[str]":
    """The folders of all descendants of the run in ``folder``."""
    wanted, found = {_id(folder)}, []
    for parent, child in _family(folder):  # a child is created after its parent
        if parent in wanted:
            wanted.add(_id(child))
            found.append(child)
    return found


def _family(folder: str) -> "list[tuple[str, str]]":
    """(parent ID, folder) of every run with a parent since this run's day, oldest first."""
    first = os.path.basename(os.path.dirname(folder))
    found = []
    for day in _days(_runs(folder)):
        if day >= first:
            for name in os.listdir(os.path.join(_runs(folder), day)):
                place = os.path.join(_runs(folder), day, name)
                job = record.job(place)
                if job.get("parent"):
                    found.append((job.get("created") or "", job["parent"], place))
    return [(parent, place) for _, parent, place in sorted(found)]


def _runs(folder: str) -> str:
    return os.path.dirname(os.path.dirname(folder))


def _days(runs: str) -> "list[str]":
    try:
        return sorted(name for name in os.listdir(runs) if re.match(r"\d{4}-\d\d-\d\d$", name))
    except OSError:
        return []


def _id(folder: str) -> str:
    return os.path.basename(folder)


def _checked(run_id: "str | None") -> "str | None":
    if run_id is not None and not _ID.match(str(run_id)):
        raise UserErrorException(
            "Invalid run ID {!r}.".format(run_id),
            "Use letters, digits, '_', '-' and '.', starting with a letter or digit.",
        )
    return None if run_id is None else str(run_id)


def _began(folder: str) -> "float | None":
    running = [event for event in record.told(folder) if event.get("state") == "Running"]
    return running[0].get("t") if running else None
