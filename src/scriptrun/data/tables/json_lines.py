"""Files with one JSON object per line, whose numbers keep their digits.

pyarrow reads them. Where it would round a column, or finds numbers and texts in one, the column's
numbers are put into quotes first, and become what keeps their digits afterwards.
"""

from __future__ import annotations

import contextlib
import io
import json
import re

from scriptrun.data.tables import exact_numbers, json_objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    import pyarrow as pa

#: bytes that are parsed at once
_BLOCK_SIZE = 1 << 24
#: what pyarrow says of a column with numbers and texts, or what it cannot hold
_MIXED = re.compile(r"Column\(/(.*)\) changed from (?:number|string|boolean) to [nsb]")
_LONG_LINE = re.compile("straddl", re.IGNORECASE)
#: what a number that loses digits as a float looks like
_MANY_DIGITS = re.compile(rb"[:,\[\s]-?[0-9]{16}")


def read(
    file: BinaryIO,
    name: str,
    texts: Iterable[str],
    encoding: str = "utf-8",
    drop_invalid: bool = False,
) -> pa.Table:
    """The rows of one file; the columns ``texts`` are text.

    Raises DatasetExecutionError, which names the line, for a line that is not a JSON object, unless
    ``drop_invalid``.
    """
    data = file.read()
    if encoding in json_objects.UTF8 and data and not data.isspace():
        table = _QuotingReader(data, texts).read()
        if table is not None:
            return table
    return json_objects.read(data, name, texts, encoding, drop_invalid)


class _QuotingReader:
    """Reads ``data`` until no column loses a digit."""

    def __init__(self, data: bytes, texts: Iterable[str]) -> None:
        self._data, self._texts = data, set(texts)
        self._quoted: set[str] = set()
        self._block_size = _BLOCK_SIZE

    def read(self) -> pa.Table | None:
        """The table; None if the file must be read line by line."""
        import pyarrow as pa

        while True:
            try:
                table = self._parse_texts(self._texts | self._quoted)
                return None if self._has_quoted_parts(table) else self._exact(table)
            except (pa.ArrowException, UnicodeError) as error:
                if not self._prepare_for(str(error)):
                    return None

    def _parse_texts(self, names: set[str], others: str = "infer") -> pa.Table:
        import pyarrow as pa

        return self._parse(dict.fromkeys(sorted(names), pa.string()), others)

    def _parse(self, fields: dict[str, pa.DataType], others: str) -> pa.Table:
        import pyarrow as pa
        from pyarrow import json as arrow_json

        schema = pa.schema(list(fields.items()))
        parsing = arrow_json.ParseOptions(schema, unexpected_field_behavior=others)
        reading = arrow_json.ReadOptions(block_size=self._block_size)
        table = arrow_json.read_json(io.BytesIO(self._data), reading, parsing)
        table.validate(full=True)
        names = [name for name in fields if self._has(name, table)]
        found = dict.fromkeys([*names, *table.column_names[len(fields) :]])
        first = [name for name in _first_names(self._data) if name in found]
        rest = [name for name in found if name not in first]
        if names:
            rest.sort(key=lambda name: self._data.find(_key(name)))
        return table.select([*first, *rest])

    def _has(self, name: str, table: pa.Table) -> bool:
        return table[name].null_count < len(table) or _key(name) in self._data

    def _exact(self, table: pa.Table) -> pa.Table | None:
        """``table`` with all digits and zones; None if its lines must be read one by one."""
        import pyarrow as pa

        large = {name for name in table.column_names if exact_numbers.has_large_floats(table[name])}
        if not large or not _MANY_DIGITS.search(self._data):
            large = set()
        parts = self._exact_parts(table, large)
        if parts is None:
            return None
        large -= set(parts)
        if not all(map(self._quote, large)):
            return None
        times = {field.name for field in table.schema if pa.types.is_timestamp(field.type)}
        texts = self._parse_texts(large | times, "ignore") if large | times else table
        for number, name in enumerate(table.column_names):
            if name in parts:
                values = parts[name]
            elif name in large:
                values = json_objects.numbers(texts[name].combine_chunks())
            elif name in times:
                values = json_objects.times(texts[name].combine_chunks())
            elif self._may_be_times(table[name], name):
                values = json_objects.times(table[name].combine_chunks())
            else:
                continue
            table = table.set_column(number, name, values)
        return table

    def _exact_parts(self, table: pa.Table, large: set[str]) -> dict[str, pa.ChunkedArray] | None:
        """The columns of ``large`` that are lists or records; None if their lines do not fit."""
        import pyarrow as pa

        names = {name for name in large if not pa.types.is_floating(table[name].type)}
        found: dict[str, pa.ChunkedArray] = {}
        for wide in (pa.uint64(), pa.decimal128(exact_numbers.MOST_DIGITS, 0)):
            for name in names - set(found):
                kind = exact_numbers.with_large_numbers_as(wide, table[name])
                with contextlib.suppress(pa.ArrowException):
                    found[name] = self._parse({name: kind}, "ignore")[name]
        missing = names - set(found)
        if missing:
            lines = json_objects.read(self._data, "", (), "utf-8", only=missing)
            if len(lines) != len(table):
                return None
            found.update((name, lines[name]) for name in missing)
        return found

    def _may_be_times(self, column: pa.ChunkedArray, name: str) -> bool:
        import pyarrow as pa

        is_open = name not in self._texts and name not in self._quoted
        return is_open and pa.types.is_string(column.type) and json_objects.begins_with_time(column)

    def _prepare_for(self, message: str) -> bool:
        """Whether something has changed that may avoid the error."""
        if _LONG_LINE.search(message) and self._block_size < len(self._data):
            self._block_size = len(self._data)
            return True
        mixed = _MIXED.search(message)
        return bool(mixed and self._quote(mixed.group(1)))

    def _quote(self, name: str) -> bool:
        """Put a column's numbers and truth values into quotes; False if that has been done."""
        if name in self._quoted:
            return False
        self._quoted.add(name)
        key = re.escape(_key(name))
        pairs = rb"(%s(?<!\\%s)\s*:\s*)(-?[0-9][0-9.eE+-]*|true|false)" % (key, key)
        parts = re.split(pairs, self._data)
        parts[1::3] = [key + b'"' for key in parts[1::3]]
        parts[2::3] = [value + b'"' for value in parts[2::3]]
        self._data = b"".join(parts)
        return True

    def _has_quoted_parts(self, table: pa.Table) -> bool:
        """Whether records in the table have fields whose values were put into quotes too."""
        import pyarrow as pa

        kinds = list(table.schema.types)
        while kinds:
            kind = kinds.pop()
            for number in range(kind.num_fields):
                kinds.append(kind.field(number).type)
                if pa.types.is_struct(kind) and kind.field(number).name in self._quoted:
                    return True
        return False


def _key(name: str) -> bytes:
    """``name`` as the key of an object."""
    return json.dumps(name, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _first_names(data: bytes) -> list[str]:
    """The names in the first line, in their order."""
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:_BLOCK_SIZE]
    try:
        return list(json.loads(start.split(b"\n", 1)[0]))
    except (ValueError, TypeError, RecursionError):
        return []
