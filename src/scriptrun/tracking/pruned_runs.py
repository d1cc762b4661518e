"""The log of pruned runs: one line of JSON per run, in ``pruned.jsonl`` of the workspace."""

from __future__ import annotations

import json
import os
from pathlib import Path

from scriptrun.runtime import events, files
from scriptrun.runtime.injob.short_names import short_name
from scriptrun.spec import ids
from scriptrun.spec.values import Value

NAME = "pruned.jsonl"


class PrunedRecord(Value):
    """What remains known of a pruned run; ``pruned`` is ISO 8601 in UTC, ``by`` a user."""

    id: str
    name: str
    experiment: str
    pruned: str
    by: str


def write(directory: Path, run_id: str, name: str, experiment: str, by: str) -> None:
    """Record that a run was pruned; ``directory`` is the workspace's."""
    record = PrunedRecord(run_id, name, experiment, ids.now_to_the_second(), by)
    events.append(str(directory / NAME), json.dumps(record.as_dict()).encode() + b"\n")


def find(directory: Path, name: str) -> PrunedRecord | None:
    """The pruned run of this ID, unique ID prefix or name (then the latest), or None."""
    records = list(_read(directory))
    by_prefix = {each.id: each for each in records if each.id.startswith(name)}
    if name in by_prefix or len(by_prefix) == 1:
        return by_prefix.get(name) or next(iter(by_prefix.values()))
    return next((each for each in reversed(records) if name in _names(each)), None)


def _names(pruned: PrunedRecord) -> tuple[str, str]:
    return pruned.name, short_name(pruned.id)


def all_ids(directory: Path) -> set[str]:
    """The IDs of all pruned runs."""
    return {each.id for each in _read(directory)}


def _read(directory: Path) -> list[PrunedRecord]:
    try:
        lines = (files.read_bytes(os.path.join(directory, NAME)) or b"").splitlines()
    except OSError:
        return []
    found = []
    for value in map(files.parse_json, lines):
        try:
            found.append(PrunedRecord.from_dict(value))
        except (TypeError, ValueError, KeyError, AttributeError):
            continue  # a line that a power cut has left unfinished
    return found
