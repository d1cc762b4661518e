"""Changes that users make to a run's record at any time: tags, display name, note and marks."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable
from pathlib import Path

from scriptrun.runtime import durability, events
from scriptrun.runtime.injob import record
from scriptrun.store import paths
from scriptrun.tracking import run_folder


def write(folders: Iterable[Path], kind: str, **fields: object) -> None:
    """Write an event to the record of each run in ``folders``; it survives a power cut.

    It counts after the earlier ones of its kind, whatever the clocks of their hosts say. Raises
    WorkspaceException if a run cannot be written.
    """
    folders = list(folders)
    fields.setdefault("t", next_time(folders, kind))
    changed: dict[str, None] = {}
    for folder in folders:
        try:
            path = record.append_event(folder, kind, fields).path
        except OSError as error:
            raise paths.not_writable(folder, error) from error
        run_folder.touch(folder)
        # the folders, too: their times are what tells the index that something changed
        changed.update(dict.fromkeys([path, os.path.dirname(path), str(folder)]))
        changed[str(folder.parent)] = None
    durability.sync_files(changed)


def next_time(folders: Iterable[Path], kind: str) -> float:
    """The current time, or one just after the latest event of ``kind`` of any run."""
    times = [
        event.get("t", 0.0)
        for folder in folders
        for event in events.read_all(folder, OSError)
        if event["kind"] == kind
    ]
    return max(time.time(), math.nextafter(max(times, default=0.0), math.inf))
