"""Tables as files, for a job that reads them with its own libraries."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scriptrun.data.tables import exact_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    import pyarrow as pa

    from scriptrun.runtime.hints import Json

#: rows per batch when writing text
_BATCH_ROWS = 65_536


def write(table: pa.Table, file_format: str) -> Json:
    """Write a ``pyarrow.Table`` to a new temporary file, as ``parquet`` or ``csv``.

    Returns ``path`` and ``columns``, a name and a kind for each. The reader removes the file.
    ``runtime.injob.tables`` reads the CSV.
    """
    import tempfile

    descriptor, path = tempfile.mkstemp(prefix="scriptrun-table-", suffix=f".{file_format}")
    os.close(descriptor)
    try:
        if file_format == "parquet":
            from pyarrow import parquet

            parquet.write_table(with_pandas_types(table), path)
            kinds = [""] * table.num_columns
        else:
            kinds = [_csv_kind(column) for column in table.columns]
            _write_csv(table, kinds, Path(path))
    except BaseException:
        os.unlink(path)
        raise
    return {
        "path": path,
        "columns": [list(pair) for pair in zip(table.column_names, kinds, strict=True)],
    }


def with_pandas_types(table: pa.Table) -> pa.Table:
    """``table`` with a note for pandas, which reads integers with nulls as float64.

    Columns of which that would change a number are read as ``Int64`` or ``UInt64``.
    """
    kinds = {"int64": "Int64", "uint64": "UInt64"}
    columns = [
        {
            "name": name,
            "field_name": name,
            "pandas_type": str(column.type),
            "numpy_type": kinds[str(column.type)],
            "metadata": None,
        }
        for name, column in zip(table.column_names, table.columns, strict=True)
        if exact_numbers.has_unexact_floats(column)
    ]
    if not columns:
        return table
    note = {
        "index_columns": [],
        "column_indexes": [],
        "columns": columns,
        "pandas_version": "1.0.0",
    }
    metadata = {**(table.schema.metadata or {}), b"pandas": json.dumps(note).encode()}
    return table.replace_schema_metadata(metadata)


class Frame:
    """A job's data frame, read from the file that the job wrote; removes the file."""

    def __init__(self, path: str) -> None:
        from pyarrow import csv, parquet

        read = parquet.read_table if path.endswith(".parquet") else csv.read_csv
        try:
            self._table = read(path)
        finally:
            os.unlink(path)

    def to_parquet(self, file: str | os.PathLike[str] | BinaryIO, **kwargs: object) -> None:
        """Write the rows to ``file``, as pandas does without an index."""
        from pyarrow import parquet

        parquet.write_table(self._table, file)


def _csv_kind(column: pa.ChunkedArray) -> str:
    """The kind of the column in the CSV."""
    from pyarrow import types

    if types.is_integer(column.type):
        if column.null_count:
            return "json" if exact_numbers.has_unexact_floats(column) else "float"
        return "uint" if types.is_uint64(column.type) else "int"
    if types.is_boolean(column.type):
        return "json" if column.null_count else "bool"
    if types.is_floating(column.type):
        return "float"
    if types.is_timestamp(column.type):
        return "time"
    return "text" if types.is_string(column.type) or types.is_large_string(column.type) else "json"


def _write_csv(table: pa.Table, kinds: list[str], path: Path) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        for batch in table.to_batches(_BATCH_ROWS):
            columns = map(_column_texts, kinds, batch.columns)
            out.writerows(zip(*columns, strict=True))


def _column_texts(kind: str, values: pa.Array) -> list[str]:
    text = _TEXTS.get(kind, str)
    return [r"\N" if value is None else text(value) for value in values.to_pylist()]


def _text(value: str) -> str:
    return f"\\{value}" if value.startswith("\\") else value


def _json(value: object) -> str:
    return json.dumps(value, default=str)


def _float(value: float) -> str:
    return repr(float(value))


_TEXTS: dict[str, Callable[[Any], str]] = {"text": _text, "json": _json, "float": _float}
