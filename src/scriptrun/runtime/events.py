"""Append to a run's event files: one file per writer, one JSON object per line (Python 3.6+).

docs/explanation/formats.md documents the format.
"""

import json
import os
import time

from scriptrun.runtime import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json, StrPath


#: seconds since 1970 that no clock says: 3,000 years from now; infinity and NaN are not below
END_OF_TIME = 1e11


class EventWriter:
    """Appends events to ``<folder>/events/<writer>.jsonl``, created at the first event.

    Each line is a single ``os.write`` to a file opened for appending; lines never change.
    """

    def __init__(self, folder: "StrPath", writer: str) -> None:
        self.path = os.path.join(str(folder), "events", writer + ".jsonl")
        self._number = 0

    def write(self, kind: str, **fields: object) -> None:
        """Append an event of ``kind`` with ``fields`` (JSON values) and the time in seconds."""
        line = {"t": time.time(), "n": self._number, "kind": kind}
        line.update(fields)
        self._number += 1
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
        append(self.path, text.encode("utf-8", "surrogatepass"))

    def sync(self) -> None:
        """Let the events survive a power cut."""
        files.sync_file(self.path)
        files.sync_folder(os.path.dirname(self.path))


def append(path: str, data: bytes, mode: int = 0o644) -> None:
    """Append ``data`` to ``path`` in one write; create the folder if it is missing.

    The parent of the folder, such as a run that was removed, is not created again.
    """
    flags = files.APPEND_FLAGS
    try:
        handle = os.open(path, flags, mode)
    except FileNotFoundError:
        try:
            os.mkdir(os.path.dirname(path))
        except FileExistsError:
            pass
        handle = os.open(path, flags, mode)
    try:
        os.write(handle, data)
    finally:
        os.close(handle)


def read(path: str) -> "list[Json]":
    """The events of one file in order, without an unfinished last line."""
    lines = (files.read_bytes(path) or b"").split(b"\n")[:-1]
    return [event for event in map(_parse, lines) if event is not None]


def read_all(
    folder: "StrPath",
    unreadable: "tuple[type[OSError], ...] | type[OSError]" = (),
) -> "list[Json]":
    """The events of the run in ``folder``, by time, then writer, then position in the file.

    ``unreadable`` are further errors that mean a folder without events; others are raised.
    """
    events_folder = os.path.join(str(folder), "events")
    try:
        names = sorted(files.names_in(events_folder))
    except unreadable:
        return []
    entries = [
        (event.get("t", 0.0), name, event.get("n", 0), event)
        for name in names
        if name.endswith(".jsonl")
        for event in read(os.path.join(events_folder, name))
    ]
    entries.sort(key=lambda item: item[:3])
    return [item[3] for item in entries]


def _parse(line: bytes) -> "Json | None":
    event = files.parse_json(line)
    if not isinstance(event, dict) or not _is_event(event):
        return None  # truncated by a crash or a full disk: the other lines still count
    return event


def _is_event(event: "Json") -> bool:
    """Whether the fields that readers rely on have their types."""
    kind = event.get("kind")
    if not isinstance(kind, str) or (kind == "state" and "state" not in event):
        return False
    if any(not isinstance(event[name], _FIELDS[name]) for name in _FIELDS.keys() & event.keys()):
        return False
    if kind in ("display_name", "description"):
        return isinstance(event.get("value"), (str, type(None)))
    return abs(event.get("t", 0.0)) < END_OF_TIME and all(
        isinstance(name, str) for name in event.get("remove") or ()
    )


_NUMBER = (int, float)
_NONE = type(None)
_FIELDS: "dict[str, type | tuple[type, ...]]" = {
    "t": _NUMBER,
    "n": int,
    "state": str,
    "reason": str,
    "set": (dict, _NONE),
    "remove": (list, _NONE),
    "pid": int,
    "script": (dict, _NONE),
    "launcher": (dict, _NONE),
    "cached": (bool, _NONE),
    "seconds": (int, float, _NONE),
}
