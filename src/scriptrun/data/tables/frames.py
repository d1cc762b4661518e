"""Tables as pandas data frames, and data frames as Parquet."""

from __future__ import annotations

from scriptrun.data.errors import DatasetValidationError
from scriptrun.data.tables import exact_numbers
from scriptrun.data.tables.parquet_file import Frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    import pandas
    import pyarrow as pa


def to_pandas(table: pa.Table) -> pandas.DataFrame:
    """The rows as a data frame.

    Integers with nulls become float64, as in v1; where that would change one, they stay integers
    (``Int64``, ``UInt64``), and lists and records are Python's own.
    """
    import pandas
    import pyarrow as pa

    frame = table.to_pandas()
    nullable = {pa.int64(): pandas.Int64Dtype(), pa.uint64(): pandas.UInt64Dtype()}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if exact_numbers.has_unexact_floats(column):
            frame[name] = column.to_pandas(types_mapper=nullable.get)
        elif pa.types.is_nested(column.type) and exact_numbers.has_unexact_parts(column):
            frame[name] = pandas.Series(column.to_pylist(), dtype=object)
    return frame


def to_parquet(frame: pandas.DataFrame | Frame, file: BinaryIO) -> None:
    """Write the rows without the index. Raises DatasetValidationError, which names the column."""
    import pyarrow as pa

    if isinstance(frame, Frame):
        frame.to_parquet(file)
        return
    if not hasattr(frame, "to_parquet"):
        raise DatasetValidationError(
            f"register_pandas_dataframe requires a pandas DataFrame, not {type(frame).__name__}."
        )
    names = [name if isinstance(name, str) else str(name) for name in frame.columns]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise DatasetValidationError(
            f"Two columns of the data frame are called {double!r}.",
            "Give each column its own name: dataframe.columns = [...].",
        )
    renamed = frame.set_axis(names, axis="columns")
    renamed.attrs = {}  # they may be anything, and are not part of the rows
    for name, kind in renamed.dtypes.items():
        if str(kind).startswith("Sparse"):
            renamed[name] = renamed[name].sparse.to_dense()
    try:
        renamed.to_parquet(file, engine="pyarrow", index=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise _column_error(renamed, error) from None


def _column_error(frame: pandas.DataFrame, error: Exception) -> DatasetValidationError:
    import pyarrow as pa

    for name in frame.columns:
        try:
            pa.Array.from_pandas(frame[name])
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            kinds = sorted({type(value).__name__ for value in frame[name].dropna()})
            return DatasetValidationError(
                f"Column {name!r} cannot be stored: it holds values of the type"
                f"{'s' if len(kinds) > 1 else ''} {', '.join(kinds)}.",
                f"Make them one type, e.g. dataframe[{name!r}] = dataframe[{name!r}].astype(str).",
            )
    return DatasetValidationError(f"The data frame cannot be stored as Parquet: {error}")
