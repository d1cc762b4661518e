"""Read a table: only the files, row groups and columns that its operations require."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterable, Iterator

from scriptrun.data.cache.transfer import RemoteFile
from scriptrun.data.datasets.content import Content
from scriptrun.data.errors import FileChanged
from scriptrun.data.stores.protocol import is_unchanged
from scriptrun.data.tables import arrow_filesystem, expressions, file_errors, partitions
from scriptrun.data.tables import format as table_format
from scriptrun.data.tables.delimited import DelimitedFiles, LongRow
from scriptrun.data.tables.json_files import JsonFiles
from scriptrun.data.tables.parquet_files import ParquetFiles
from scriptrun.data.tables.text_columns import UnfitValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import dataset, fs

    from scriptrun.data.tables.partitions import PathValue
    from scriptrun.runtime.hints import Json

#: operations that pyarrow's scanner can apply, since they do not count rows
_PUSHED_DOWN = {"keep", "drop", "filter"}


def read(files: Content, options: Json) -> pa.Table:
    """Read ``files`` as a pyarrow.Table and apply the operations in ``options``."""
    pa = table_format.arrow()
    table: TableFiles | None = None
    while True:
        try:
            table = table or TableFiles(files, options)
            return pa.Table.from_batches(table.batches(), table.schema_after())
        except UnfitValue as error:
            assert table is not None
            table.source.widen(table.read_columns(), error)
        except LongRow as error:
            table, options = None, {**options, "block_size": error.size}
        except (pa.ArrowException, UnicodeError) as error:
            raise file_errors.unreadable_error(error) from None


class TableFiles:
    """The files as one table. ``source`` reads the columns of the files themselves."""

    def __init__(self, files: Content, options: Json) -> None:
        self.options = options
        self.files = {file.path: file for file in files.remote_files()}
        self.system, self.paths = _system(self.files)
        self.source = self._open_source()

    def _open_source(self) -> DelimitedFiles | JsonFiles | ParquetFiles:
        names = dict(zip(self.paths, self.files, strict=True))
        given = (self.options, self.system, self.paths, names)
        if self.options["format"] == "json":
            return JsonFiles(*given, self._path_values, self._path_schema())
        if self.options["format"] == "parquet":
            return ParquetFiles(*given, self._dataset)
        return DelimitedFiles(*given, self._dataset)

    def _dataset(
        self, paths: list[str], schema: pa.Schema, arrow_format: dataset.FileFormat
    ) -> dataset.FileSystemDataset:
        from pyarrow import dataset

        names = dict(zip(self.paths, self.files, strict=True))
        values = [self._path_values(names[path]) for path in paths] if self._path_columns() else []
        conditions = [_equality_condition(path_values) for path_values in values] or None
        return dataset.FileSystemDataset.from_paths(
            paths,
            schema=self._with_path_columns(schema),
            format=arrow_format,
            filesystem=self.system,
            partitions=conditions,
        )

    def _full_schema(self) -> pa.Schema:
        return self._with_path_columns(self.source.schema)

    def _path_schema(self) -> pa.Schema:
        return table_format.arrow().schema(list(self._path_columns().items()))

    def _with_path_columns(self, schema: pa.Schema) -> pa.Schema:
        for name, kind in self._path_columns().items():
            if name not in schema.names:
                schema = schema.append(table_format.arrow().field(name, kind))
        return schema

    def _path_columns(self) -> dict[str, pa.DataType]:
        """The columns from paths, and their types."""
        pa = table_format.arrow()
        columns = {"Path": pa.string()} if self.options.get("include_path") else {}
        if self.options.get("partition_format"):
            path_format = partitions.compile_format(self.options["partition_format"])
            for name, date_format in path_format.columns.items():
                columns[name] = pa.timestamp("us") if date_format else pa.string()
        return columns

    def _path_values(self, path: str) -> dict[str, PathValue]:
        values: dict[str, PathValue] = {}
        if self.options.get("include_path"):
            values["Path"] = f"/{path}"
        if self.options.get("partition_format"):
            values |= partitions.compile_format(self.options["partition_format"]).values(path)
        return values

    def schema_after(self) -> pa.Schema:
        """The schema after all operations."""
        schema = self._full_schema()
        names = _remaining_columns(list(schema.names), self.options.get("ops", []))
        return table_format.arrow().schema([schema.field(name) for name in names])

    def _split_operations(self) -> tuple[list[Json], list[Json]]:
        """The operations before the first that counts rows, and the rest."""
        ops = self.options.get("ops", [])
        early = list(
            itertools.takewhile(lambda operation: not _PUSHED_DOWN.isdisjoint(operation), ops)
        )
        return early, ops[len(early) :]

    def read_columns(self) -> list[str]:
        """The columns that the operations need."""
        early, _ = self._split_operations()
        names = list(self._full_schema().names)
        used = [sorted(expressions.column_names(op["filter"])) for op in early if "filter" in op]
        return list(dict.fromkeys([*_remaining_columns(names, early), *itertools.chain(*used)]))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows after all operations, batch by batch.

        The source applies the conditions that it can before it reads, and reads no more than it
        needs; the rest is applied here. Raises UnfitValue.
        """
        early, remaining = self._split_operations()
        names = list(self._full_schema().names)
        at_source: list[Json] = []
        later: list[Json] = []
        for number, op in enumerate(early):
            if "filter" in op:
                used = expressions.column_names(op["filter"])
                _check_columns(used, _remaining_columns(names, early[:number]))
                (at_source if self._is_for_source(used) else later).append(op)
        kept = _remaining_columns(names, early)
        columns = self.read_columns() if later else kept
        conditions = [expressions.to_arrow(op["filter"]) for op in at_source]
        condition = functools.reduce(operator.and_, conditions) if conditions else None
        readahead = {"batch_readahead": 1, "fragment_readahead": 1} if remaining else {}
        rows = self.source.batches(columns, condition, readahead)
        for op in [*later, *([{"keep": kept}] if later else []), *remaining]:
            rows = _apply(rows, op)
        return rows

    def _is_for_source(self, names: set[str]) -> bool:
        """Whether a condition on these columns is applied while files are read."""
        return self.source.filters_rows or names <= set(self._path_columns())


