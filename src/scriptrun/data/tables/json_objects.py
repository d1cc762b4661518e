"""JSON lines, one by one: slower than ``json_lines``, for whatever a file may hold."""

from __future__ import annotations

import itertools
import json

from scriptrun.data.errors import DatasetExecutionError
from scriptrun.data.tables import exact_numbers, text_columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

    from scriptrun.runtime.hints import Json

    #: what a line of JSON may hold
    JsonValue = object

#: how Python calls it
UTF8 = ("utf-8", "utf8")


class Literal(str):
    """A number as it is written."""


def read(
    data: bytes,
    name: str,
    texts: Iterable[str],
    encoding: str,
    drop_invalid: bool = False,
    only: Iterable[str] | None = None,
) -> pa.Table:
    """The rows of one file; the columns ``texts`` are text, and ``only`` selects columns.

    Raises DatasetExecutionError, which names the line, for a line that is not a JSON object, unless
    ``drop_invalid``.
    """
    import pyarrow as pa

    rows = list(_objects(data, name, encoding, drop_invalid))
    names = dict.fromkeys(itertools.chain.from_iterable(rows)) if only is None else only
    return pa.table({key: _column([row.get(key) for row in rows], key in texts) for key in names})


def _objects(
    data: bytes, name: str, encoding: str, drop_invalid: bool
) -> Iterator[dict[str, JsonValue]]:
    decoder = json.JSONDecoder(
        parse_float=Literal,
        parse_int=Literal,
        parse_constant=Literal,
        object_pairs_hook=_object,
    )
    for number, line in enumerate(_lines(data, name, encoding), 1):
        if not line.strip():
            continue
        try:
            row = decoder.decode(line)
        except (ValueError, RecursionError) as error:
            problem = getattr(error, "msg", str(error))
        else:
            if isinstance(row, dict):
                yield row
                continue
            problem = "it is not a JSON object"
        if not drop_invalid:
            raise DatasetExecutionError(
                f"Cannot read {name!r} as JSON lines: line {number}: {problem}.",
                "Each line must be one JSON object. invalid_lines='drop' passes over others.",
            )


def _lines(data: bytes, name: str, encoding: str) -> list[str]:
    try:
        return data.decode("utf-8-sig" if encoding in UTF8 else encoding).split("\n")
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


def _column(values: list[JsonValue], is_text: bool) -> pa.Array:
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if is_text or len(kinds) > 1:
        return pa.array([_text(value) for value in values], pa.string())
    if kinds == {Literal}:
        return numbers(pa.array(values, pa.string()))
    if kinds == {str}:
        texts = pa.array(values, pa.string())
        return times(texts) if begins_with_time(pa.chunked_array([texts])) else texts
    try:
        return pa.array([_with_numbers(value) for value in values])
    except (pa.ArrowException, OverflowError, _DigitsLost):
        return pa.array([_text(value) for value in values], pa.string())


def numbers(literals: pa.Array) -> pa.Array:
    """The numbers that are written so, in the type that keeps their digits; text if none does."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_whole = not pc.any(pc.match_substring_regex(literals, "[.eENI]")).as_py()
    for kind in (pa.int64(), pa.uint64()) if is_whole else (pa.float64(),):
        values = text_columns.converted(literals, kind, may_be_codes=False)
        if values is not None:
            return values
    digits = text_columns.DecimalProfile()
    digits.add(literals)
    return literals.cast(digits.kind)


def times(texts: pa.Array) -> pa.Array:
    """The texts as times; unchanged if one is not a time, or only some have a time zone."""
    import pyarrow as pa

    for zone in (None, "UTC"):
        for unit in ("s", "us", "ns"):
            values = text_columns.converted(texts, pa.timestamp(unit, zone))
            if values is not None:
                return values
    return texts


def begins_with_time(texts: pa.ChunkedArray) -> bool:
    """Whether the first of ``texts`` is a time."""
    chunk = next((each for each in texts.chunks if each.null_count < len(each)), None)
    if chunk is None:
        return False
    first = chunk.drop_null().slice(0, 1)
    return times(first) is not first


class _DigitsLost(Exception):
    """A number in a list or record is another one as a float."""


def _with_numbers(value: JsonValue) -> JsonValue:
    """``value`` with numbers for their literals."""
    if isinstance(value, dict):
        return {key: _with_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_numbers(item) for item in value]
    if not isinstance(value, Literal):
        return value
    if value.removeprefix("-").isdigit() and len(value) <= exact_numbers.INTEGER_LENGTH:
        return int(value)
    if exact_numbers.loses_digits(value):
        raise _DigitsLost
    return float(value)


def _text(value: JsonValue) -> str | None:
    """The text of a value of any kind: a text itself, else as JSON has it."""
    return value if value is None or isinstance(value, str) else _json_text(value)


def _json_text(value: JsonValue) -> str:
    """JSON, with numbers as they were written."""
    if isinstance(value, dict):
        pairs = (f"{_json_text(key)}: {_json_text(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_json_text, value))}]"
    return value if isinstance(value, Literal) else json.dumps(value, ensure_ascii=False)
