"""Find the runs that used a dataset, from their records."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runtime import files
from scriptrun.tracking import run_folder

#: the number of newest runs to search
LOOK = 2_000


def runs_of(home: WorkspaceFiles, head: dict[str, Any], look: int = LOOK) -> list[str]:
    """The IDs of the runs that read a dataset ``head``, newest first.

    Searches about the ``look`` newest runs of the workspace.
    """
    found = []
    for folder in itertools.islice(run_folder.all_folders(home.runs_folder), look):
        job = files.read_json(str(folder / "job.json")) or {}
        if any(_is(each, head) for each in _datasets(job)):
            found.append((str(job.get("created")), folder.name))
    return [name for _, name in sorted(found, reverse=True)]


def _datasets(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for each in (job.get("data") or {}).get("inputs") or ():
        yield each.get("dataset") or {}


def _is(used: dict[str, Any], head: dict[str, Any]) -> bool:
    """Whether the IDs are equal; a dataset of that name in another workspace has another ID."""
    return bool(used.get("id")) and used.get("id") == head["id"]
