"""The parts of tables: conditions, columns, formats, files as pyarrow reads them; data in words."""

from __future__ import annotations

import csv
import datetime
import io
import json

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import dataset as arrow_dataset
from pyarrow import parquet

from scriptrun import Dataset
from scriptrun.data import summary
from scriptrun.data.cache.download import RemoteFile
from scriptrun.data.errors import DatasetExecutionError, DatasetValidationError
from scriptrun.data.stores.local import LocalStore
from scriptrun.data.stores.protocol import FileEntry
from scriptrun.data.tables import arrow_filesystem, expressions, file_errors
from scriptrun.data.tables import format as table_format
from scriptrun.data.tables.expressions import column
from scriptrun.spec.job import JobSpec
from scriptrun.spec.job_data import JobData

few = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

# conditions

AGES = [None, 1, 2, 3, 4]
WORDS = [None, "ab", "b", "", "xab"]


def chosen(condition):
    """The numbers of the rows that a condition leaves, after a round trip through JSON."""
    value = json.loads(json.dumps(condition.value))
    table = pa.table({"n": range(5), "age": AGES, "word": WORDS})
    return table.filter(expressions.to_arrow(value))["n"].to_pylist()


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        (column("age") > 2, [3, 4]),
        (column("age") >= 2, [2, 3, 4]),
        (column("age") < 2, [1]),
        (column("age") <= 2, [1, 2]),
        (column("age") == 2, [2]),
        (column("age") != 2, [1, 3, 4]),
        ((column("age") > 1) & (column("age") < 4), [2, 3]),
        ((column("age") < 2) | (column("age") > 3), [1, 4]),
        (~(column("age") > 2), [1, 2]),
        (column("age").is_null(), [0]),
        (~column("age").is_null(), [1, 2, 3, 4]),
        (column("age").isin([1, 4, 9]), [1, 4]),
        (column("age").isin([]), []),
        (column("word").contains("b"), [1, 2, 4]),
        (column("word").contains("."), []),
        (column("word").starts_with("a"), [1]),
        (column("word") == "", [3]),
        (column("age") == column("n"), [1, 2, 3, 4]),
    ],
)
def test_conditions_choose_rows(condition, rows):
    assert chosen(condition) == rows


numbers = st.integers(-3, 6)
conditions = st.recursive(
    st.tuples(st.sampled_from(["gt", "ge", "lt", "le", "eq", "ne"]), numbers),
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner), st.tuples(st.sampled_from(["and", "or"]), inner, inner)
    ),
    max_leaves=5,
)


def made(shape):
    if shape[0] == "not":
        return ~made(shape[1])
    if shape[0] in ("and", "or"):
        left, right = made(shape[1]), made(shape[2])
        return left & right if shape[0] == "and" else left | right
    return getattr(column("n"), f"__{shape[0]}__")(shape[1])


def holds(shape, n):
    if shape[0] == "not":
        return not holds(shape[1], n)
    if shape[0] in ("and", "or"):
        pair = [holds(shape[1], n), holds(shape[2], n)]
        return all(pair) if shape[0] == "and" else any(pair)
    return getattr(n, f"__{shape[0]}__")(shape[1])


@few
@given(conditions)
def test_any_condition_means_what_python_means(shape):
    assert chosen(made(shape)) == [n for n in range(5) if holds(shape, n)]


def test_dates_and_numpy_values_are_plain():
    np = pytest.importorskip("numpy")
    moment = datetime.datetime(2020, 1, 2, 3, 4, 5)
    table = pa.table({"when": [datetime.datetime(2020, 1, 2), moment]})
    for other, count in [(moment, 1), (datetime.date(2020, 1, 2), 2)]:
        value = json.loads(json.dumps((column("when") >= other).value))
        assert table.filter(expressions.to_arrow(value)).num_rows == count
    assert chosen(column("age") > np.int64(2)) == [3, 4]
    assert chosen(column("age").isin(np.array([1, 4]))) == [1, 4]


@pytest.mark.parametrize("other", [[1], {"a": 1}, object(), b"x"])
def test_a_column_is_compared_with_plain_values_only(other):
    with pytest.raises(DatasetValidationError):
        _ = column("age") > other


def test_conditions_are_not_joined_with_and():
    with pytest.raises(DatasetValidationError):
        _ = column("age") > 1 and column("age") < 3
    with pytest.raises(DatasetValidationError):
        _ = 1 < column("age") < 3


def test_the_columns_of_a_condition_are_known():
    condition = (column("a") > column("b")) & ~column("c").isin(["d"])
    assert expressions.column_names(condition.value) == {"a", "b", "c"}
    assert expressions.column_names([]) == expressions.column_names("a") == set()
    assert expressions.column_names((column("a") == "column").value) == {"a"}
    assert expressions.column_names(column("a").isin(["column", "b"]).value) == {"a"}
    assert expressions.column_names((~column("a").contains("column")).value) == {"a"}


