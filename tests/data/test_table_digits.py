"""No digit of a table is lost: which types its columns get."""

from __future__ import annotations

import datetime
import io
from decimal import Decimal

import pytest

from scriptrun import Dataset
from scriptrun.core.dataset import DataType
from scriptrun.data.errors import DatasetExecutionError
from scriptrun.data.tables import parquet_file
from scriptrun.runtime.injob import tables as job_tables

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

BIG = 2**53 + 1
MANY = 300_000  # rows: more than pyarrow guesses types from


@pytest.fixture
def made(local_store, fill):
    """``made(kind, *contents, **options)`` is the dataset of files with those contents."""
    kinds = {
        "csv": Dataset.Tabular.from_delimited_files,
        "jsonl": Dataset.Tabular.from_json_lines_files,
        "parquet": Dataset.Tabular.from_parquet_files,
    }

    def make(kind, *contents, **options):
        fill(local_store.store, {f"t/{n}.{kind}": each for n, each in enumerate(contents)})
        return kinds[kind]((local_store, "t"), **options)

    return make


@pytest.fixture
def column(made):
    """``column(...)``: the (type, values) of the column ``a``."""

    def read(*given, **options):
        values = made(*given, **options).to_arrow()["a"]
        return str(values.type), values.to_pylist()

    return read


def parquet(values, kind=None):
    file = io.BytesIO()
    pq.write_table(pa.table({"a": pa.array(values, kind)}), file)
    return file.getvalue()


def lines(*values):
    return "".join(f'{{"a": {value}}}\n' for value in values)


def csv(*values):
    return "\n".join(["a", *map(str, values), ""])


@pytest.mark.parametrize(
    ("values", "kind", "found"),
    [
        ((BIG, 1.5), "decimal128(38, 1)", [Decimal(BIG), Decimal("1.5")]),
        ((2**64 - 1, 1), "uint64", [2**64 - 1, 1]),
        ((2**70, 1), "decimal128(38, 0)", [Decimal(2**70), Decimal(1)]),
        ((10**50, 1), "string", [str(10**50), "1"]),
        ((5, 1.5), "double", [5.0, 1.5]),
        ((BIG, -1), "int64", [BIG, -1]),
        (("true", 1), "string", ["true", "1"]),
    ],
)
@pytest.mark.parametrize("make", [csv, lines])
def test_a_column_gets_the_type_that_keeps_its_digits(column, make, values, kind, found):
    name = "csv" if make is csv else "jsonl"
    assert column(name, make(*values)) == (kind, found)


@pytest.mark.parametrize("make", [csv, lines])
def test_a_late_fraction_rounds_no_number_before_it(column, make):
    name = "csv" if make is csv else "jsonl"
    kind, found = column(name, make(*[BIG] * MANY, 1.5))
    assert kind == "decimal128(38, 1)"
    assert found[0] == BIG and found[-1] == Decimal("1.5")
    kind, found = column(name, make(*[7] * MANY, 1.5))
    assert kind == "double" and found[-1] == 1.5


def test_codes_are_text_and_months_are_numbers(column):
    assert column("csv", csv("00501", "12345")) == ("string", ["00501", "12345"])
    assert column("csv", csv("0x1f", "7")) == ("string", ["0x1f", "7"])
    assert column("csv", csv("01", "12")) == ("int64", [1, 12])
    assert column("csv", csv("0.5", "-0.25")) == ("double", [0.5, -0.25])
    given = {"a": DataType.to_long()}
    assert column("csv", csv("00501"), set_column_types=given) == ("int64", [501])


def test_a_decimal_comma_is_read_where_it_was_said(made):
    content, given = "a;b\n1,5;2\n", {"a": DataType.to_float(decimal_mark=",")}
    table = made("csv", content, separator=";", set_column_types=given)
    assert table.to_arrow().to_pylist() == [{"a": 1.5, "b": 2}]


def test_measurements_stay_floats(column):
    values = ["1e300", "0.1000000000000000055511151231257827", "12345678901234567168.0"]
    assert column("csv", csv(*values)) == ("double", [float(value) for value in values])


def test_times_keep_their_nanoseconds(column):
    second, nano = "2020-01-01 00:00:00", "2020-01-01 00:00:00.123456789"
    kind, found = column("csv", csv(*[second] * MANY, nano))
    assert kind == "timestamp[ns]" and found[-1].nanosecond == 789
    given = {"a": DataType.to_datetime()}
    kind, found = column("csv", csv(nano), set_column_types=given)
    assert kind == "timestamp[ns]" and found[-1].nanosecond == 789
    zoned = column("csv", csv("2020-01-01T02:00:00+01:00"), set_column_types=given)
    assert zoned == ("timestamp[us]", [datetime.datetime(2020, 1, 1, 1)])


