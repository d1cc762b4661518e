"""Which runs used a dataset: their records say so."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from scriptrun.registry.workspace_files import Home
from scriptrun.runtime import files
from scriptrun.tracking import run_folder

#: how many of the newest runs are looked at
LOOK = 2_000


def runs_of(home: Home, head: dict[str, Any], look: int = LOOK) -> list[str]:
    """The ids of the runs, newest first, that read this version (``head``) of a dataset.

    About the ``look`` newest runs of the workspace are looked at.
    """
    found = []
    for folder in itertools.islice(run_folder.every(home.runs_folder), look):
        job = files.read_json(str(folder / "job.json")) or {}
        if any(_is(each, head) for each in _datasets(job)):
            found.append((str(job.get("created")), folder.name))
    return [name for _, name in sorted(found, reverse=True)]


def _datasets(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for each in (job.get("data") or {}).get("inputs") or ():
        yield each.get("dataset") or {}


def _is(used: dict[str, Any], head: dict[str, Any]) -> bool:
    """By its id, which another workspace's dataset of that name does not have."""
    return bool(used.get("id")) and used.get("id") == head["id"]
