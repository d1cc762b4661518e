"""Files with one JSON object per line, whose numbers keep their digits."""

from __future__ import annotations

import io
import json
from decimal import Decimal

from scriptrun.data.errors import DatasetExecutionError
from scriptrun.data.tables import exact_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    import pyarrow as pa

    from scriptrun.runtime.hints import Json

    #: what a line of JSON may hold
    JsonValue = object
    Targets = dict[str, pa.DataType]

_UTF8 = ("utf-8", "utf8")
#: bytes that are parsed at once; a longer line is read by itself
_BLOCK_SIZE = 1 << 24
_NUMBERS = {int, float, Decimal}


def read(file: BinaryIO, name: str, targets: Targets, encoding: str = "utf-8") -> pa.Table:
    """The rows of one file; columns in ``targets`` get those types if their values allow it.

    Raises DatasetExecutionError, which names the line, for what is no JSON object.
    """
    import pyarrow as pa
    from pyarrow import json as arrow_json

    data = file.read()
    if encoding in _UTF8 and data.strip():
        fields = [(name, kind) for name, kind in targets.items() if not pa.types.is_null(kind)]
        try:
            table = arrow_json.read_json(
                io.BytesIO(data),
                arrow_json.ReadOptions(block_size=_BLOCK_SIZE),
                arrow_json.ParseOptions(pa.schema(fields)),
            )
            table.validate(full=True)
            if not any(map(exact_numbers.has_large_floats, table.columns)):
                return table
        except (pa.ArrowException, UnicodeError):
            pass  # read it again, line by line
    return _read_exactly(data, name, targets, encoding)


def _read_exactly(data: bytes, name: str, targets: Targets, encoding: str) -> pa.Table:
    import pyarrow as pa

    rows = list(_objects(data, name, encoding))
    names = list(dict.fromkeys(key for row in rows for key in row))
    return pa.table(
        {key: _column([row.get(key) for row in rows], targets.get(key)) for key in names}
    )


def _objects(data: bytes, name: str, encoding: str) -> Iterator[dict[str, JsonValue]]:
    lines = _lines(data, name, encoding)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_float=Decimal, object_pairs_hook=_object)
        except ValueError as error:
            problem = getattr(error, "msg", str(error))
        else:
            if isinstance(row, dict):
                yield row
                continue
            problem = "it is no JSON object"
        raise DatasetExecutionError(
            f"Cannot read {name!r} as JSON lines: line {number}: {problem}.",
            "Each line must be one JSON object.",
        )


def _lines(data: bytes, name: str, encoding: str) -> list[str]:
    try:
        return data.decode("utf-8-sig" if encoding in _UTF8 else encoding).split("\n")
    except UnicodeError as error:
        line = data.count(b"\n", 0, getattr(error, "start", 0)) + 1
        raise DatasetExecutionError(
            f"Cannot read {name!r} as JSON lines: line {line} is not {encoding} text.",
            "Pass its encoding, e.g. encoding='windows1252'.",
        ) from None


def _object(pairs: list[tuple[str, Json]]) -> Json:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has two fields {double!r}")
    return row


def _column(values: list[JsonValue], target: pa.DataType | None) -> pa.Array:
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds <= _NUMBERS and target != pa.string():
        return _numbers(values, target)
    if target == pa.string() or len(kinds) > 1:
        return pa.array([_text(value) for value in values], pa.string())
    if kinds == {str}:
        return _texts(values, target)
    try:
        return pa.array([_with_floats(value) for value in values])
    except (pa.ArrowException, OverflowError, _DigitsLost):
        return pa.array([_text(value) for value in values], pa.string())


def _numbers(values: list[JsonValue], target: pa.DataType | None) -> pa.Array:
    import pyarrow as pa

    literals = pa.array([None if value is None else str(value) for value in values], pa.string())
    if all(value is None for value in values):
        return literals.cast(target or pa.null())
    kinds = [pa.int64(), pa.uint64()]
    if any(isinstance(value, float | Decimal) for value in values):
        kinds = [] if any(map(_loses_digits, values)) else [pa.float64()]
    for kind in kinds:
        try:
            return literals.cast(kind)
        except pa.ArrowException:
            continue
    try:
        exact = [None if value is None else Decimal(str(value)) for value in values]
        places = max(-int(each.as_tuple().exponent) for each in exact if each is not None)
        return pa.array(exact, pa.decimal128(exact_numbers.MOST_DIGITS, max(places, 0)))
    except (pa.ArrowException, ArithmeticError, TypeError, ValueError):
        return literals


def _texts(values: list[JsonValue], target: pa.DataType | None) -> pa.Array:
    import pyarrow as pa

    texts = pa.array(values, pa.string())
    try:
        return texts.cast(pa.timestamp("s") if target is None else target)
    except pa.ArrowException:
        return texts


class _DigitsLost(Exception):
    """A number in a list or record is another one as a float."""


def _loses_digits(value: JsonValue) -> bool:
    return (
        isinstance(value, int | Decimal)
        and not -exact_numbers.FLOAT_LIMIT < value < exact_numbers.FLOAT_LIMIT
        and exact_numbers.loses_digits(str(value))
    )


def _with_floats(value: JsonValue) -> JsonValue:
    """``value`` with floats for its fractions."""
    if isinstance(value, dict):
        return {key: _with_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_floats(item) for item in value]
    if isinstance(value, Decimal):
        if _loses_digits(value):
            raise _DigitsLost
        return float(value)
    return value


def _text(value: JsonValue) -> str | None:
    """The text of a value of any kind: a text itself, else as JSON has it."""
    if value is None or isinstance(value, str):
        return value
    return _json_text(value)


def _json_text(value: JsonValue) -> str:
    """JSON, with numbers as they were written."""
    if isinstance(value, dict):
        pairs = (f"{_json_text(key)}: {_json_text(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_json_text, value))}]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