# columns of files


@pytest.fixture
def frame(workspace, fill):
    """``frame(text, **options)`` is the table that one delimited file is read as, as a dict."""
    datastore = workspace.get_default_datastore()
    counted = iter(range(1000))

    def read(*texts, **options):
        folder = f"t{next(counted)}"
        fill(datastore.store, {f"{folder}/{n}.csv": text for n, text in enumerate(texts)})
        made = Dataset.Tabular.from_delimited_files((datastore, folder), **options)
        return made.to_pandas_dataframe().to_dict("list")

    pytest.importorskip("pandas")
    return read


def test_columns_get_the_type_that_fits(frame):
    found = frame("i,f,s,d,b\n1,1.5,x,2020-01-02,true\n2,2,y,2020-01-03,false\n")
    assert found["i"] == [1, 2]
    assert found["f"] == [1.5, 2.0]
    assert found["s"] == ["x", "y"]
    assert [each.year for each in found["d"]] == [2020, 2020]
    assert found["b"] == [True, False]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_columns_are_parted_by_what_was_said(frame, separator):
    assert frame(f"a{separator}b\n1{separator}2\n", separator=separator) == {"a": [1], "b": [2]}


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [("utf8", "utf-8"), ("iso88591", "latin-1"), ("windows1252", "cp1252"), ("utf16", "utf-16")],
)
def test_encodings_as_v1_names_them(frame, encoding, codec):
    assert frame("ä\nöü\n".encode(codec), encoding=encoding) == {"ä": ["öü"]}


def test_files_without_a_header_have_numbered_columns(frame):
    assert frame("1,x\n2,y\n", header=False) == {"Column1": [1, 2], "Column2": ["x", "y"]}


def test_files_that_differ_are_one_table(frame):
    found = frame("a,b\n1,x\n", "a,b\n1.5,y\n")
    assert found == {"a": [1.0, 1.5], "b": ["x", "y"]}


def test_a_value_that_comes_late_widens_its_column(frame):
    many = "\n".join(["1"] * 400_000)
    assert frame(f"a\n{many}\n2.5\n")["a"][-1] == 2.5
    assert frame(f"a\n{many}\nlate\n")["a"][-1] == "late"


def test_without_types_all_is_text(frame):
    assert frame("a,b\n01,2020-01-01\n", infer_column_types=False) == {
        "a": ["01"],
        "b": ["2020-01-01"],
    }


cells = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=6)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=4))
def test_any_text_is_read_as_csv_has_it(frame, rows):
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("a", "b"), *rows])
    found = frame(text.getvalue(), infer_column_types=False, empty_as_string=True)
    assert list(zip(found["a"], found["b"], strict=True)) == rows


@pytest.mark.parametrize("text", ["a,b\n1\n", "\n", "a,b\n1,2,3\n"])
def test_files_that_are_no_table_are_a_sentence(frame, text):
    with pytest.raises(DatasetExecutionError) as caught:
        frame(text)
    assert "\n" not in caught.value.message


def test_a_column_that_is_not_there_is_named_with_those_that_are():
    error = table_format.missing_column("c", ["a", "b"])
    assert "'c'" in error.message
    assert "a, b" in error.hint


def test_an_error_without_words_is_named_by_its_kind():
    assert "KeyError" in file_errors.unreadable_error(KeyError()).message
    assert file_errors.unreadable_error(ValueError("one\ntwo")).message.endswith("one")


# files as pyarrow reads them


@pytest.fixture
def store(tmp_path, fill):
    made = LocalStore("here", tmp_path / "files")
    fill(made, {"a.bin": bytes(range(200)), "empty": b""})
    return made


def test_ranges_are_read_where_they_are_asked(store):
    file = arrow_filesystem.RangeFile(store, store.stat("a.bin"))
    assert file.read(3) == b"\0\1\2"
    assert file.tell() == 3
    assert file.seek(-2, io.SEEK_END) == 198
    assert file.read(9) == b"\xc6\xc7"
    assert file.read(9) == b""
    file.seek(10)
    file.seek(5, io.SEEK_CUR)
    assert file.read(1) == b"\x0f"
    assert len(file.read()) == 184


@few
@given(st.lists(st.binary(max_size=20), max_size=6), st.integers(1, 30))
def test_a_stream_gives_all_pieces_however_they_are_read(pieces, count):
    stream = io.BufferedReader(arrow_filesystem.PieceStream(iter(pieces)), count)
    got = b""
    while piece := stream.read(count):
        got += piece
    assert got == b"".join(pieces)


