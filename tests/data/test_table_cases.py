"""Tables as people have them: what their bug reports about other readers are of."""

from __future__ import annotations

import bz2
import datetime
import gzip
import io
import json
import lzma
import zipfile
from decimal import Decimal

import pytest

from scriptrun import Dataset
from scriptrun.core.dataset import DataType
from scriptrun.data.errors import DatasetExecutionError, DatasetValidationError
from scriptrun.data.tables import exact_numbers, source_files, typed_columns
from scriptrun.data.tables.text_columns import UnfitValue

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

BIG = 2**53 + 1
NOON = datetime.datetime(2020, 1, 1, 12)


@pytest.fixture
def column(local_store, fill):
    """``column(kind, *contents, **options)``: the (type, values) of the column ``a``."""
    kinds = {
        "csv": Dataset.Tabular.from_delimited_files,
        "jsonl": Dataset.Tabular.from_json_lines_files,
        "parquet": Dataset.Tabular.from_parquet_files,
    }

    def read(kind, *contents, **options):
        fill(local_store.store, {f"t/{n}.{kind}": each for n, each in enumerate(contents)})
        values = kinds[kind]((local_store, "t"), **options).to_arrow()["a"]
        return str(values.type), values.to_pylist()

    return read


def csv(*values):
    return "a,b\n" + "".join(f"{value},1\n" for value in values)


def parquet(values, kind=None):
    file = io.BytesIO()
    pq.write_table(pa.table({"a": pa.array(values, kind)}), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("values", "kind", "found"),
    [
        (("-1", str(2**63)), "decimal128(38, 0)", [Decimal(-1), Decimal(2**63)]),
        (("+5", "3"), "int64", [5, 3]),
        (("+5", "1.5"), "double", [5.0, 1.5]),
        (("5.0", "3"), "double", [5.0, 3.0]),
        (("1e400", "1"), "string", ["1e400", "1"]),
        (("1_000", "1"), "string", ["1_000", "1"]),
        (('"1,000"', "1"), "string", ["1,000", "1"]),
        (("T", "F"), "string", ["T", "F"]),
        (("NA", "DE", "null", "nan", ""), "string", ["NA", "DE", "null", "nan", None]),
        (("NA", "NA"), "string", ["NA", "NA"]),
        (("NA", "1", "null"), "int64", [None, 1, None]),
        (("NaN", "1.5", "#N/A"), "double", [None, 1.5, None]),
        (("NaN", "2020-01-01 12:00:00"), "timestamp[s]", [None, NOON]),
        (("n/a", "true"), "bool", [None, True]),
        (("1500-01-01 00:00:00",), "timestamp[s]", [datetime.datetime(1500, 1, 1)]),
        (("0001-01-01 00:00:00.123456789",), "string", ["0001-01-01 00:00:00.123456789"]),
    ],
)
def test_values_of_delimited_text(column, values, kind, found):
    assert column("csv", csv(*values)) == (kind, found)


def test_a_fraction_after_signed_whole_numbers(column):
    kind, found = column("csv", csv(*["+5"] * 300_000, "1.5"))
    assert kind == "double" and found[0] == 5.0 and found[-1] == 1.5


def test_nulls_are_text_only_where_the_user_says_so(column):
    given = {"set_column_types": {"a": DataType.to_string()}}
    assert column("csv", csv("NA", "007"), **given) == ("string", ["NA", "007"])
    assert column("csv", csv("NA", ""), empty_as_string=True) == ("string", ["NA", ""])
    assert column("csv", csv("NA", "5"), infer_column_types=False) == ("string", ["NA", "5"])
    given = {"set_column_types": {"a": DataType.to_float()}}
    assert column("csv", csv("NA", "NaN", "5"), **given) == ("double", [None, None, 5.0])


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_given_times_with_and_without_zones(column, kind):
    texts = ["2020-01-01T12:00:00", "2020-01-01T13:00:00+01:00", "2020-01-01 12:00", "01.01.2020"]
    content = {
        "csv": csv(*texts),
        "jsonl": "".join(f'{{"a": "{text}"}}\n' for text in texts),
        "parquet": parquet(texts),
    }[kind]
    given = {"a": DataType.to_datetime("%d.%m.%Y")}
    expected = [NOON, NOON, NOON, datetime.datetime(2020, 1, 1)]
    assert column(kind, content, set_column_types=given) == ("timestamp[us]", expected)


@pytest.mark.parametrize(
    ("name", "pack", "words"),
    [
        ("x.csv.xz", lzma.compress, "compressed by xz"),
        ("x.csv", gzip.compress, "compressed by gzip"),
        ("x.txt", bz2.compress, "compressed by bzip2"),
        ("x.csv", lambda data: parquet([1]), "a Parquet file"),
    ],
)
def test_packed_files_are_named(local_store, fill, name, pack, words):
    fill(local_store.store, {name: pack(b"a,b\n1,2\n")})
    with pytest.raises(DatasetExecutionError, match=f"{name}.*{words}"):
        Dataset.Tabular.from_delimited_files((local_store, name)).to_arrow()


