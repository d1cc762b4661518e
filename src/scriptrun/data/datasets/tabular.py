"""Datasets of rows and columns in files: delimited text, Parquet, JSON lines."""

from __future__ import annotations

import hashlib
import io
import random

from scriptrun.data.datasets import selection, sources
from scriptrun.data.datasets.base import AbstractDataset
from scriptrun.data.datasets.content import Content
from scriptrun.data.errors import (
    DatasetExecutionError,
    DatasetValidationError,
    FileChanged,
    FileMissing,
    missing_package,
)
from scriptrun.data.tables import expressions, frames, partitions
from scriptrun.data.tables import format as table_format
from scriptrun.data.tables import reader as table_reader
from scriptrun.data.tables.expressions import Expression
from scriptrun.data.tables.time_columns import TimeColumns
from scriptrun.spec.absent import absent
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas
    import polars
    import pyarrow

    from scriptrun.data.datasets.sources import Paths
    from scriptrun.data.tables.partitions import PathValue
    from scriptrun.runtime.hints import Json

#: v1's PromoteHeadersBehavior: whether files have a header (None: not supported)
_HEADERS = {0: False, 1: None, 2: True, 3: True}
_HEADER_NAMES = {
    "NO_HEADERS": 0,
    "ONLY_FIRST_FILE_HAS_HEADERS": 1,
    "COMBINE_ALL_FILES_HEADERS": 2,
    "ALL_FILES_HAVE_SAME_HEADERS": 3,
}


@absent(
    "to_spark_dataframe to_dask_dataframe",
    "Use to_pandas_dataframe, to_arrow or to_polars.",
)
@absent(
    "get_profile get_profile_runs submit_profile_run",
    "Use to_pandas_dataframe().describe().",
)
@absent("download mount", "Use to_pandas_dataframe(), or a FileDataset.")
@absent(
    "to_csv_files to_parquet_files partition_by",
    "Write the rows with pyarrow or pandas in the script, and register the files.",
)
class TabularDataset(TimeColumns, AbstractDataset):
    """A table in files. Its methods return new datasets; rows are read on request."""

    kind = "tabular"

    def __getitem__(self, key: str) -> Expression:
        """The column ``key``, for ``filter``."""
        return expressions.column(key)

    def to_arrow(self) -> pyarrow.Table:
        """The rows as a ``pyarrow.Table``.

        Raises DatasetExecutionError if the files cannot be read as a table, or a file of a
        registered version has changed or is missing; DatasetValidationError for an unknown column.
        """
        try:
            return table_reader.read(self._content, self._options)
        except (FileChanged, FileMissing) as error:
            version = (
                f" It is part of version {self.version} of {self.name!r}." if self._head else ""
            )
            raise DatasetExecutionError(
                f"{error.message}{version}",
                "Register the current files as a new version.",
            ) from None

    def to_pandas_dataframe(
        self, on_error: str = "null", out_of_range_datetime: str = "null"
    ) -> pandas.DataFrame:
        """The rows as a ``pandas.DataFrame``."""
        return self._convert("pandas", self.to_arrow)

    def to_polars(self) -> polars.DataFrame:
        """The rows as a ``polars.DataFrame``."""
        return self._convert("polars", self.to_arrow)

    @staticmethod
    def _convert(
        library: str, table: Callable[[], pyarrow.Table]
    ) -> pandas.DataFrame | polars.DataFrame:
        import importlib

        try:
            module = importlib.import_module(library)
        except ImportError:
            raise missing_package(library, f"A table for {library}") from None
        return module.from_arrow(table()) if library == "polars" else frames.to_pandas(table())

    def keep_columns(self, columns: str | list[str], validate: bool = False) -> TabularDataset:
        """Keep only these columns, in this order; others are not read."""
        dataset = self._with_operation({"keep": _names(columns)})
        if validate:
            dataset.take(0).to_arrow()
        return dataset

    def drop_columns(self, columns: str | list[str]) -> TabularDataset:
        """Remove these columns."""
        return self._with_operation({"drop": _names(columns)})

    def filter(self, expression: Expression) -> TabularDataset:
        """The rows for which ``expression``, e.g. ``ds['age'] > 30``, is true.

        Files and row groups without matching rows are skipped.
        """
        if not isinstance(expression, Expression):
            raise DatasetValidationError(
                f"filter requires a condition on columns, e.g. ds['age'] > 30, not {expression!r}."
            )
        return self._with_operation({"filter": expression.value})

    def take(self, count: int) -> TabularDataset:
        """The first ``count`` rows."""
        return self._with_operation(selection.take(count))

    def skip(self, count: int) -> TabularDataset:
        """All but the first ``count`` rows."""
        return self._with_operation(selection.skip(count))

    def take_sample(self, probability: float, seed: int | None = None) -> TabularDataset:
        """Select each row with this probability; the same ``seed`` selects the same rows."""
        fraction = selection.fraction(probability, "probability")
        return self._with_operation(selection.part(0, fraction, _seed(seed)))

    def random_split(
        self, percentage: float, seed: int | None = None
    ) -> tuple[TabularDataset, TabularDataset]:
        """Two datasets that share no row; the first has about ``percentage`` (0 to 1) of them."""
        fraction, chosen_seed = selection.fraction(percentage, "percentage"), _seed(seed)
        return (
            self._with_operation(selection.part(0, fraction, chosen_seed)),
            self._with_operation(selection.part(fraction, 1, chosen_seed)),
        )

    @property
    def partition_keys(self) -> list[str]:
        """The columns that come from the files' paths (``partition_format``)."""
        text = self._options.get("partition_format")
        return list(partitions.compile_format(text).columns) if text else []

    def get_partition_key_values(
        self, partition_keys: list[str] | None = None
    ) -> list[dict[str, PathValue]]:
        """The distinct combinations of these columns' values; reads only the paths."""
        text = self._options.get("partition_format")
        if not text:
            return []
        path_format = partitions.compile_format(text)
        keys = partition_keys or list(path_format.columns)
        combinations: dict[tuple[PathValue, ...], dict[str, PathValue]] = {}
        for file in self._content.remote_files():
            values = path_format.values(file.path, file.entry.path)
            unknown = [name for name in keys if name not in values]
            if unknown:
                raise table_format.missing_column(unknown[0], list(values))
            combinations[tuple(values[name] for name in keys)] = {
                name: values[name] for name in keys
            }
        return list(combinations.values())

    def _with_operation(self, operation: Json) -> TabularDataset:
        return self._with(self._content, ops=[*self._options.get("ops", []), operation])


