"""What a job's data needs in another workspace than the one it was submitted from.

These are files below the workspace's directory: the lists of files of its datasets, and the
settings of its datastores. Secrets never travel.
"""

from __future__ import annotations

import base64
from pathlib import Path

from scriptrun.data.datasets import manifest
from scriptrun.data.datastores import records as datastore_records
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.runtime import files, foreign_names
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.job import JobSpec
from scriptrun.store.snapshots import prune_lease, unchanged

#: the folders of what travels
MANIFESTS, DATASTORES = "manifests", "datastores"


def contents(home: WorkspaceFiles, job: JobSpec) -> dict[str, bytes]:
    """The files by their names below the workspace's directory; empty for a job without data."""
    pins = job.data.pins
    sources = [source for pin in pins for source in (*pin.roots, *pin.definition["sources"])]
    named = [*(each.get("datastore") for each in sources), *(x.datastore for x in job.data.items)]
    found = {}
    for digest in sorted({pin.manifest for pin in pins}):
        path = manifest.manifest_path(home.directory / MANIFESTS, digest)
        with files.open_record(path) as handle:
            found[f"{MANIFESTS}/{path.name}"] = handle.read()
    for name in sorted({name for name in named if name}):
        path = datastore_records.file_of(home, name)
        record = datastore_records.get(home, name)
        found[f"{DATASTORES}/{path.name}"] = files.to_json(record)  # which is YAML, too
    return found


def pack(workspace: WorkspaceFiles, job: JobSpec) -> dict[str, str]:
    """The same as a JSON value, for ``unpack``."""
    found = contents(workspace, job)
    return {name: base64.b64encode(data).decode("ascii") for name, data in found.items()}


def unpack(workspace: WorkspaceFiles, value: dict[str, str]) -> None:
    """Store the result of ``pack`` in the workspace. Existing file lists stay.

    They are marked as used, so that a prune keeps them until a run refers to them.
    """
    prune_lease.outside(workspace.snapshots_folder, lambda: _store(workspace, value))


def _store(workspace: WorkspaceFiles, value: dict[str, str]) -> None:
    for name, text in value.items():
        folder, _, last = name.partition("/")
        path = Path(foreign_names.join(workspace.directory, name, "The job's data"))
        if folder not in (MANIFESTS, DATASTORES) or "/" in last:
            raise UserErrorException(
                f"{name[:200]!r} is not a part of a job's data.",
                "Valid names are those of the job's data.",
            )
        if folder == DATASTORES or not unchanged.mark_used(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomic(str(path), base64.b64decode(text))
