"""Runs without a launcher: the process that logs is the run (``Experiment.start_logging``)."""

from __future__ import annotations

import os
import uuid
import warnings
from pathlib import Path

from scriptrun.runtime import events, identity
from scriptrun.runtime.injob import child_runs
from scriptrun.spec import ids, states
from scriptrun.spec.control_characters import escape
from scriptrun.spec.job import JobSpec, Target
from scriptrun.store.snapshots import snapshots
from scriptrun.submission import git_provenance
from scriptrun.tracking import run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles


def begin(
    workspace: WorkspaceFiles,
    experiment: str,
    source: str | os.PathLike[str] | None,
    display_name: str = "",
    parent: JobSpec | None = None,
) -> Path:
    """Start a run of this process and return its folder."""
    snapshot, properties = None, {}
    remarks: tuple[str, ...] = ()
    if source is not None:
        git = git_provenance.GitFacts(Path(source).absolute())
        result = snapshots.take(workspace.snapshots_folder, Path(source).absolute())
        snapshot, remarks = result.digest, result.warnings
        properties = {**git.properties(), "ContentSnapshotId": result.digest}
    run_id = str(uuid.uuid4())
    job = JobSpec(
        id=run_id,
        experiment=experiment,
        workspace=workspace.name,
        created=ids.now(),
        snapshot=snapshot,
        source_directory=str(Path(source).absolute()) if source is not None else "",
        target=Target(),
        display_name=display_name or run_id,
        parent=parent.id if parent else None,
        properties=properties,
        root=(parent.root or parent.id) if parent else run_id,
        submitted_by=identity.identify(),
    )
    folder = run_folder.make(workspace.runs_folder, job)
    child_runs.claim(str(folder))
    writer = events.EventWriter(folder, "submit")
    for remark in remarks:
        warnings.warn(escape(remark), stacklevel=3)
        writer.write("warning", message=remark)
    writer.write("state", state=states.RUNNING)
    run_folder.publish(folder, job)
    return folder
