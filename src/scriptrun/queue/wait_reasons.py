"""Why runs wait: the runner writes the reasons next to the tickets, for other processes to read.

Only what differs is written: a run that is not named waits for those queued before it.
"""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun.queue import tickets
from scriptrun.runtime import files
from scriptrun.spec.errors import WorkspaceException

#: the file in the folder of the tickets: run ID to reason; no ticket, as it does not end in .json
FILE = "reasons"
#: the entry that holds for all runs
ALL = "*"
BEHIND = "waits for the runs queued before it"
#: of the first run of the queue, of which no reason is written; and of one that a launcher has
STARTING = "waits for its launcher, which is starting"
UNANSWERED = "waits for the queue's runner, which is starting"


class Reasons:
    """The reasons of one runner; written when they change."""

    def __init__(self, queue: Path) -> None:
        self._path = queue / FILE
        self._current: dict[str, str] = {}
        self._written: dict[str, str] | None = None

    def clear(self) -> None:
        """Forget all reasons, at the beginning of a pass over the queue."""
        self._current = {}

    def add(self, run_id: str, reason: str) -> None:
        """The run waits because of ``reason``."""
        self._current[run_id] = reason

    def write(self) -> None:
        """Write the reasons down unless they are the same as before; a full disk is ignored."""
        if self._current == self._written:
            return
        try:
            files.write_atomic(str(self._path), files.to_json(self._current), mode=0o600)
            self._written = dict(self._current)
        except OSError:
            pass


def read(queue: Path) -> dict[str, str]:
    """The reasons that the last runner wrote."""
    try:
        value = files.read_json(str(queue / FILE))
    except OSError:
        return {}
    return value if isinstance(value, dict) else {}


def of_workspace(workspace_id: str) -> dict[str, str]:
    """As ``reasons_of``, for the user's queue of a workspace; empty if it cannot be made."""
    try:
        return reasons_of(tickets.queue_of(workspace_id))
    except WorkspaceException:  # nothing waits in it
        return {}


def reasons_of(queue: Path) -> dict[str, str]:
    """Why each queued run waits, by its ID: its position, and what the runner has written."""
    run_ids = [tickets.run_id_of(Path(name)) for name in tickets.names(queue)]
    if not run_ids:
        return {}
    written = read(queue)
    first = next((written[run_id] for run_id in run_ids if run_id in written), "")
    return {
        run_id: _in_words(number, len(run_ids), written.get(ALL) or written.get(run_id), first)
        for number, run_id in enumerate(run_ids, 1)
    }


def _in_words(number: int, count: int, reason: object, first: object) -> str:
    """Why the run at position ``number`` waits; ``first`` is the reason of the first in line."""
    if not reason and number == 1:
        reason = STARTING
    elif not reason:
        reason = f"{BEHIND}; the first {first}" if first else BEHIND
    return f"position {number} of {count} in the queue: {reason}" if count > 1 else str(reason)


def forget(queue: Path) -> None:
    """Remove the reasons: the queue is empty, or its runner exits."""
    try:
        os.unlink(queue / FILE)
    except OSError:
        pass
