"""Resuming from another run: the path of its outputs, as the new job sees it."""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun import remote
from scriptrun.registry import compute_targets
from scriptrun.spec.job import JobSpec, Target
from scriptrun.spec.job_data import JobData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: holds the path, as in v1; the argument that names it is expanded on the node
VARIABLE = "AZUREML_DATAREFERENCE_MODEL_LOCATION"
ARGUMENTS = ("--resume-from", f"${VARIABLE}")


def problems(source: object, target: Target) -> list[str]:
    """Why a job on ``target`` cannot resume from ``source``: a Run, DataPath, path, or None."""
    if source is None or isinstance(source, str | os.PathLike):
        return []
    if hasattr(source, "get_metrics"):
        return access_problems(source, target)
    if hasattr(source, "path_on_datastore"):
        return []
    type_name = type(source).__name__
    return [f"resume_from must be a Run, a DataPath or a folder path, not {type_name}"]


def access_problems(run: Any, target: Target) -> list[str]:
    """Why the run's outputs are not accessible on ``target``; empty if they are."""
    if run.removed is not None:
        hint = f"to restore it, run: scriptrun remove --undo {run.id}"
        return [f"run {run.id}, to resume from, was removed; {hint}"]
    remote_runs = remote.for_target(target)
    if remote_runs is None and compute_targets.engine_of(target).traits.shared_files:
        return []
    if remote_runs is not None and remote_runs.shares_files(remote.for_target(run.job.target)):
        return []
    return [
        f"the outputs of {run.id} are not on {target.name!r}, which does not share files with it; "
        "upload them to a datastore and pass their DataPath to resume_from"
    ]


def data_of(source: Any, target: Target) -> JobData:
    """The job's data as far as it is known; empty for a DataPath, which is an ordinary input."""
    if source is None or hasattr(source, "path_on_datastore"):
        return JobData()
    is_run = hasattr(source, "get_metrics")
    path = outputs_of(source.job, source.path, target) if is_run else os.fspath(source)
    return JobData(variables={VARIABLE: path})


def outputs_of(job: JobSpec, folder: Path, target: Target) -> str:
    """The folder with the outputs of the run ``job``, for jobs on ``target``."""
    remote_runs = remote.for_target(target)
    if remote_runs is not None and remote_runs.shares_files(remote.for_target(job.target)):
        return str(remote_runs.folder_of(job) / "outputs")
    return str(folder / "outputs")


def fetch_outputs(job: JobSpec, folder: Path, target: Target) -> None:
    """Fetch the run's outputs if they are on another host and ``target`` is not."""
    there = remote.home(folder, job)
    if there is not None and remote.for_target(target) is None:
        remote.mirror.fetch_below(folder, there, "outputs/")