@absent("to_stream", "Use a FileDataset to store the files.")
class DataType:
    """Types for ``set_column_types``: ``{'price': DataType.to_float()}``."""

    def __init__(self, value: Json) -> None:
        self.value = value

    @staticmethod
    def to_bool() -> DataType:
        """True or false."""
        return DataType({"type": "bool"})

    @staticmethod
    def to_long() -> DataType:
        """64-bit integers."""
        return DataType({"type": "long"})

    @staticmethod
    def to_float(decimal_mark: str = ".") -> DataType:
        """Floating-point numbers; ``decimal_mark`` is what delimited text has for the point."""
        if decimal_mark == ".":
            return DataType({"type": "float"})
        return DataType({"type": "float", "decimal_mark": decimal_mark})

    @staticmethod
    def to_string() -> DataType:
        """Text."""
        return DataType({"type": "string"})

    @staticmethod
    def to_datetime(formats: str | list[str] | None = None) -> DataType:
        """Dates and times; ``formats`` (``%d.%m.%Y``) in addition to ISO 8601."""
        format_list = [formats] if isinstance(formats, str) else formats
        return DataType({"type": "datetime", "formats": format_list or []})


@absent("from_sql_query", "Read the database in the script, or export the table to files.")
@absent(
    "register_dask_dataframe register_spark_dataframe",
    "Write it to Parquet files and register them with Dataset.Tabular.from_parquet_files.",
)
class TabularDatasetFactory:
    """``Dataset.Tabular``: creates tabular datasets."""

    @staticmethod
    def from_delimited_files(
        path: Paths,
        validate: bool = True,
        include_path: bool = False,
        infer_column_types: bool = True,
        set_column_types: dict[str, DataType] | None = None,
        separator: str = ",",
        header: object = True,
        partition_format: str | None = None,
        support_multi_line: bool = False,
        empty_as_string: bool = False,
        encoding: str = "utf8",
    ) -> TabularDataset:
        """Delimited text such as CSV. ``path`` is as in ``Dataset.File.from_files``.

        Without a ``header`` the columns are named Column1, Column2, ... Empty fields are nulls
        unless ``empty_as_string``. ``partition_format`` adds columns from paths, ``include_path``
        adds the column Path.
        """
        options = {
            "format": "delimited",
            "separator": _separator(separator),
            "header": _header(header),
            "infer": infer_column_types,
            "multi_line": support_multi_line,
            "empty_as_string": empty_as_string,
            "encoding": _encoding(encoding),
        }
        return _create_dataset(
            path, validate, options, include_path, set_column_types, partition_format
        )

    @staticmethod
    def from_parquet_files(
        path: Paths,
        validate: bool = True,
        include_path: bool = False,
        set_column_types: dict[str, DataType] | None = None,
        partition_format: str | None = None,
    ) -> TabularDataset:
        """Parquet files; only the required columns and row groups are read."""
        options = {"format": "parquet"}
        return _create_dataset(
            path, validate, options, include_path, set_column_types, partition_format
        )

    @staticmethod
    def from_json_lines_files(
        path: Paths,
        validate: bool = True,
        include_path: bool = False,
        set_column_types: dict[str, DataType] | None = None,
        partition_format: str | None = None,
        invalid_lines: str = "error",
        encoding: str = "utf8",
    ) -> TabularDataset:
        """Files with one JSON object per line.

        Others are an error, or passed over with ``invalid_lines="drop"``.
        """
        choice = getattr(invalid_lines, "name", invalid_lines)
        if str(choice).lower() not in ("error", "drop"):
            raise DatasetValidationError(
                f"invalid_lines must be 'error' or 'drop', not {invalid_lines!r}."
            )
        options: Json = {"format": "json"}
        if str(choice).lower() == "drop":
            options["drop_invalid"] = True
        if _encoding(encoding) != "utf8":
            options["encoding"] = _encoding(encoding)
        return _create_dataset(
            path, validate, options, include_path, set_column_types, partition_format
        )

    @staticmethod
    def register_pandas_dataframe(
        dataframe: pandas.DataFrame,
        target: Paths,
        name: str,
        description: str | None = None,
        tags: dict[str, str] | None = None,
        show_progress: bool = True,
        row_group_size: int | None = None,
        make_target_path_unique: bool = True,
        **more: object,
    ) -> TabularDataset:
        """Write ``dataframe`` as Parquet to ``target``, and register it as ``name``.

        The same rows again make no new version. ``row_group_size`` and ``make_target_path_unique``
        have no effect: the path below ``target`` is that of the content.
        """
        source = sources.parse(target)[0]
        datastore = source.store_ref.datastore
        if datastore is None or datastore.workspace is None:
            raise UserErrorException("The target must be (datastore, 'path'), not an address.")
        table_format.arrow()
        file = io.BytesIO()
        frames.to_parquet(dataframe, file)
        digest = hashlib.sha256(file.getbuffer()).hexdigest()[:32]
        path = "/".join(filter(None, (source.path, digest, "data.parquet")))
        if datastore.store.stat(path) is None:
            file.seek(0)
            datastore.store.write(path, file)
        dataset = TabularDatasetFactory.from_parquet_files((datastore, path))
        return dataset.register(datastore.workspace, name, description, tags, True)


