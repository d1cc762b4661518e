"""Columns with a type (Parquet, JSON), converted to another type."""

from __future__ import annotations

from scriptrun.data.tables.text_columns import Conversion, UnfitValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyarrow as pa

    from scriptrun.runtime.hints import Json


def typed(
    column: pa.ChunkedArray, name: str, kind: pa.DataType, given: Json | None = None
) -> pa.ChunkedArray:
    """``column`` as ``kind``; ``given`` is the type as the user set it, which may round floats.

    Raises UnfitValue for a value that is not of that type.
    """
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.type == kind:
        return column
    if given is not None and (types.is_string(column.type) or types.is_large_string(column.type)):
        formats, mark = given.get("formats") or (), given.get("decimal_mark", ".")
        texts = column.cast(pa.string()).combine_chunks()
        return pa.chunked_array([Conversion(kind, True, formats, mark).apply(name, texts)])
    try:
        return column.cast(kind, safe=given is None or not types.is_floating(kind))
    except pa.ArrowException:
        raise UnfitValue(name, _first_unfit(column, kind), kind) from None


def _first_unfit(column: pa.ChunkedArray, kind: pa.DataType) -> str:
    """The first value of ``column`` that is none of the type ``kind``."""
    import pyarrow as pa

    for value in column:
        try:
            value.cast(kind)
        except pa.ArrowException:
            return str(value.as_py())
    return f"(of the type {column.type})"