def test_a_file_system_holds_its_files_and_no_others(store):
    incoming = {"x/a": RemoteFile(store, store.stat("a.bin"), "x/a")}
    system = arrow_filesystem.file_system(incoming)
    there, gone = system.get_file_info(["x/a", "x/b"])
    assert (there.size, there.is_file) == (200, True)
    assert gone.type.name == "NotFound"
    with system.open_input_stream("x/a") as stream:
        assert stream.read() == bytes(range(200))
    with system.open_input_file("x/a") as file:
        assert file.size() == 200
        assert file.read_at(2, 100) == b"\x64\x65"
    for refused in (
        lambda: system.create_dir("y"),
        lambda: system.delete_file("x/a"),
        lambda: system.open_output_stream("y"),
    ):
        with pytest.raises(NotImplementedError):
            refused()


def test_parquet_is_read_through_a_store(store, tmp_path):
    table = pa.table({"a": range(1000), "b": [str(n) for n in range(1000)]})
    parquet.write_table(table, tmp_path / "files" / "t.parquet", row_group_size=100)
    system = arrow_filesystem.file_system({"t": RemoteFile(store, store.stat("t.parquet"), "t")})
    found = arrow_dataset.dataset(["t"], format="parquet", filesystem=system)
    assert found.to_table(columns=["b"], filter=arrow_dataset.field("a") == 7).to_pydict() == {
        "b": ["7"]
    }


def test_a_size_that_was_not_told_is_asked_for(store):
    each = RemoteFile(store, FileEntry("a.bin", -1, store.stat("a.bin").etag), "a.bin")
    assert arrow_filesystem._entry_with_size(each).size == 200
    with pytest.raises(DatasetExecutionError) as caught:
        arrow_filesystem._entry_with_size(RemoteFile(store, FileEntry("gone", -1), "gone"))
    assert "'gone'" in caught.value.message


# what data a job was given


def job(inputs=(), outputs=(), arguments=()):
    data = JobData.from_dict({"inputs": list(inputs), "outputs": list(outputs)})
    return JobSpec("r_1", "e", "w", "2026-01-01T00:00:00Z", arguments=tuple(arguments), data=data)


PIN = {"id": "i", "name": "mnist", "version": 3, "files": 1, "bytes": 2000, "manifest": "ab" * 32}
INPUT = {"name": "digits", "kind": "dataset", "mode": "mount", "dataset": PIN}
UNNAMED = {**INPUT, "name": "input__0123abcd", "dataset": {**PIN, "name": None}}
OUTPUT = {"name": "made", "mode": "upload", "datastore": "d", "path": "x/{run-id}/{output-name}"}


def test_inputs_and_outputs_are_told_in_a_line_each():
    told = summary.describe_data(job([INPUT, UNNAMED], [OUTPUT]))
    assert set(told) == {"digits", "input 2", "made"}
    assert "mnist, version 3" in told["digits"]
    assert "1 file, 2,000 bytes" in told["digits"]
    assert "mnist" not in told["input 2"]
    assert "d:x/" in told["made"]
    assert summary.describe_data(job()) == {}


def test_random_names_do_not_tell_two_runs_apart():
    other = {**UNNAMED, "name": "input__89abcdef"}
    arguments = ["--a", "$AZUREML_DATAREFERENCE_{}", "{}", "$AZUREML_DATAREFERENCE_other"]
    plain = [
        summary.readable_arguments(
            job([each], (), [text.format(each["name"]) for text in arguments])
        )
        for each in (UNNAMED, other)
    ]
    assert plain[0][:2] == plain[1][:2] == ["--a", "$input 1"]
    assert plain[0][3] == "$other"
    assert summary.readable_arguments(job((), (), ["$AZUREML_DATAREFERENCE_x"])) == [
        "$AZUREML_DATAREFERENCE_x"
    ]


def test_details_as_v1_shows_them():
    (told,) = summary.input_datasets(job([INPUT]))
    assert told["dataset"]["version"] == 3
    assert "manifest" not in told["dataset"]
    assert told["consumptionDetails"]["mechanism"] == "Mount"
    (told,) = summary.output_datasets(job((), [OUTPUT]))
    assert told["path"] == "x/r_1/made"
    assert told["outputDetails"] == {"outputName": "made", "mechanism": "Upload"}
    assert summary.input_datasets(job()) == summary.output_datasets(job()) == []


@pytest.mark.parametrize(
    ("files", "size", "words"),
    [
        (1, 0, "1 file, 0 bytes"),
        (0, 0, "0 files, 0 bytes"),
        (1234, 5678, "1,234 files, 5,678 bytes"),
    ],
)
def test_amounts(files, size, words):
    assert summary.format_size({"files": files, "bytes": size}) == words


def test_what_was_delivered_is_a_line():
    event = {"input": "digits", "how": "downloaded", "seconds": 1.25, "files": 2, "bytes": 3}
    assert summary.delivery_line(event) == "digits: downloaded 2 files, 3 bytes, in 1.2 s"
    event = {"output": "made", "how": "uploaded", "to": "d:x", "seconds": 0.0}
    assert summary.delivery_line(event) == "made: uploaded to d:x, in 0.0 s"
