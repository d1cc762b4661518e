"""Read a table: only the files, row groups and columns that its operations require."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterable, Iterator

from scriptrun.data.datasets.content import Content
from scriptrun.data.tables import expressions, file_errors
from scriptrun.data.tables import format as table_format
from scriptrun.data.tables.delimited import BlankFiles, DelimitedFiles, LongRow
from scriptrun.data.tables.json_files import JsonFiles
from scriptrun.data.tables.parquet_files import ParquetFiles
from scriptrun.data.tables.source_files import SourceFiles
from scriptrun.data.tables.text_columns import UnfitValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyarrow as pa

    from scriptrun.runtime.hints import Json

#: what reads a format other than delimited text
_READERS: dict[str, type[DelimitedFiles | JsonFiles | ParquetFiles]] = {
    "json": JsonFiles,
    "parquet": ParquetFiles,
}
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
        except BlankFiles as error:
            table, options = None, {**options, "passed_over": error.names}
        except (pa.ArrowException, UnicodeError) as error:
            raise file_errors.unreadable_error(error) from None


class TableFiles:
    """The files as one table. ``source`` reads the columns of the files themselves."""

    def __init__(self, files: Content, options: Json) -> None:
        self.options = options
        self._files = SourceFiles(files, options)
        self.source = _READERS.get(options["format"], DelimitedFiles)(self._files)

    def _full_schema(self) -> pa.Schema:
        return self._files.with_path_columns(self.source.schema)

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
        is_stored = self.source.filters_rows and names.isdisjoint(self._files.given)
        return is_stored or names <= set(self._files.path_schema.names)


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
