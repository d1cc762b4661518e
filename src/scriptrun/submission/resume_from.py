"""Resuming from another run: the path of its outputs, as the new job sees it."""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun import remote
from scriptrun.registry import compute_targets
from scriptrun.spec.job import JobSpec, Target
from scriptrun.tracking import mirror

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: holds the path, as in v1; the argument that names it is expanded on the node
VARIABLE = "AZUREML_DATAREFERENCE_MODEL_LOCATION"
ARGUMENTS = ("--resume-from", f"${VARIABLE}")


def problems(before: object, target: Target) -> list[str]:
    """Why a job on ``target`` cannot resume from ``before``: a Run, DataPath, path, or None."""
    if before is None or isinstance(before, str | os.PathLike):
        return []
    if hasattr(before, "get_metrics"):
        return lies_elsewhere(before, target)
    if hasattr(before, "path_on_datastore"):
        return []
    given = type(before).__name__
    return [f"resume_from must be a Run, a DataPath or a folder path, not {given}"]


def lies_elsewhere(run: Any, target: Target) -> list[str]:
    """Why the run's outputs are not accessible on ``target``; empty if they are."""
    elsewhere = remote.of(target)
    if elsewhere is None and compute_targets.engine_of(target).traits.shared_files:
        return []
    if elsewhere is not None and elsewhere.shares_files(remote.of(run.job.target)):
        return []
    return [
        f"the outputs of {run.id} are not on {target.name!r}, which does not share files with it; "
        "upload them to a datastore and pass their DataPath to resume_from"
    ]


def data_of(before: Any, target: Target) -> dict[str, Any]:
    """The entry for the job's data; empty for a DataPath, which is an ordinary input."""
    if before is None or hasattr(before, "path_on_datastore"):
        return {}
    if hasattr(before, "get_metrics"):
        return {"variables": {VARIABLE: outputs_of(before.job, before.path, target)}}
    return {"variables": {VARIABLE: os.fspath(before)}}


def outputs_of(job: JobSpec, folder: Path, target: Target) -> str:
    """The folder with the outputs of the run ``job``, for jobs on ``target``."""
    elsewhere = remote.of(target)
    if elsewhere is not None and elsewhere.shares_files(remote.of(job.target)):
        return str(elsewhere.folder_of(job) / "outputs")
    return str(folder / "outputs")


def bring(job: JobSpec, folder: Path, target: Target) -> None:
    """Fetch the run's outputs if they are on another host and ``target`` is not."""
    there = remote.home(folder, job)
    if there is not None and remote.of(target) is None:
        names = [each for each in mirror.names(folder, there) if each.startswith("outputs/")]
        mirror.fetch(folder, there, names)
