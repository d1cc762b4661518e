"""The parts that find a column's type and read JSON lines."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest

from scriptrun.data.tables import (
    delimited,
    exact_numbers,
    frames,
    json_files,
    json_lines,
    parquet_files,
    text_columns,
)

pa = pytest.importorskip("pyarrow")


@pytest.mark.parametrize(
    ("literal", "is_lost"),
    [
        ("9007199254740992", False),
        ("9007199254740993", True),
        ("-9007199254740993", True),
        ("9007199254740993.5", True),
        ("12345678901234567168.0", False),
        ("1e300", False),
        ("0.12345678901234567890", False),
        ("inf", False),
        ("nan", False),
        (str(2**70), True),
        ("1" * 400, True),
        ("1e400", True),
    ],
)
def test_which_numbers_a_float_does_not_hold(literal, is_lost):
    assert exact_numbers.loses_digits(literal) is is_lost


def test_large_floats_are_found_in_lists_and_records():
    assert exact_numbers.has_large_floats(pa.chunked_array([pa.array([{"a": [1.0, 1e17]}])]))
    assert not exact_numbers.has_large_floats(pa.chunked_array([pa.array([{"a": [1.5]}])]))
    assert not exact_numbers.has_large_floats(pa.chunked_array([pa.array([float("nan"), None])]))


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ([["1"], ["2"]], "int64"),
        ([["1"], [str(2**64 - 1)]], "uint64"),
        ([[" 1 "], ["+2.5"]], "double"),
        ([["true"], ["False"]], "bool"),
        ([["2020-01-01 00:00:00"], ["2020-01-01 00:00:00.5"]], "timestamp[us]"),
        ([["12:30:00"]], "time32[s]"),
        ([["9007199254740993"], ["0.25"]], "decimal128(38, 2)"),
        ([["1"], ["x"]], "string"),
        ([[None]], "null"),
    ],
)
def test_a_profile_finds_the_narrowest_type(texts, kind):
    batches = [pa.record_batch([pa.array(batch, pa.string())], ["a"]) for batch in texts]
    found = text_columns.profile(lambda names: batches, ["a"])
    assert str(found["a"]) == kind


def test_the_text_that_does_not_fit_is_named():
    conversion = text_columns.Conversion(pa.int64())
    with pytest.raises(text_columns.UnfitValue) as caught:
        conversion.apply("a", pa.array(["1", None, "x", "y"]))
    assert (caught.value.column, caught.value.value) == ("a", "x")


def test_json_lines_keep_what_they_say():
    content = b'{"a": 9007199254740993}\n\n{"a": 0.5, "b": {"c": [1]}}\n'
    table = json_lines.read(io.BytesIO(content), "x", {})
    assert table["a"].to_pylist() == [Decimal(2**53 + 1), Decimal("0.5")]
    assert table["b"].to_pylist() == [None, {"c": [1]}]
    texts = json_lines.read(io.BytesIO(content), "x", {"a": pa.string()})
    assert texts["a"].to_pylist() == [str(2**53 + 1), "0.5"]


def test_only_parquet_applies_conditions_while_it_reads():
    assert parquet_files.ParquetFiles.filters_rows
    assert not delimited.DelimitedFiles.filters_rows and not json_files.JsonFiles.filters_rows


def test_a_frame_without_large_numbers_is_as_pandas_has_it():
    pytest.importorskip("pandas")
    table = pa.table({"a": pa.array([1, None])})
    assert str(frames.to_pandas(table)["a"].dtype) == "float64"
