"""``Dataset``: making datasets of files and tables, and getting registered ones back."""

from __future__ import annotations

from scriptrun.data.abstract_dataset import AbstractDataset
from scriptrun.data.consumption import DatasetConsumptionConfig, OutputFileDatasetConfig
from scriptrun.data.file_dataset import FileDataset, FileDatasetFactory
from scriptrun.data.tabular_dataset import DataType, TabularDataset, TabularDatasetFactory

__all__ = [
    "DataType",
    "Dataset",
    "DatasetConsumptionConfig",
    "FileDataset",
    "OutputFileDatasetConfig",
    "TabularDataset",
]


class Dataset(AbstractDataset):
    """``Dataset.File`` makes datasets of files; ``get_by_name``, ``get_by_id`` and ``get_all``
    give registered ones.
    """

    kind = "dataset"
    File = FileDatasetFactory
    Tabular = TabularDatasetFactory
