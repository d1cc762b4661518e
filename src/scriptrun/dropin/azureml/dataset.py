"""``azureml.core.Dataset``: scriptrun's, with the calls that SDK v1 had already deprecated."""

from __future__ import annotations

from enum import Enum

from scriptrun.core import dataset
from scriptrun.data.datasets.base import AbstractDataset
from scriptrun.spec.absent import absent, absent_properties

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.core.workspace import Workspace
    from scriptrun.data.datasets.sources import Paths
    from scriptrun.data.datasets.tabular import TabularDataset


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
@absent(
    "register update",
    "Call register of what Dataset.File or Dataset.Tabular returns; change tags with add_tags.",
)
@absent_properties(
    "workspace definition definition_version is_visible state",
    "Dataset.File and Dataset.Tabular create datasets, which have a version and its files.",
)
class Dataset(dataset.Dataset):
    """``Dataset.File`` and ``Dataset.Tabular`` create datasets; ``get_by_name`` loads them."""

    @staticmethod
    def from_delimited_files(
        path: Paths,
        separator: str = ",",
        header: PromoteHeadersBehavior | None = None,
        encoding: FileEncoding | None = None,
        quoting: bool = False,
        infer_column_types: bool = True,
        skip_rows: int = 0,
        skip_mode: SkipLinesBehavior | None = None,
        comment: str | None = None,
        include_path: bool = False,
        archive_options: object = None,
        partition_format: str | None = None,
    ) -> TabularDataset:
        """Create a table of delimited files, as ``Dataset.Tabular.from_delimited_files`` does.

        ``skip_rows`` and what follows it, but for ``include_path`` and ``partition_format``, have
        no effect, and v1 ignores them too in what replaced this method.
        """
        return dataset.Dataset.Tabular.from_delimited_files(
            path,
            separator=separator,
            header=PromoteHeadersBehavior.ALL_FILES_HAVE_SAME_HEADERS if header is None else header,
            encoding="utf8" if encoding is None else encoding.name,
            support_multi_line=quoting,
            infer_column_types=infer_column_types,
            include_path=include_path,
            partition_format=partition_format,
        )

    @staticmethod
    def from_parquet_files(
        path: Paths, include_path: bool = False, partition_format: str | None = None
    ) -> TabularDataset:
        """Create a table of Parquet files."""
        return dataset.Dataset.Tabular.from_parquet_files(
            path, include_path=include_path, partition_format=partition_format
        )

    @staticmethod
    def from_json_files(
        path: Paths,
        encoding: FileEncoding | None = None,
        flatten_nested_arrays: bool = False,
        include_path: bool = False,
        partition_format: str | None = None,
    ) -> TabularDataset:
        """Create a table of files with one JSON object per line; nested arrays stay as they are."""
        return dataset.Dataset.Tabular.from_json_lines_files(
            path,
            include_path=include_path,
            partition_format=partition_format,
            encoding="utf8" if encoding is None else encoding.name,
        )

    @staticmethod
    def get(workspace: Workspace, name: str | None = None, id: str | None = None) -> Any:
        """Return the registered dataset with that name or ID."""
        if id is not None:
            return AbstractDataset.get_by_id(workspace, id)
        return AbstractDataset.get_by_name(workspace, str(name))

    @staticmethod
    def list(workspace: Workspace) -> list[Any]:
        """Return the latest version of each registered dataset."""
        return [*AbstractDataset.get_all(workspace).values()]


class PromoteHeadersBehavior(Enum):
    """How delimited files have headers (``header=`` of ``from_delimited_files``)."""

    NO_HEADERS = 0
    ONLY_FIRST_FILE_HAS_HEADERS = 1
    COMBINE_ALL_FILES_HEADERS = 2
    ALL_FILES_HAVE_SAME_HEADERS = 3


class SkipLinesBehavior(Enum):
    """Which files' first lines are skipped; it has no effect."""

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