def test_a_zip_and_a_line_without_an_end(local_store, fill):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.csv", "a,b\n1,2\n")
    fill(local_store.store, {"x.zip": file.getvalue(), "y.csv": "a,b"})
    with pytest.raises(DatasetExecutionError, match="a zip archive or an Excel file"):
        Dataset.Tabular.from_delimited_files((local_store, "x.zip")).to_arrow()
    with pytest.raises(DatasetExecutionError, match="no rows"):
        Dataset.Tabular.from_delimited_files((local_store, "y.csv")).to_arrow()


DAY = datetime.timedelta(days=1)
AGO = datetime.datetime(1500, 1, 1)
UTC = NOON.replace(tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("one", "other", "kind", "found"),
    [
        (([DAY], pa.duration("s")), ([DAY], pa.duration("us")), "duration[us]", [DAY, DAY]),
        (
            ([NOON], pa.timestamp("us", "UTC")),
            ([NOON], pa.timestamp("us", "Europe/Berlin")),
            "timestamp[us, tz=UTC]",
            [UTC, UTC],
        ),
        (
            ([AGO], pa.timestamp("us")),
            ([NOON], pa.timestamp("ns")),
            "timestamp[us]",
            [AGO, NOON],
        ),
        (
            ([Decimal("1.50")], pa.decimal128(10, 2)),
            ([2**60], pa.int64()),
            "decimal128(38, 2)",
            [Decimal("1.50"), Decimal(2**60)],
        ),
        ((["x"], pa.string()), ([b"y"], pa.binary()), "string", ["x", "y"]),
        ((["x"], pa.string()), ([b"\xff"], pa.binary()), "binary", [b"x", b"\xff"]),
        (
            ([Decimal("1.50")], pa.decimal128(10, 2)),
            ([Decimal("0.0001")], pa.decimal128(12, 4)),
            "decimal128(12, 4)",
            [Decimal("1.5"), Decimal("0.0001")],
        ),
    ],
)
def test_parquet_files_with_other_types(column, one, other, kind, found):
    assert column("parquet", parquet(*one), parquet(*other)) == (kind, found)


@pytest.mark.parametrize(
    ("values", "given", "kind", "found"),
    [
        ([BIG], DataType.to_float(), "double", [float(BIG)]),
        (["1,5"], DataType.to_float(decimal_mark=","), "double", [1.5]),
        (["01.02.2020"], DataType.to_datetime("%d.%m.%Y"), "timestamp[us]", None),
        (pa.array([1], pa.timestamp("ns")), DataType.to_datetime(), "timestamp[ns]", None),
        (pa.array(["7", "7"]).dictionary_encode(), DataType.to_long(), "int64", [7, 7]),
    ],
)
def test_given_types_of_parquet_columns(column, values, given, kind, found):
    read_kind, read = column("parquet", parquet(values), set_column_types={"a": given})
    assert read_kind == kind and found in (None, read)


def test_conditions_see_the_given_type(local_store, fill):
    fill(local_store.store, {"x.parquet": parquet(["1", "20", "3"])})
    table = Dataset.Tabular.from_parquet_files(
        (local_store, "x.parquet"), set_column_types={"a": DataType.to_long()}
    )
    assert table.filter(table["a"] > 2).to_arrow()["a"].to_pylist() == [20, 3]


@pytest.mark.parametrize(
    ("kind", "contents"),
    [
        ("csv", [csv("1"), csv("x")]),
        ("jsonl", ['{"a": 1}', '{"a": "x"}']),
        ("parquet", [parquet(["1"]), parquet(["x"])]),
    ],
)
def test_a_value_that_is_not_of_the_given_type_is_named(column, kind, contents):
    words = rf"Column 'a' in '1\.{kind}' has the value 'x'.*no whole number"
    with pytest.raises(DatasetExecutionError, match=words):
        column(kind, *contents, set_column_types={"a": DataType.to_long()})


def test_parquet_columns_of_one_name_are_an_error(local_store, fill):
    file = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), file)
    fill(local_store.store, {"x.parquet": file.getvalue()})
    with pytest.raises(DatasetExecutionError, match=r"x\.parquet.*two columns are called 'a'"):
        Dataset.Tabular.from_parquet_files((local_store, "x.parquet")).to_arrow()


def test_the_files_of_a_table_and_their_columns(local_store, fill):
    fill(local_store.store, {"t/de/1.csv": "a\n1\n"})
    dataset = Dataset.Tabular.from_delimited_files(
        (local_store, "t/*/*.csv"), partition_format="/{country}/{n}.csv", include_path=True
    )
    files = source_files.SourceFiles(dataset._content, dataset._options)
    assert files.path_schema.names == ["Path", "country", "n"]
    assert files.path_values(files.paths[0]) == {"Path": "/de/1.csv", "country": "de", "n": "1"}
    assert files.with_path_columns(pa.schema([("a", pa.int64())])).names[-1] == "n"


