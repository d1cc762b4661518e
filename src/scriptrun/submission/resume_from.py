"""Going on from another run: the path of its outputs, as the job that starts will see it."""

from __future__ import annotations

import os
from pathlib import Path

from scriptrun.spec.hints import TYPE_CHECKING, Any
from scriptrun.spec.job import JobSpec, Target
from scriptrun.spec.later import later

if TYPE_CHECKING:
    from scriptrun.remote import client as remote_client
else:
    remote_client = later("scriptrun.remote.client")

#: holds the path, as in v1; the argument that names it is expanded on the node
VARIABLE = "AZUREML_DATAREFERENCE_MODEL_LOCATION"
ARGUMENTS = ("--resume-from", f"${VARIABLE}")


def problems(before: object, target: Target) -> list[str]:
    """Why a job on ``target`` cannot go on from ``before``: a Run, a DataPath, a path, or None."""
    if before is None or isinstance(before, str | os.PathLike):
        return []
    if hasattr(before, "get_metrics"):
        return lies_elsewhere(before, target)
    if hasattr(before, "path_on_datastore"):
        return []
    given = type(before).__name__
    return [f"resume_from wants a Run, a DataPath or the path of a folder, and is {given}"]


def lies_elsewhere(run: Any, target: Target) -> list[str]:
    """The reason why the run's outputs cannot be had on ``target``; empty where they can."""
    if not target.options.get("ssh") or _is_beside(run.job, target):
        return []
    return [
        f"the outputs of {run.id} do not lie on {target.name}, which is behind ssh: upload them "
        "to a datastore, and give their DataPath to resume_from"
    ]


def data_of(before: Any, target: Target) -> dict[str, Any]:
    """What the job's data says of it; a DataPath is brought as data are."""
    if before is None or hasattr(before, "path_on_datastore"):
        return {}
    if hasattr(before, "get_metrics"):
        return {"variables": {VARIABLE: outputs_of(before.job, before.path, target)}}
    return {"variables": {VARIABLE: os.fspath(before)}}


def outputs_of(job: JobSpec, folder: Path, target: Target) -> str:
    """The folder with the outputs of the run ``job``, for jobs on ``target``."""
    if target.options.get("ssh") and _is_beside(job, target):
        return str(remote_client.folder_there(job) / "outputs")
    return str(folder / "outputs")


def bring(job: JobSpec, folder: Path, target: Target) -> None:
    """Bring the run's outputs home, where they lie behind ssh and the jobs do not."""
    if job.target.options.get("ssh") and not target.options.get("ssh"):
        found = [
            each for each in remote_client.names(folder, job.id) if each.startswith("outputs/")
        ]
        remote_client.bring(folder, job.id, found)


def _is_beside(job: JobSpec, target: Target) -> bool:
    """Whether the run lies on the very cluster, in the same folder, as the jobs will."""
    if not job.target.options.get("ssh"):
        return False
    one, other = remote_client.address_of(job.target), remote_client.address_of(target)
    return (one["host"], one["root"]) == (other["host"], other["root"])
