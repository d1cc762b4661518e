"""Where a model came from: the run, its sweep, snapshot, environment lock and dataset versions."""

from __future__ import annotations

from scriptrun.core.dataset import Dataset
from scriptrun.core.model import Model
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.data import summary
from scriptrun.history import compare as compare_runs
from scriptrun.registry import service_use, services
from scriptrun.spec import ids
from scriptrun.spec.digests import digest_of
from scriptrun.spec.errors import UserErrorException
from scriptrun.store.snapshots import snapshots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def model_lineage(model: Model) -> Json:
    """The lineage of ``model`` as JSON values: ``model``, ``datasets``, ``services`` and ``run``.

    ``run`` is None if the model was registered from a path; for a deleted run it only has ``id``
    and ``gone``.
    """
    return {
        "model": {
            "id": model.id,
            "created": model.serialize()["created"],
            "files": model.files,
            "tags": model.tags,
            "run_state": model.run_state,
            "from_source": list(model.serialize().get("from_source") or ()),
        },
        "datasets": datasets_of(model),
        "services": services_of(model),
        "run": _model_run(model),
    }


def services_of(model: Model) -> list[Json]:
    """The services that serve the model, each with its run's ID and state (None if missing)."""
    workspace = Workspace(model.workspace.root)
    found: list[Json] = []
    for name in service_use.services_by_model(workspace).get((model.name, model.version), ()):
        record = services.read(workspace, name)
        run_id = record.newest if record is not None else ""
        folder = workspace.find_run(run_id) if run_id else None
        state = None if folder is None else Run.at(workspace, folder).standing.state
        found.append({"name": name, "run": run_id or None, "state": state})
    return found


def _model_run(model: Model) -> Json | None:
    if not model.run_id:
        return None
    run = model.run
    return {"id": model.run_id, "gone": True} if run is None else run_lineage(run)


def run_lineage(run: Run) -> Json:
    """The run with its code, environment and data, as JSON values."""
    job, properties = run.job, run.get_properties()
    snapshot_exists = job.snapshot is not None and snapshots.exists(
        run.workspace.snapshots_folder, job.snapshot
    )
    parent, status = run.parent, run.standing
    return {
        "id": run.id,
        "experiment": job.experiment,
        "state": status.state,
        "reason": status.reason,
        "created": job.created,
        "target": job.target.name,
        "script": job.script or job.command,
        "arguments": list(job.arguments),
        "rerun_of": job.rerun_of,
        "removed": None if run.removed is None else ids.utc(run.removed.timestamp()),
        "parent": None if parent is None else {"id": parent.id, "kind": parent.job.kind},
        "snapshot": {"digest": job.snapshot, "kept": snapshot_exists},
        "commit": properties.get("azureml.git.commit"),
        "dirty": properties.get("azureml.git.dirty") == "True",
        "environment": _environment_facts(run),
        "datasets": [_input_dataset(details) for details in summary.input_datasets(job)],
    }


def _environment_facts(run: Run) -> Json:
    lockfile = compare_runs.lockfile_of(run)
    if not lockfile:
        return {"lock": None, "python": None, "packages": {}}
    packages = compare_runs.packages(lockfile)
    return {
        "lock": digest_of(lockfile),
        "python": packages.pop("python", None),
        "packages": packages,
    }


def _input_dataset(details: Json) -> Json:
    consumption = details["consumptionDetails"]
    return {"input": consumption["inputName"], **details["dataset"]}


def datasets_of(model: Model) -> dict[str, list[Json]]:
    """The datasets that the model was registered with, by their purpose.

    ``name`` and ``version`` of an unregistered dataset are None.
    """
    datasets: dict[str, list[Json]] = {}
    for purpose, dataset_id in model.serialize().get("datasets") or ():
        datasets.setdefault(purpose, []).append(_dataset(model, dataset_id))
    return datasets


def _dataset(model: Model, dataset_id: str) -> Json:
    try:
        dataset = Dataset.get_by_id(model.workspace, dataset_id)
    except UserErrorException:
        return {"id": dataset_id, "name": None, "version": None}
    return {"id": dataset_id, "name": dataset.name, "version": dataset.version}
