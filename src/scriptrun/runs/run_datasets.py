"""The datasets of ``Run.get_details``: facts that also answer for the dataset, as in the SDK v1."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from scriptrun.data import summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.core.run import Run
    from scriptrun.data.datasets.base import AbstractDataset
    from scriptrun.runtime.hints import Json


class DatasetFacts(dict[str, object]):
    """Facts as JSON, with the attributes and methods of the dataset: ``to_path()``, ``tags``."""

    def __init__(self, facts: Json, load: Callable[[], AbstractDataset]) -> None:
        super().__init__(facts)
        self._load = load

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._load(), name)


def inputs(run: Run, all_events: list[Json]) -> list[Json]:
    """The value of ``inputDatasets``."""
    entries = [*summary.input_datasets(run.known_job), *summary.used_datasets(all_events)]
    for entry in entries:
        name = entry["consumptionDetails"]["inputName"]
        load = partial(run._used_dataset, name, entry["dataset"].get("id"))
        entry["dataset"] = DatasetFacts(entry["dataset"], load)
    return entries


def outputs(run: Run) -> list[Json]:
    """The value of ``outputDatasets``; one that was registered has the ID of its version."""
    job = run.known_job
    entries = summary.output_datasets(job)
    for spec, entry in zip(job.data.outputs, entries, strict=True):
        name = spec.registration.name if spec.registration else None
        load = partial(run._output_dataset, entry["datastore"], entry["path"], name)
        version = load() if name else None
        facts: Json = {}
        if version is not None and version.version:
            facts = {"id": version.id, "name": version.name, "version": version.version}
            entry["identifier"] = {"savedId": version.id}
        entry["dataset"] = DatasetFacts(facts, load)
    return entries
