"""Write and read a run's events from its script: tags, properties, state (Python 3.6+)."""

import os
import sys
import threading

from scriptrun.runtime import events, files, identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.runtime.events import EventWriter
    from scriptrun.runtime.hints import Json, Place


_writers: "dict[tuple[str, int], EventWriter]" = {}
_lock = threading.Lock()


def say(folder: "Place", kind: str, **fields: object) -> bool:
    """Append an event to the run in ``folder``, with this process's own writer.

    A full or read-only disk only causes a warning on stderr, so that it never ends a training.
    """
    try:
        with _lock:
            _writer(folder).write(kind, **fields)
        _show_if_late(folder)
        return True
    except OSError as error:
        warn("cannot write the run's {}".format(kind.replace("_", " ")), error)
        return False


def _show_if_late(folder: "Place") -> None:
    """Touch the folder of an ended run, so that listings notice the event by its time."""
    try:
        attempts = os.listdir(os.path.join(str(folder), "attempts"))
        results = (os.path.join(str(folder), "attempts", name, "result.json") for name in attempts)
        if any(map(os.path.exists, results)):
            os.utime(str(folder))
            os.utime(os.path.dirname(str(folder)))
    except OSError:
        pass


def warn(message: str, error: object) -> None:
    """Print a warning to stderr; never raises."""
    try:
        sys.stderr.write("scriptrun: {}: {}\n".format(message, error))
    except Exception:
        pass


def _writer(folder: "Place") -> "EventWriter":
    key = (str(folder), os.getpid())  # a forked child writes its own file
    if key not in _writers:
        name = "script-{}-{}-{}".format(identity.host(), os.getpid(), files.unique(8))
        _writers[key] = events.EventWriter(folder, name)
    return _writers[key]


def job(folder: "Place") -> "Json":
    """The run's job.json as a dict; empty if it is missing."""
    found: "Json | None" = files.read_json(os.path.join(str(folder), "job.json"))
    return found or {}


def told(folder: "Place") -> "list[Json]":
    """The run's events by time, then writer, then position in the file."""
    return events.read_all(folder, OSError)


def tags(folder: "Place") -> "dict[str, str | None]":
    """The run's current tags."""
    result = dict(job(folder).get("tags") or {})
    for event in told(folder):
        if event["kind"] == "tag":
            result.update(event.get("set") or {})
            for name in event.get("remove") or ():
                result.pop(name, None)
    return result


def properties(folder: "Place") -> "dict[str, str | None]":
    """The run's properties: the first value of each counts."""
    result = dict(job(folder).get("properties") or {})
    for event in told(folder):
        if event["kind"] == "properties":
            for name, value in (event.get("set") or {}).items():
                result.setdefault(name, value)
    return result


def latest(folder: "Place", kind: str, default: object) -> "Any":
    """The value of the latest event of ``kind`` (display_name, description), else ``default``."""
    found = [event.get("value") for event in told(folder) if event["kind"] == kind]
    return found[-1] if found else default


def state(folder: "Place") -> str:
    """The run's state according to its own files."""
    result = _result(folder)
    said = told(folder)
    if any(event["kind"] == "fail" for event in said):
        return "Failed"
    if result:
        ended: str = result.get("state", "Running")
        return ended
    states: "list[str]" = [
        event.get("state", "Running") for event in said if event["kind"] == "state"
    ]
    return states[-1] if states else "Running"


def _result(folder: "Place") -> "Json | None":
    attempts = os.path.join(str(folder), "attempts")
    try:
        names = [name for name in os.listdir(attempts) if name.isdigit()]
    except OSError:
        return None
    for name in sorted(names, key=int, reverse=True):
        result: "Json | None" = files.read_json(os.path.join(attempts, name, "result.json"))
        if result:
            return result
    return None
