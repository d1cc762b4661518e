"""Numbers without loss: which type holds every digit of a column."""

from __future__ import annotations

import math
from decimal import Decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyarrow as pa

#: from here on, not every whole number is a float64
FLOAT_LIMIT = 2**53
#: integers with more digits have no type of 64 bits
_INTEGER_DIGITS = 19
#: characters of an integer of 64 bits, at most
INTEGER_LENGTH = 20
#: the most digits of a decimal128
MOST_DIGITS = 38


def loses_digits(literal: str) -> bool:
    """Whether the number ``literal`` is another one as a float64, or shows fewer digits.

    What has a fraction, or an exponent, is a measurement: only its whole part must be exact.
    """
    number = float(literal)
    if math.isinf(number):
        return "inf" not in literal.lower()
    if "e" in literal.lower() or not abs(number) >= FLOAT_LIMIT:
        return False
    if len(literal.strip(" +-")) > _INTEGER_DIGITS and literal.strip(" +-").isdigit():
        return True
    exact = Decimal(literal)
    return exact not in (Decimal(number), Decimal(repr(number)))


def has_large_floats(column: pa.ChunkedArray | pa.Array) -> bool:
    """Whether a float in ``column``, or in its lists and records, may stand for a larger number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_floating(kind):
        large = pc.greater_equal(pc.abs(column), float(FLOAT_LIMIT))
        return bool(pc.any(large).as_py())
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return any(has_large_floats(chunk.flatten()) for chunk in chunks)
    if pa.types.is_struct(kind):
        return any(has_large_floats(field) for chunk in chunks for field in chunk.flatten())
    return False


def with_large_numbers_as(wide: pa.DataType, column: pa.ChunkedArray | pa.Array) -> pa.DataType:
    """The type of ``column``, of lists or records, with ``wide`` where it has large floats."""
    import pyarrow as pa

    kind = column.type
    if not has_large_floats(column):
        return kind
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if pa.types.is_floating(kind):
        return wide
    if pa.types.is_struct(kind):
        fields = zip(kind, zip(*(chunk.flatten() for chunk in chunks), strict=True), strict=True)
        return pa.struct(
            [
                (field.name, with_large_numbers_as(wide, pa.chunked_array(list(parts))))
                for field, parts in fields
            ]
        )
    items = pa.chunked_array([chunk.flatten() for chunk in chunks], kind.value_type)
    return pa.list_(with_large_numbers_as(wide, items))


def has_unexact_floats(column: pa.ChunkedArray) -> bool:
    """Whether float64, as pandas has nulls among integers, would change a number of ``column``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_integer(column.type) or not column.null_count:
        return False
    extremes = pc.min_max(column).as_py()
    if extremes["min"] is None:
        return False
    return bool(max(abs(extremes["min"]), abs(extremes["max"])) > FLOAT_LIMIT)


def has_unexact_parts(column: pa.ChunkedArray | pa.Array) -> bool:
    """Whether that is so of integers in the lists and records of ``column``."""
    import pyarrow as pa

    kind = column.type
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if pa.types.is_integer(kind):
        return has_unexact_floats(pa.chunked_array(chunks, kind))
    if pa.types.is_map(kind):
        return any(has_unexact_parts(chunk.items) for chunk in chunks)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return any(has_unexact_parts(chunk.flatten()) for chunk in chunks)
    if pa.types.is_struct(kind):
        return any(has_unexact_parts(field) for chunk in chunks for field in chunk.flatten())
    return False
