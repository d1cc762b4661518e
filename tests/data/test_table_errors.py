"""What is said of files that are no table, and which files of a folder are one."""

from __future__ import annotations

import pytest

from scriptrun import Dataset
from scriptrun.data.errors import DatasetExecutionError, DatasetValidationError
from scriptrun.data.tables import parquet_file
from scriptrun.exceptions import UserErrorException
from scriptrun.runtime.injob import tables as job_tables

MANY = 300_000


@pytest.fixture
def read(local_store, fill):
    """``read(content, **options)``: the rows of one delimited file, ``t/x.csv``."""

    def rows(content, **options):
        fill(local_store.store, {"t/x.csv": content})
        table = Dataset.Tabular.from_delimited_files((local_store, "t/x.csv"), **options)
        return table.to_arrow().to_pylist()

    return rows


LATIN = "a,city\nx,é\n".encode("latin-1")


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (LATIN, {}, ["line 2", "column 'city'", "not utf8", "encoding="]),
        (b"a,city\n" + b"1,x\n" * MANY + b"1,\xe9\n", {}, [f"line {MANY + 2}", "'city'"]),
        ("é,b\n1,2\n".encode("latin-1"), {}, ["line 1", "not utf8"]),
        ("a\n1\n".encode("utf-16"), {}, ["like utf16", "encoding='utf16'"]),
        (b"a\n\x81\n", {"encoding": "windows1252"}, ["line 2", "not cp1252"]),
        ("a\né\n", {"encoding": "ascii"}, ["line 2", "not ascii"]),
        ("a,a\n1,2\n", {}, ["two columns are called 'a'", "header=False"]),
        ("a,b\n1,2\n1,2,3\n", {}, ["line 3 has 3 values, the first line 2"]),
        ("a,b\n" + "1,2\n" * MANY + "1\n", {}, [f"line {MANY + 2} has 1 values"]),
        ('a\n"x\ny"\n' + '"zzzzzzzz\nyyyyyyy"\n' * MANY, {}, ["support_multi_line=True"]),
        ("", {}, ["is empty"]),
    ],
)
def test_a_file_that_is_no_table_is_a_sentence(read, content, options, words):
    with pytest.raises(DatasetExecutionError) as caught:
        read(content, **options)
    text = str(caught.value)
    assert "'x.csv'" in text
    assert [word for word in words if word not in text] == []


def test_files_of_different_widths_are_named(local_store, fill):
    fill(local_store.store, {"w/a.csv": "1,2\n", "w/b.csv": "1,2,3\n"})
    table = Dataset.Tabular.from_delimited_files((local_store, "w"), header=False)
    with pytest.raises(DatasetExecutionError, match=r"a\.csv.*have 2 values.*other files 3"):
        table.to_arrow()


def test_text_in_another_encoding_is_read_with_its_name(read):
    assert read(LATIN, encoding="iso88591") == [{"a": "x", "city": "é"}]
    assert read("a\n1\n".encode("utf-16"), encoding="UTF-16") == [{"a": 1}]
    assert read(b"\xef\xbb\xbfa\n1\n") == [{"a": 1}]
    assert read("a\n" + "x" * 3_000_000 + "\n")[0]["a"] == "x" * 3_000_000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"separator": "||"}, "one ASCII character"),
        ({"separator": ""}, "one ASCII character"),
        ({"separator": "\n"}, "cannot be separated"),
        ({"encoding": "klingon"}, "Unknown encoding 'klingon'"),
        ({"header": "perhaps"}, "header cannot be 'perhaps'"),
    ],
)
def test_options_are_checked_when_they_are_given(read, options, words):
    with pytest.raises(UserErrorException, match=words):
        read("a\n1\n", **options)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("ALL_FILES_HAVE_SAME_HEADERS", "a"),
        ("PromoteHeadersBehavior.COMBINE_ALL_FILES_HEADERS", "a"),
        ("NO_HEADERS", "Column1"),
    ],
)
def test_headers_by_their_names_in_v1(read, header, name):
    assert list(read("a\nx\n", header=header)[0]) == [name]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": "\xe9"}\n', "line 1 is not utf8"),
        (b'{"a": 1}\n{\n', "line 2: Expecting"),
        (b'{"a": 1}\n[1]\n', "line 2: it is not a JSON object"),
        (b'{"a": 1, "a": 2}\n', "two fields 'a'"),
    ],
)
def test_json_lines_that_are_none_are_named(local_store, fill, content, words):
    fill(local_store.store, {"x.jsonl": content})
    table = Dataset.Tabular.from_json_lines_files((local_store, "x.jsonl"))
    with pytest.raises(DatasetExecutionError, match=words):
        table.to_arrow()


