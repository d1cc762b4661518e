"""Write and read a run's events from its script: tags, properties, state (Python 3.6+)."""

import os
import sys
import threading

from scriptrun.runtime import events, files, identity, results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.runtime.events import EventWriter
    from scriptrun.runtime.hints import Json, StrPath


#: the types of the fields that are read here
_TYPES: "dict[str, type]" = dict.fromkeys(
    ("id", "experiment", "created", "display_name", "kind", "parent", "root"), str
)
_TYPES.update(dict.fromkeys(("tags", "properties", "data", "submitted_by"), dict))

_writers: "dict[tuple[str, int], EventWriter]" = {}
_lock = threading.Lock()


def write_event(folder: "StrPath", kind: str, **fields: object) -> bool:
    """Append an event to the run in ``folder``, with this process's own writer.

    A full or read-only disk only causes a warning on stderr, so that it never ends a training.
    """
    try:
        writer = append_event(folder, kind, fields)
        if _touch_if_ended(folder) or kind in ("complete", "fail"):
            writer.sync()  # the launcher syncs the others at the end
        return True
    except OSError as error:
        warn("cannot write the run's {}".format(kind.replace("_", " ")), error)
        return False


def append_event(folder: "StrPath", kind: str, fields: "Json") -> "EventWriter":
    """Append an event with this process's own writer, and return the writer. Raises OSError."""
    with _lock:
        writer = _writer(folder)
        writer.write(kind, **fields)
    return writer


def _touch_if_ended(folder: "StrPath") -> bool:
    """Touch the folder of an ended run, so that listings notice the event; whether it has ended."""
    try:
        attempts = os.listdir(os.path.join(str(folder), "attempts"))
        results = (os.path.join(str(folder), "attempts", name, "result.json") for name in attempts)
        if any(map(os.path.exists, results)):
            os.utime(str(folder))
            os.utime(os.path.dirname(str(folder)))
            return True
    except OSError:
        pass
    return False


def warn(message: str, error: object) -> None:
    """Print a warning to stderr; never raises."""
    try:
        sys.stderr.write("scriptrun: {}: {}\n".format(message, error))
    except Exception:
        pass


def _writer(folder: "StrPath") -> "EventWriter":
    key = (str(folder), os.getpid())  # a forked child writes its own file
    if key not in _writers:
        who = "script" if os.environ.get("SCRIPTRUN_RUN_ID") else "user"
        name = "{}-{}-{}-{}".format(who, identity.host(), os.getpid(), files.unique(8))
        _writers[key] = events.EventWriter(folder, name)
    return _writers[key]


def job(folder: "StrPath") -> "Json":
    """The run's job.json as a dict, without fields that are damaged; empty if it is missing."""
    value = files.read_object(os.path.join(str(folder), "job.json")) or {}
    return {
        name: field
        for name, field in value.items()
        if field is None or isinstance(field, _TYPES.get(name, object))
    }


def read_events(folder: "StrPath") -> "list[Json]":
    """The run's events by time, then writer, then position in the file."""
    return events.read_all(folder, OSError)


def tags(folder: "StrPath") -> "dict[str, str | None]":
    """The run's current tags."""
    result = dict(job(folder).get("tags") or {})
    for event in read_events(folder):
        if event["kind"] == "tag":
            result.update(event.get("set") or {})
            for name in event.get("remove") or ():
                result.pop(name, None)
    return result


def properties(folder: "StrPath") -> "dict[str, str | None]":
    """The run's properties: the first value of each counts."""
    result = dict(job(folder).get("properties") or {})
    for event in read_events(folder):
        if event["kind"] == "properties":
            for name, value in (event.get("set") or {}).items():
                result.setdefault(name, value)
    return result


def latest(folder: "StrPath", kind: str, default: object) -> "Any":
    """The value of the latest event of ``kind`` (display_name, description), else ``default``."""
    values = [event.get("value") for event in read_events(folder) if event["kind"] == kind]
    return values[-1] if values else default


def state(folder: "StrPath") -> str:
    """The run's state according to its own files."""
    result = _result(folder)
    run_events = read_events(folder)
    if any(event["kind"] == "fail" for event in run_events):
        return "Failed"
    if result:
        final_state: str = result.get("state", "Running")
        return final_state
    states: "list[str]" = [
        event.get("state", "Running") for event in run_events if event["kind"] == "state"
    ]
    return states[-1] if states else "Running"


def _result(folder: "StrPath") -> "Json | None":
    attempts = os.path.join(str(folder), "attempts")
    try:
        names = [name for name in os.listdir(attempts) if name.isdigit()]
    except OSError:
        return None
    for name in sorted(names, key=int, reverse=True):
        result = results.read_at(os.path.join(attempts, name, "result.json"))
        if result is not None:
            return result
    return None