def _create_dataset(
    path: Paths,
    validate: bool,
    options: Json,
    include_path: bool,
    types: dict[str, DataType] | None,
    partition_format: str | None,
) -> TabularDataset:
    if include_path:
        options["include_path"] = True
    if types:
        options["types"] = {name: kind.value for name, kind in types.items()}
    if partition_format:
        partitions.compile_format(partition_format)
        options["partition_format"] = partition_format
    files = Content([source.replace(for_table=True) for source in sources.parse(path)])
    if validate:
        files.check()
    return TabularDataset(files, options)


def _header(header: object) -> bool:
    setting = getattr(header, "value", header)
    if isinstance(setting, bool):
        return setting
    if isinstance(setting, str):
        setting = _HEADER_NAMES.get(setting.rpartition(".")[2].upper(), setting)
    if setting not in _HEADERS:
        raise DatasetValidationError(
            f"header cannot be {header!r}.",
            f"Use True, False, or one of {', '.join(_HEADER_NAMES)}.",
        )
    has_header = _HEADERS[setting]
    if has_header is None:
        raise UserErrorException(
            "Reading files where only the first has a header is not supported.",
            "Give all files the same header, or none.",
        )
    return has_header


def _separator(separator: object) -> str:
    if not isinstance(separator, str) or len(separator) != 1 or not separator.isascii():
        raise DatasetValidationError(
            f"The separator must be one ASCII character, not {separator!r}.",
            "For longer ones, read the files with pandas in the script (sep=..., engine='python').",
        )
    if separator in '"\r\n':
        raise DatasetValidationError(
            f"Fields cannot be separated by {separator!r}.", "Use a single character, e.g. ';'."
        )
    return separator


def _encoding(encoding: object) -> str:
    name = str(getattr(encoding, "name", encoding))
    table_format.codec(name)
    return name


def _names(columns: str | list[str]) -> list[str]:
    return [columns] if isinstance(columns, str) else list(columns)


def _seed(seed: int | None) -> int:
    return random.randrange(1 << 31) if seed is None else int(seed)