@pytest.mark.parametrize(
    ("kind", "files", "found"),
    [
        ("csv", (csv(BIG), csv(1.5)), [Decimal(BIG), Decimal("1.5")]),
        ("csv", (csv(BIG), csv("x")), [str(BIG), "x"]),
        ("csv", (csv("true"), csv(2)), ["true", "2"]),
        ("jsonl", (lines(BIG), lines(1.5)), [str(BIG), "1.5"]),
        ("jsonl", (lines('"2020-01-01"'), lines('"x"')), ["2020-01-01", "x"]),
        ("parquet", (parquet([BIG]), parquet([1.5])), [str(BIG), "1.5"]),
        ("parquet", (parquet([3]), parquet([1.5])), [3.0, 1.5]),
        ("parquet", (parquet([BIG]), parquet(["x"])), [str(BIG), "x"]),
        (
            "parquet",
            (parquet([-1]), parquet([2**64 - 1], pa.uint64())),
            [Decimal(-1), Decimal(2**64 - 1)],
        ),
    ],
)
def test_files_with_other_types_are_one_column(column, kind, files, found):
    assert column(kind, *files)[1] == found


@pytest.mark.parametrize(
    ("kind", "content"),
    [("csv", csv(1, 1.5)), ("jsonl", lines(1, 1.5)), ("parquet", parquet([1.0, 1.5]))],
)
def test_a_type_that_was_set_is_kept_or_an_error(made, kind, content):
    table = made(kind, content, set_column_types={"a": DataType.to_long()})
    with pytest.raises(DatasetExecutionError, match=r"Column 'a'.*no whole number.*set_column_ty"):
        table.to_arrow()


def test_types_that_were_set_hold_in_json_lines(column):
    content = lines("1", "1.50")
    assert column("jsonl", content, set_column_types={"a": DataType.to_string()})[1] == [
        "1",
        "1.50",
    ]
    assert column("jsonl", content, set_column_types={"a": DataType.to_float()})[1] == [1.0, 1.5]
    days = lines('"2020-01-02"')
    assert column("jsonl", days, set_column_types={"a": DataType.to_datetime()})[1] == [
        datetime.datetime(2020, 1, 2)
    ]


def test_json_values_of_several_kinds_are_text_as_written(column):
    content = lines("1", '"x"', "true", "null", '{"b": [1.50]}', f"[{BIG}, 1.5]")
    expected = ["1", "x", "true", None, '{"b": [1.50]}', f"[{BIG}, 1.5]"]
    assert column("jsonl", content) == ("string", expected)


def test_a_field_that_comes_late_is_a_column(made):
    content = lines(*[1] * MANY) + '{"a": 1, "late": "x"}\n'
    assert made("jsonl", content).to_arrow()["late"][-1].as_py() == "x"


def test_conditions_see_the_exact_numbers(made):
    table = made("csv", f"a,b\n{BIG}.0,1\n{BIG - 1}.0,2\n")
    assert table.filter(table["a"] == BIG).keep_columns("b").to_arrow().to_pylist() == [{"b": 1}]
    large = made("csv", f"a\n{2**64 - 1}\n5\n")
    assert large.filter(large["a"] > 5).to_arrow()["a"].to_pylist() == [2**64 - 1]
    assert large.filter(large["a"] == 2**64 - 1).to_arrow().num_rows == 1
    mixed = made("csv", f"a\n{BIG}\n1.5\n")
    assert mixed.filter(mixed["a"] > 2).to_arrow()["a"].to_pylist() == [BIG]
    assert mixed.filter(mixed["a"].isin([BIG])).to_arrow().num_rows == 1
    texts = made("csv", "a\nx\n")
    with pytest.raises(DatasetExecutionError, match="compares string values"):
        texts.filter(texts["a"] > 1).to_arrow()


def test_integers_with_nulls_keep_their_digits_in_pandas(made):
    pytest.importorskip("pandas")
    frame = made("csv", f"a,b\n{BIG},1\n,\n").to_pandas_dataframe()
    assert frame["a"][0] == BIG and frame["a"].isna()[1]
    assert str(frame["b"].dtype) == "float64"  # as v1 has it: nothing is lost


def test_so_they_do_in_a_job():
    pandas = pytest.importorskip("pandas")
    table = pa.table({"a": [BIG, None], "u": pa.array([2**64 - 1, 1], pa.uint64())})

    def ask(form):
        return parquet_file.write(table, form)

    for frame in (job_tables.to_pandas(ask), job_tables._read_csv(ask, pandas)):
        assert frame["a"][0] == BIG and frame["a"].isna()[1]
        assert frame["u"].tolist() == [2**64 - 1, 1]
