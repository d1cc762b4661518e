"""JSON lines are read at once, and the same as line by line: every digit, zone and column."""

from __future__ import annotations

import io
import random
from decimal import Decimal

import pytest

from scriptrun import Dataset
from scriptrun.data.errors import DatasetExecutionError
from scriptrun.data.tables import json_lines, json_objects

pytest.importorskip("pyarrow")

BIG = 2**53 + 1
NUMBERS = [
    *("1", "-0", "1.5", "-2.50", f"{BIG}", f"{BIG}.5", "18446744073709551615", "1e5", "1e400"),
    *("18446744073709551616", "-9223372036854775809", "9223372036854775808", "1" * 39, "NaN"),
    *("12345678901234567168.0", "1e300", "0.1000000000000000055511151231257827"),
]
OTHERS = [
    *("true", "null", '"x"', '"1"', '"2020-01-01"', '"2020-01-01T10:00:00+02:00"', '""', "{}"),
    *('"2020-01-01 10:00:00.5"', '{"b": 1}', "[1, 2]", f"[{BIG}, 1.5]", f'{{"a": {BIG}.5}}'),
    *(r'"\"a\": 5"', r'"\\"', '[1, "x"]', "[null]"),
]


def same(one, other):
    """Whether two tables are the same; not a number equals itself."""
    return one.schema == other.schema and str(one.to_pylist()) == str(other.to_pylist())


@pytest.mark.parametrize("seed", range(20))
def test_what_is_read_at_once_is_what_its_lines_say(seed):
    chance, at_once = random.Random(seed), 0
    for _ in range(60):
        names = ["a", "b", "c d", 'é\\"q', "x/y"][: chance.randint(1, 5)]
        pool = NUMBERS if chance.random() < 0.5 else NUMBERS + OTHERS
        values = {name: chance.sample(pool, chance.randint(1, 3)) for name in names}
        rows = [
            ", ".join(f'"{name}" : {chance.choice(values[name])}' for name in names)
            for _ in range(chance.randint(1, 6))
        ]
        data = "".join(f"{{{row}}}\n" for row in rows).encode()
        lines = json_objects.read(data, "x", (), "utf-8")
        assert same(json_lines.read(io.BytesIO(data), "x", ()), lines), data
        at_once += json_lines._QuotingReader(data, ()).read() is not None
    assert at_once > 20


def read(text, texts=(), **options):
    return json_lines.read(io.BytesIO(text.encode()), "x", texts, **options)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((2**63, 1), "struct<id: uint64>"),
        ((2**70, -1), "struct<id: decimal128(38, 0)>"),
        ((1e300, 1), "struct<id: double>"),
        ((BIG, 1.5), "string"),
    ],
)
def test_numbers_in_records_keep_their_digits(values, kind):
    table = read("".join(f'{{"u": {{"id": {value}}}}}\n' for value in values))
    assert str(table["u"].type) == kind
    found = table["u"].to_pylist()
    assert [str(value) in str(each) for value, each in zip(values, found, strict=True)]
    lists = read(f'{{"l": [{2**63}]}}\n{{"l": [1, null]}}\n')
    assert lists["l"].to_pylist() == [[2**63], [1, None]]


def test_columns_keep_their_order():
    text = '{"z": 1, "b": 2}\n{"y": 1, "a": true, "z": "x"}\n'
    assert read(text).column_names == ["z", "b", "y", "a"]
    assert read(text, ["a", "none"]).column_names == ["z", "b", "y", "a"]


def test_a_field_of_a_record_is_not_taken_for_a_column():
    table = read('{"a": 1, "r": {"a": 2}}\n{"a": "x", "r": {"a": 3}}\n')
    assert table.to_pylist() == [{"a": "1", "r": {"a": 2}}, {"a": "x", "r": {"a": 3}}]


def test_a_line_longer_than_a_block(monkeypatch):
    monkeypatch.setattr(json_lines, "_BLOCK_SIZE", 64)
    data = f'{{"a": "{"x" * 1000}", "n": {2**64 - 1}}}\n'.encode() * 3
    assert json_lines._QuotingReader(data, ()).read()["n"].to_pylist() == [2**64 - 1] * 3


def test_times_have_their_zone_and_their_fractions():
    zoned = read('{"a": "2020-01-01T10:00:00+02:00"}\n')["a"]
    assert str(zoned.type) == "timestamp[s, tz=UTC]" and zoned[0].as_py().hour == 8
    exact = read('{"a": "2020-01-01 10:00:00"}\n{"a": "2020-01-01 10:00:00.123456789"}\n')["a"]
    assert str(exact.type) == "timestamp[ns]" and exact[1].as_py().nanosecond == 789
    mixed = read('{"a": "2020-01-01T10:00:00Z"}\n{"a": "2020-01-01T10:00:00"}\n')["a"]
    assert mixed.to_pylist() == ["2020-01-01T10:00:00Z", "2020-01-01T10:00:00"]


def test_invalid_lines_are_errors_or_passed_over(local_store, fill):
    content = '{"a": 1}\nnonsense\n{"a": ' + str(2**64) + "}\n[1]\n{}\n"
    fill(local_store.store, {"x.jsonl": content})
    table = Dataset.Tabular.from_json_lines_files((local_store, "x.jsonl"))
    with pytest.raises(DatasetExecutionError, match="line 2"):
        table.to_arrow()
    table = Dataset.Tabular.from_json_lines_files((local_store, "x.jsonl"), invalid_lines="drop")
    assert table.to_arrow()["a"].to_pylist() == [Decimal(1), Decimal(2**64), None]
