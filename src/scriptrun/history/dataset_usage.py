"""Find the runs that used a dataset, from their records."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runtime import files
from scriptrun.tracking import run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


#: the number of newest runs to search
LIMIT = 2_000


def run_ids(workspace: WorkspaceFiles, version: Json, limit: int = LIMIT) -> list[str]:
    """The IDs of the runs that read a dataset ``version``, newest first.

    Searches about the ``limit`` newest runs of the workspace.
    """
    runs = []
    for folder in itertools.islice(run_folder.all_folders(workspace.runs_folder), limit):
        job = files.read_json(str(folder / "job.json")) or {}
        if any(_is_version(dataset, version) for dataset in _datasets(job)):
            runs.append((str(job.get("created")), folder.name))
    return [name for _, name in sorted(runs, reverse=True)]


def _datasets(job: Json) -> Iterator[Json]:
    for binding in (job.get("data") or {}).get("inputs") or ():
        yield binding.get("dataset") or {}


def _is_version(dataset: Json, version: Json) -> bool:
    """Whether the IDs are equal; a dataset of that name in another workspace has another ID."""
    return bool(dataset.get("id")) and dataset.get("id") == version["id"]
