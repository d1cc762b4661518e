"""The datasets of ``Run.get_details``: facts that also answer for the dataset, as in the SDK v1."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from scriptrun.data import summary
from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.core.run import Run
    from scriptrun.data.datasets import base, file, versions
    from scriptrun.data.datastores import classes as datastore_classes
    from scriptrun.runtime.hints import Json
else:
    base = later("scriptrun.data.datasets.base")
    file = later("scriptrun.data.datasets.file")
    versions = later("scriptrun.data.datasets.versions")
    datastore_classes = later("scriptrun.data.datastores.classes")


class DatasetFacts(dict[str, "Any"]):
    """Facts as JSON, with the attributes and methods of the dataset: ``to_path()``, ``tags``."""

    def __init__(self, facts: Json, load: Callable[[], base.AbstractDataset]) -> None:
        super().__init__(facts)
        self._load = load

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._load(), name)


def inputs(run: Run, all_events: list[Json]) -> list[Json]:
    """The value of ``inputDatasets``."""
    entries = [*summary.input_datasets(run.known_job), *summary.used_datasets(all_events)]
    for entry in entries:
        name = entry["consumptionDetails"]["inputName"]
        load = partial(_load, run, name, entry["dataset"].get("id"))
        entry["dataset"] = DatasetFacts(entry["dataset"], load)
    return entries


def _load(run: Run, name: str, identity: str | None) -> base.AbstractDataset:
    """The registered version, which has tags; else exactly the files that the run was given."""
    dataset: base.AbstractDataset
    try:
        if identity:
            dataset = base.AbstractDataset.get_by_id(run.workspace, identity)
            return dataset
    except ScriptrunError:
        pass
    dataset = run._dataset_of(name)
    return dataset


def outputs(run: Run) -> list[Json]:
    """The value of ``outputDatasets``; one that was registered has the ID of its version."""
    job = run.known_job
    entries = summary.output_datasets(job)
    for spec, entry in zip(job.data.outputs, entries, strict=True):
        load = partial(_output_dataset, run, entry)
        version = _registered(run, spec.registration.name, load()) if spec.registration else None
        facts = {name: getattr(version, name) for name in ("id", "name", "version") if version}
        entry["dataset"] = DatasetFacts(facts, load if version is None else _constant(version))
        if version is not None:
            entry["identifier"] = {"savedId": version.id}
    return entries


def _constant(dataset: base.AbstractDataset) -> Callable[[], base.AbstractDataset]:
    return lambda: dataset


def _output_dataset(run: Run, entry: Json) -> base.AbstractDataset:
    store = datastore_classes.get(run.workspace, entry["datastore"])
    dataset: base.AbstractDataset = file.FileDatasetFactory.from_files(
        (store, entry["path"]), validate=False
    )
    return dataset


def _registered(run: Run, name: str, dataset: base.AbstractDataset) -> base.AbstractDataset | None:
    """The latest version of ``name`` with the files of ``dataset``."""
    for number in reversed(versions.version_numbers(run.workspace, name)):
        version: base.AbstractDataset = base.AbstractDataset.get_by_name(
            run.workspace, name, number
        )
        if version.sources == dataset.sources:
            return version
    return None
