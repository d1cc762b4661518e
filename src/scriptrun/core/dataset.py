"""``Dataset``: create datasets from files and tables, and get registered ones."""

from __future__ import annotations

from scriptrun.data.datasets import versions
from scriptrun.data.datasets.base import AbstractDataset
from scriptrun.data.datasets.consumption import DatasetConsumptionConfig, OutputFileDatasetConfig
from scriptrun.data.datasets.file import FileDataset, FileDatasetFactory
from scriptrun.data.datasets.tabular import DataType, TabularDataset, TabularDatasetFactory
from scriptrun.data.datastores import classes as datastore_classes
from scriptrun.data.datastores.records import WorkspaceLike
from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.job_data import JobInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass


__all__ = [
    "DataType",
    "Dataset",
    "DatasetConsumptionConfig",
    "FileDataset",
    "OutputFileDatasetConfig",
    "TabularDataset",
]


def input_dataset(
    workspace: WorkspaceLike, inputs: tuple[JobInput, ...], name: str
) -> AbstractDataset:
    """The dataset of a job's input ``name``, with exactly the files that were pinned.

    An old data reference pins no files, so its dataset has the current ones.
    """
    entry = next(job_input for job_input in inputs if job_input.name == name)
    if entry.dataset is not None:
        return AbstractDataset.from_pin(workspace, entry.dataset.as_dict())
    store = datastore_classes.get(workspace, str(entry.datastore))
    return FileDatasetFactory.from_files((store, entry.path or ""), validate=False)


def find_version(workspace: WorkspaceLike, identity: str | None) -> AbstractDataset | None:
    """The registered version with this ID, or None."""
    if not identity:
        return None
    try:
        found: AbstractDataset = AbstractDataset.get_by_id(workspace, identity)
    except ScriptrunError:
        return None
    return found


def output_dataset(
    workspace: WorkspaceLike, datastore: str, path: str, name: str | None
) -> AbstractDataset:
    """The dataset of an output: the latest version of ``name`` with its files, else those alone."""
    store = datastore_classes.get(workspace, datastore)
    dataset = FileDatasetFactory.from_files((store, path), validate=False)
    for number in reversed(versions.version_numbers(workspace, name) if name else []):
        version: AbstractDataset = AbstractDataset.get_by_name(workspace, str(name), number)
        if version.sources == dataset.sources:
            return version
    return dataset


class Dataset(AbstractDataset):
    """``Dataset.File`` creates datasets from files; ``get_by_name``, ``get_by_id`` and ``get_all``
    return registered ones.
    """

    kind = "dataset"
    File = FileDatasetFactory
    Tabular = TabularDatasetFactory
