"""Find the runs that used a dataset, from their records."""

from __future__ import annotations

import itertools

from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.job_data import DatasetPin
from scriptrun.store.records import DamagedRecord
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
        try:
            job = run_folder.read_job(folder)
        except DamagedRecord:
            continue
        if job is not None and any(_is_version(pin, version) for pin in job.data.pins):
            runs.append((job.created, folder.name))
    return [name for _, name in sorted(runs, reverse=True)]


def _is_version(pin: DatasetPin, version: Json) -> bool:
    """Whether the IDs are equal; a dataset of that name in another workspace has another ID."""
    return bool(pin.id) and pin.id == version["id"]