def test_a_column_that_does_not_fit_is_named():
    column = pa.chunked_array([[1.0, 1.5]])
    assert typed_columns.typed(column, "a", pa.float32()).type == pa.float32()
    with pytest.raises(UnfitValue) as caught:
        typed_columns.typed(column, "a", pa.int64())
    assert caught.value.value == "1.5"


@pytest.mark.parametrize(
    ("blank", "pack", "end"),
    [
        (b"", gzip.compress, ".csv.gz"),
        (b"\n\n", bytes, ".csv"),
        (b"\xef\xbb\xbf", bytes, ".csv"),
        (b"", bz2.compress, ".csv.bz2"),
    ],
)
def test_blank_parts_are_passed_over(local_store, fill, blank, pack, end):
    parts = {f"t/part-{n}{end}": pack(blank) for n in range(3)}
    fill(local_store.store, {**parts, f"t/part-9{end}": pack(b"a\n1\n")})
    table = Dataset.Tabular.from_delimited_files((local_store, "t"))
    assert table.to_arrow()["a"].to_pylist() == [1]
    fill(local_store.store, {f"t/part-9{end}": pack(blank)})
    with pytest.raises(DatasetExecutionError, match="the file is empty"):
        table.to_arrow()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_column_that_only_one_of_many_files_has(local_store, fill, kind):
    def content(number):
        more = {"late": [7]} if number == 52 else {}
        file = io.BytesIO()
        pq.write_table(pa.table({"a": [number], **more}), file)
        return {
            "csv": f"a,late\n{number},7\n" if more else f"a\n{number}\n",
            "jsonl": json.dumps({"a": number, **({"late": 7} if more else {})}),
            "parquet": file.getvalue(),
        }[kind]

    fill(local_store.store, {f"t/{n:03}.{kind}": content(n) for n in range(60)})
    factory = {
        "csv": Dataset.Tabular.from_delimited_files,
        "jsonl": Dataset.Tabular.from_json_lines_files,
        "parquet": Dataset.Tabular.from_parquet_files,
    }[kind]
    table = factory((local_store, "t"))
    assert table.to_arrow()["late"].drop_null().to_pylist() == [7]
    assert table.take(2).to_arrow()["a"].to_pylist() == [0, 1]
    assert table.keep_columns("a").to_arrow().num_rows == 60


def test_columns_from_paths_have_types_too(local_store, fill):
    fill(local_store.store, {"t/007/2020/13/x.csv": "a\n1\n"})
    files = (local_store, "t/*/*/*/*.csv")
    given = {"code": DataType.to_long()}
    table = Dataset.Tabular.from_delimited_files(
        files, partition_format="/{code}/{y}/{m}/x.csv", set_column_types=given
    )
    assert table.filter(table["code"] == 7).to_arrow()["code"].to_pylist() == [7]
    wrong = {"m": DataType.to_bool()}
    table = Dataset.Tabular.from_delimited_files(
        files, partition_format="/{code}/{y}/{m}/x.csv", set_column_types=wrong
    )
    with pytest.raises(DatasetExecutionError, match="Column 'm' has the value '13'"):
        table.to_arrow()
    table = Dataset.Tabular.from_delimited_files(files, partition_format="/{day:yyyy/MM}/x.csv")
    with pytest.raises(DatasetValidationError, match="has '2020/13' where"):
        table.to_arrow()


def test_numbers_in_lists_and_records_keep_their_digits_in_pandas(local_store, fill):
    pytest.importorskip("pandas")
    rows = [[{"x": BIG, "l": [BIG, None]}], [{"x": None, "l": []}], None]
    fill(local_store.store, {"x.parquet": parquet(rows)})
    table = Dataset.Tabular.from_parquet_files((local_store, "x.parquet"))
    assert table.to_pandas_dataframe()["a"].tolist() == rows
    maps = pa.array([[("k", BIG), ("j", None)]], pa.map_(pa.string(), pa.int64()))
    assert exact_numbers.has_unexact_parts(maps)
    assert not exact_numbers.has_unexact_parts(pa.array([[1, None], [BIG]]).slice(0, 1))


def test_frames_are_stored_once(workspace, local_store):
    pandas = pytest.importorskip("pandas")

    def register(**columns):
        frame = pandas.DataFrame(columns)
        frame.attrs["note"] = object()
        target = (local_store, "frames")
        return Dataset.Tabular.register_pandas_dataframe(frame, target, "rows", show_progress=False)

    sparse = pandas.arrays.SparseArray([0, 1])
    assert register(a=sparse, b=["x", "y"]).version == 1
    same = register(a=sparse, b=["x", "y"])
    assert same.version == 1 and same.to_arrow()["a"].to_pylist() == [0, 1]
    assert register(a=sparse, b=["x", "z"]).version == 2