def test_json_lines_in_another_encoding(local_store, fill):
    fill(local_store.store, {"x.jsonl": b'{"a": "\xe9"}\n'})
    table = Dataset.Tabular.from_json_lines_files((local_store, "x.jsonl"), encoding="latin1")
    assert table.to_arrow().to_pylist() == [{"a": "é"}]


def test_data_frames_that_are_no_table(local_store):
    pandas = pytest.importorskip("pandas")

    def register(frame):
        return Dataset.Tabular.register_pandas_dataframe(frame, (local_store, "f"), "frame")

    with pytest.raises(DatasetValidationError, match=r"'a'.*int, str"):
        register(pandas.DataFrame({"a": [1, "x"]}))
    with pytest.raises(DatasetValidationError, match="called 'a'"):
        register(pandas.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(DatasetValidationError, match="requires a pandas DataFrame, not list"):
        register([1])
    assert register(pandas.DataFrame([[1, 2]])).to_arrow().to_pylist() == [{"0": 1, "1": 2}]


def test_data_frames_of_a_job_that_are_no_table(local_store):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="column 'a' holds values of several types"):
        job_tables.write_temporary(pandas.DataFrame({"a": [1, "x"]}))
    path = job_tables.write_temporary(pandas.DataFrame({"a": [1]}))
    frame = parquet_file.Frame(path)
    table = Dataset.Tabular.register_pandas_dataframe(frame, (local_store, "f"), "of a job")
    assert table.to_arrow().to_pylist() == [{"a": 1}]


SPARK = {
    "out/_SUCCESS": "",
    "out/.part-0.csv.crc": b"\xff\xfe",
    "out/part-0.csv": "a\n1\n",
    "out/part-1.csv": "",
    "out/_temporary/0/part-9.csv": "a\n9\n",
    "out/.ipynb_checkpoints/x.csv": "a\n8\n",
    "out/_year=2020/part-2.csv": "a\n2\n",
}


def test_a_folder_that_spark_wrote_is_read_as_spark_reads_it(local_store, fill, workspace):
    fill(local_store.store, SPARK)
    for path in ("out", "out/**", "out/**/*.csv"):
        table = Dataset.Tabular.from_delimited_files((local_store, path))
        assert sorted(row["a"] for row in table.to_arrow().to_pylist()) == [1, 2]
    kept = table.register(workspace, "spark")
    assert kept.to_arrow().num_rows == 2
    named = Dataset.Tabular.from_delimited_files((local_store, "out/_temporary/0/part-9.csv"))
    assert named.to_arrow().to_pylist() == [{"a": 9}]
    hidden = Dataset.Tabular.from_delimited_files((local_store, "out/_temporary/**"))
    assert hidden.to_arrow().to_pylist() == [{"a": 9}]
    assert len(Dataset.File.from_files((local_store, "out")).to_path()) == len(SPARK)
    fill(local_store.store, {"only/_SUCCESS": "", "only/part.csv": ""})
    with pytest.raises(DatasetValidationError, match="Tables skip"):
        Dataset.Tabular.from_delimited_files((local_store, "only"))