def _system(files: dict[str, RemoteFile]) -> tuple[fs.FileSystem, list[str]]:
    """(file system, paths there): the local file system if all files are local."""
    from pyarrow import fs

    local_folders = [folder for file in files.values() if (folder := file.store.folder)]
    if len(local_folders) < len(files):
        return arrow_filesystem.file_system(files), list(files)
    paths = []
    for folder, remote_file in zip(local_folders, files.values(), strict=True):
        entry = remote_file.store.stat(remote_file.entry.path)
        if entry is None or not is_unchanged(remote_file.store, entry, remote_file.entry.etag):
            raise FileChanged(
                f"File {remote_file.entry.path!r} in {remote_file.store.name} has changed "
                "or is missing."
            )
        paths.append(str(folder / remote_file.entry.path))
    return fs.LocalFileSystem(), paths


def _equality_condition(values: dict[str, PathValue]) -> pc.Expression:
    import pyarrow.compute as pc

    condition = None
    for name, value in values.items():
        equality = pc.field(name) == pc.scalar(value)
        condition = equality if condition is None else condition & equality
    return condition


def _remaining_columns(names: list[str], ops: list[Json]) -> list[str]:
    """The columns after ``ops``. Raises DatasetValidationError for unknown ones."""
    for op in ops:
        if "keep" in op:
            _check_columns(op["keep"], names)
            names = list(op["keep"])
        elif "drop" in op:
            _check_columns(op["drop"], names)
            names = [name for name in names if name not in op["drop"]]
    return names


def _check_columns(requested: Iterable[str], names: list[str]) -> None:
    for name in requested:
        if name not in names:
            raise table_format.missing_column(name, names)


def _apply(batches: Iterator[pa.RecordBatch], op: Json) -> Iterator[pa.RecordBatch]:
    """Apply one operation to the batches lazily."""
    if "take" in op or "skip" in op:
        return _slice(batches, op.get("skip", 0), op.get("take"))
    if "part" in op:
        low, high = op["part"]
        return _select_part(batches, low, high, op["seed"])
    if "filter" in op:
        return (
            batch.filter(expressions.to_arrow(op["filter"], _exact_columns(batch.schema)))
            for batch in batches
        )
    return (batch.select(_remaining_columns(batch.schema.names, [op])) for batch in batches)


def _exact_columns(schema: pa.Schema) -> dict[str, bool]:
    """The columns of decimals (false) and of uint64 (true)."""
    types = table_format.arrow().types
    return {
        field.name: types.is_uint64(field.type)
        for field in schema
        if types.is_uint64(field.type) or types.is_decimal(field.type)
    }


def _slice(
    batches: Iterator[pa.RecordBatch], skip: int, take: int | None
) -> Iterator[pa.RecordBatch]:
    remaining = take
    for batch in batches:
        if remaining == 0:
            return
        skipped = min(skip, batch.num_rows)
        skip -= skipped
        part = batch.slice(skipped) if remaining is None else batch.slice(skipped, remaining)
        remaining = remaining if remaining is None else remaining - part.num_rows
        yield part


def _select_part(
    batches: Iterator[pa.RecordBatch], low: float, high: float, seed: int
) -> Iterator[pa.RecordBatch]:
    """The rows whose number, hashed with ``seed`` (splitmix64), falls between two fractions."""
    import numpy as np
    import pyarrow as pa

    offset = 0
    for batch in batches:
        hashes = np.arange(offset, offset + batch.num_rows, dtype=np.uint64)
        hashes += np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
            hashes = (hashes ^ (hashes >> np.uint64(shift))) * np.uint64(factor)
        shares = hashes.astype(np.float64) / 2.0**64
        offset += batch.num_rows
        yield batch.filter(pa.array((shares >= low) & (shares < high)))
