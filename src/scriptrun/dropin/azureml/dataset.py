"""``azureml.core.Dataset``: as scriptrun's, with the calls that were old already in the SDK v1."""

from __future__ import annotations

from enum import Enum

from scriptrun.core import dataset
from scriptrun.data.datasets.base import AbstractDataset
from scriptrun.spec.absent import absent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.core.workspace import Workspace


@absent(
    "archive deprecate reactivate get_definition get_definitions update_definition",
    "Registered versions are immutable; register a new one, or use unregister_all_versions().",
)
@absent(
    "create_snapshot delete_snapshot get_snapshot get_all_snapshots diff compare_profiles "
    "generate_profile get_profile",
    "Each registered version is a snapshot; use Dataset.get_by_name(workspace, name, version).",
)
@absent(
    "from_binary_files from_excel_files from_sql_query auto_read_files",
    "Use Dataset.File.from_files, or Dataset.Tabular.from_delimited_files, from_parquet_files or "
    "from_json_lines_files.",
)
@absent(
    "from_pandas_dataframe to_spark_dataframe to_pandas_dataframe head sample __getitem__",
    "Use Dataset.Tabular.from_delimited_files or from_parquet_files.",
)
class Dataset(dataset.Dataset):
    """``Dataset.File`` and ``Dataset.Tabular`` make datasets; ``get_by_name`` gives them back."""

    @staticmethod
    def from_delimited_files(path: Any, *args: Any, **kwargs: Any) -> Any:
        """A table of delimited files: what ``Dataset.Tabular.from_delimited_files`` gives."""
        return dataset.Dataset.Tabular.from_delimited_files(path)

    @staticmethod
    def from_parquet_files(path: Any, *args: Any, **kwargs: Any) -> Any:
        """A table of Parquet files."""
        return dataset.Dataset.Tabular.from_parquet_files(path)

    @staticmethod
    def from_json_files(path: Any, *args: Any, **kwargs: Any) -> Any:
        """A table of files with one JSON object a line."""
        return dataset.Dataset.Tabular.from_json_lines_files(path)

    @staticmethod
    def get(workspace: Workspace, name: str | None = None, id: str | None = None) -> Any:
        """The registered dataset of that name or id."""
        if id is not None:
            return AbstractDataset.get_by_id(workspace, id)
        return AbstractDataset.get_by_name(workspace, str(name))

    @staticmethod
    def list(workspace: Workspace) -> list[Any]:
        """The registered datasets, each in its latest version."""
        return [*AbstractDataset.get_all(workspace).values()]


class PromoteHeadersBehavior(Enum):
    """How delimited files have headers (``header=`` of ``from_delimited_files``)."""

    NO_HEADERS = 0
    ONLY_FIRST_FILE_HAS_HEADERS = 1
    COMBINE_ALL_FILES_HEADERS = 2
    ALL_FILES_HAVE_SAME_HEADERS = 3


class SkipLinesBehavior(Enum):
    """Which files' first lines are skipped; lines are not skipped here."""

    NO_ROWS = 0
    FROM_FIRST_FILE_ONLY = 1
    FROM_ALL_FILES = 2


class FileEncoding(Enum):
    """How text files are encoded (``encoding=`` of ``from_delimited_files``)."""

    UTF8 = 0
    ISO88591 = 1
    LATIN1 = 2
    ASCII = 3
    UTF16 = 4
    UTF32 = 5
    UTF8BOM = 6
    WINDOWS1252 = 7
