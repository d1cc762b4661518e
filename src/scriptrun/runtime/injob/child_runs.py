"""Child runs that a script starts and ends itself, without a launcher (Python 3.6+)."""

import os
import re
import time

from scriptrun.runtime import durability, files, identity
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
    parent_job = record.job(parent)
    now = time.time()
    run_id = _check_id(run_id) or "{}_{}_{}".format(
        parent_job.get("experiment") or "run", int(now), files.unique(8)
    )
    created = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    folder = os.path.join(_runs_root(parent), created[:10], run_id)
    try:
        os.makedirs(os.path.join(folder, "events"))
    except FileExistsError:
        raise UserErrorException("Run {!r} already exists.".format(run_id))
    job = _child_job(parent_job, run_id, parent_id, name)
    job["created"] = "{}.{:06d}+00:00".format(created, int(now % 1 * 1e6))
    claim(folder)
    record.write_event(folder, "state", state="Running")
    files.publish(os.path.join(folder, "job.json"), files.to_json(job))
    return folder


def _child_job(parent_job: "Json", run_id: str, parent_id: str, name: "str | None") -> "Json":
    """A JobSpec as JSON: inherited from the parent, with nothing to execute."""
    inherited_keys = (
        "format",
        "experiment",
        "workspace",
        "snapshot",
        "source_directory",
        "environment",
        "submitted_by",
    )
    job = {key: parent_job[key] for key in inherited_keys if key in parent_job}
    job.update(
        id=run_id,
        parent=parent_id,
        root=parent_job.get("root") or parent_id,
        kind="azureml.scriptrun",
        display_name="" if name is None else str(name),
        target=dict(parent_job.get("target") or {"name": "local", "kind": "Local"}, options={}),
    )
    return job


def claim(folder: str) -> None:
    """Record this process as the one that runs it, as a launcher does."""
    attempt_folder = os.path.join(folder, "attempts", "1")
    os.makedirs(attempt_folder)
    path = os.path.join(attempt_folder, "node-0.start.json")
    files.publish(path, files.to_json(identity.identify()), durable=False)


def is_started_by_script(folder: str) -> bool:
    """Whether a script started the run in ``folder``, and so must end it."""
    job = record.job(folder)
    has_process = job.get("script") or job.get("command") or job.get("kind") == "service"
    return bool(job) and not has_process


def end(folder: str, state: str, reason: str) -> None:
    """Publish the result of a run that a script started; launchers do it for others."""
    if not is_started_by_script(folder):
        return
    result = {
        "state": state,
        "reason": reason,
        "exit_code": None,
        "signal": None,
        "attempt": 1,
        "node": 0,
        "by": "script",
        "began": _start_time(folder),
        "ended": time.time(),
    }
    try:
        os.makedirs(os.path.join(folder, "attempts", "1"), exist_ok=True)
        path = os.path.join(folder, "attempts", "1", "result.json")
        writer_of(folder).flush()
        durability.sync_tree(folder)  # all that the run has written precedes its state
        files.publish(path, files.to_json(result))
    except OSError as error:
        record.warn("cannot write the result of run {}".format(folder), error)
    writer_of(folder).close()


def cancel(folder: str) -> None:
    """Request cancellation of a run; one that a script started ends at once."""
    value = {"t": time.time(), "by": identity.identify()}
    files.publish(os.path.join(folder, "cancel.json"), files.to_json(value))
    end(folder, "Canceled", "canceled by the script")


def find(folder: str, run_id: str) -> "str | None":
    """The folder of the run ``run_id`` in the same workspace, or None."""
    for day in _days(_runs_root(folder)):
        path = os.path.join(_runs_root(folder), day, run_id)
        if os.path.isfile(os.path.join(path, "job.json")):
            return path
    return None


def children(folder: str) -> "list[str]":
    """The folders of the direct children of the run in ``folder``, oldest first."""
    return [child for parent, child in _runs_with_parent(folder) if parent == _id(folder)]


def descendants(folder: str) -> "list[str]":
    """The folders of all descendants of the run in ``folder``."""
    ancestors, folders = {_id(folder)}, []
    for parent, child in _runs_with_parent(folder):  # a child is created after its parent
        if parent in ancestors:
            ancestors.add(_id(child))
            folders.append(child)
    return folders


def _runs_with_parent(folder: str) -> "list[tuple[str, str]]":
    """(parent ID, folder) of every run with a parent since this run's day, oldest first."""
    first_day = os.path.basename(os.path.dirname(folder))
    entries = []
    for day in _days(_runs_root(folder)):
        if day >= first_day:
            for name in os.listdir(os.path.join(_runs_root(folder), day)):
                child_folder = os.path.join(_runs_root(folder), day, name)
                job = record.job(child_folder)
                if job.get("parent"):
                    entries.append((job.get("created") or "", job["parent"], child_folder))
    return [(parent, run_folder) for _, parent, run_folder in sorted(entries)]


def _runs_root(folder: str) -> str:
    return os.path.dirname(os.path.dirname(folder))


def _days(runs: str) -> "list[str]":
    try:
        return sorted(name for name in os.listdir(runs) if re.match(r"\d{4}-\d\d-\d\d$", name))
    except OSError:
        return []


def _id(folder: str) -> str:
    return os.path.basename(folder)


def _check_id(run_id: "str | None") -> "str | None":
    if run_id is not None and not _ID.match(str(run_id)):
        raise UserErrorException(
            "Invalid run ID {!r}.".format(run_id),
            "Use letters, digits, '_', '-' and '.', starting with a letter or digit.",
        )
    return None if run_id is None else str(run_id)


def _start_time(folder: str) -> "float | None":
    running = [event for event in record.read_events(folder) if event.get("state") == "Running"]
    return running[0].get("t") if running else None
