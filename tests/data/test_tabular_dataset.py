"""Tables in files: what is read, what is not, and what is said when it cannot be."""

from __future__ import annotations

import datetime
import io
import json
import random
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scriptrun import Dataset
from scriptrun.core.dataset import DataType
from scriptrun.data.errors import DatasetExecutionError, DatasetValidationError, DatastoreException
from scriptrun.data.stores.protocol import FileEntry
from scriptrun.data.tables import partitions
from scriptrun.exceptions import UserErrorException

CSV = "name,age,city\nAnn,31,Rome\nBob,,Oslo\nCy,52,\n"


@pytest.fixture
def store(local_store):
    return local_store


def rows(dataset):
    return dataset.to_arrow().to_pylist()


def parquet(table, **options):
    file = io.BytesIO()
    pq.write_table(pa.table(table), file, **options)
    return file.getvalue()


def test_delimited_files(datastore, fill):
    fill(datastore.store, {"t/1.csv": CSV, "t/2.csv": "name,age,city\nDi,7,Bern\n"})
    table = Dataset.Tabular.from_delimited_files((datastore, "t/*.csv"))
    assert rows(table) == [
        {"name": "Ann", "age": 31, "city": "Rome"},
        {"name": "Bob", "age": None, "city": "Oslo"},
        {"name": "Cy", "age": 52, "city": None},
        {"name": "Di", "age": 7, "city": "Bern"},
    ]
    frame = table.to_pandas_dataframe()
    assert list(frame.columns) == ["name", "age", "city"] and len(frame) == 4


def test_dates_are_times_as_in_v1(store, fill):
    fill(store.store, {"d.csv": "day,at\n2020-01-31,2020-01-31 10:00:00\n,\n"})
    frame = Dataset.Tabular.from_delimited_files((store, "d.csv")).to_pandas_dataframe()
    assert frame["day"].dt.month[0] == 1 and frame["at"].dt.hour[0] == 10
    assert frame["day"].isna().tolist() == [False, True]


def test_parquet_and_json_lines(datastore, fill):
    lines = "".join(json.dumps({"a": n, "b": [n]}) + "\n" for n in range(3))
    fill(datastore.store, {"p/x.parquet": parquet({"a": [1, 2, 3]}), "j/x.jsonl": lines})
    assert rows(Dataset.Tabular.from_parquet_files((datastore, "p")))[2] == {"a": 3}
    assert rows(Dataset.Tabular.from_json_lines_files((datastore, "j/*")))[2] == {"a": 2, "b": [2]}


def test_options_of_delimited_files(store, fill):
    made = Dataset.Tabular.from_delimited_files
    fill(
        store.store, {"x.txt": "1;a\n2;\n", "y.csv": "d,n\n31.12.2020,5\n", "z.csv": 'a\n"x\ny"\n'}
    )
    plain = made((store, "x.txt"), header=False, separator=";")
    assert rows(plain) == [{"Column1": 1, "Column2": "a"}, {"Column1": 2, "Column2": None}]
    texts = made((store, "x.txt"), header=False, separator=";", infer_column_types=False)
    assert rows(texts)[0] == {"Column1": "1", "Column2": "a"}
    empty = made((store, "x.txt"), header=False, separator=";", empty_as_string=True)
    assert rows(empty)[1]["Column2"] == ""
    types = {"d": DataType.to_datetime("%d.%m.%Y"), "n": DataType.to_float()}
    typed = made((store, "y.csv"), set_column_types=types, include_path=True)
    assert rows(typed) == [{"d": datetime.datetime(2020, 12, 31), "n": 5.0, "Path": "/y.csv"}]
    assert rows(made((store, "z.csv"), support_multi_line=True)) == [{"a": "x\ny"}]
    fill(store.store, {"l.csv": "a\né\n".encode("latin1")})
    assert rows(made((store, "l.csv"), encoding="iso88591")) == [{"a": "é"}]


def test_a_type_guessed_too_narrow_is_widened(store, fill):
    many = "".join(f"{n},{n}\n" for n in range(200_000))
    fill(store.store, {"x.csv": f"a,b\n{many}0.5,text\n"})
    table = Dataset.Tabular.from_delimited_files((store, "x.csv")).to_arrow()
    assert table.schema.types == [pa.float64(), pa.string()]
    assert table.num_rows == 200_001 and table["b"][-1].as_py() == "text"


def test_columns_and_filters(store, fill):
    fill(store.store, {"t.csv": CSV})
    table = Dataset.Tabular.from_delimited_files((store, "t.csv"))
    assert rows(table.keep_columns(["city", "name"]))[0] == {"city": "Rome", "name": "Ann"}
    assert rows(table.drop_columns("age"))[0] == {"name": "Ann", "city": "Rome"}

    def names(condition):
        return [row["name"] for row in rows(table.filter(condition))]

    assert names(table["age"] > 31) == ["Cy"]
    assert names((table["age"] >= 31) & ~table["city"].is_null()) == ["Ann"]
    assert names((table["name"] == "Bob") | (table["age"] < 40)) == ["Ann", "Bob"]
    assert names(table["name"].isin(["Cy", "Bob"])) == ["Bob", "Cy"]
    assert names(table["name"].contains("o") | table["name"].starts_with("A")) == ["Ann", "Bob"]
    assert rows(table.filter(table["age"] > 31).drop_columns("age")) == [
        {"name": "Cy", "city": None}
    ]
    assert rows(table.take(2).filter(table["age"] > 31)) == []
    for wrong in (table.keep_columns(["nme"]), table.filter(table["nme"] > 1)):
        with pytest.raises(DatasetValidationError, match=r"no column 'nme'(.|\n)*name, age, city"):
            wrong.to_arrow()
    with pytest.raises(DatasetValidationError, match=r"with & and \|"):
        table["a"] > 1 and table["b"] > 1
    with pytest.raises(DatasetValidationError, match="condition on columns"):
        table.filter(True)


def test_rows_are_counted_across_files(store, fill):
    fill(
        store.store,
        {f"p/{n}.parquet": parquet({"a": [n * 10 + k for k in range(10)]}) for n in range(5)},
    )
    table = Dataset.Tabular.from_parquet_files((store, "p"))
    assert [row["a"] for row in rows(table.skip(8).take(4))] == [8, 9, 10, 11]
    one, two = table.random_split(0.5, seed=3)
    left, right = ([row["a"] for row in rows(each)] for each in (one, two))
    assert sorted(left + right) == list(range(50)) and 10 < len(left) < 40
    assert [row["a"] for row in rows(table.random_split(0.5, seed=3)[0])] == left
    assert len(rows(table.take_sample(0.2, seed=1))) < 30


@pytest.fixture
def asked(monkeypatch):
    """What is read of the store, as (path, bytes)."""
    found = []

    def watch(store):
        read = store.read

        def counted(path, start, end, etag=""):
            found.append((path, end - start))
            return read(path, start, end, etag)

        store.read = counted
        return found

    return watch


@pytest.mark.stores
def test_only_what_is_needed_is_read(blob_store, fill, asked):
    noise = random.Random(1)
    wide = {"key": list(range(50_000)), "noise": [noise.randbytes(100) for _ in range(50_000)]}
    data = parquet(wide, row_group_size=5_000, use_dictionary=False)
    fill(blob_store.store, {"p/year=1/x.parquet": data, "p/year=2/x.parquet": data})
    seen = asked(blob_store.store)
    table = Dataset.Tabular.from_parquet_files(
        (blob_store, "p"), partition_format="/year={year}/x.parquet"
    )
    chosen = table.filter((table["year"] == "2") & (table["key"] < 4_000)).keep_columns(
        ["key", "year"]
    )
    found = chosen.to_arrow()
    assert found.num_rows == 4_000 and set(found["year"].to_pylist()) == {"2"}
    of_two = sum(size for path, size in seen if "year=2" in path)
    of_one = sum(size for path, size in seen if "year=1" in path)
    assert of_two < len(data) / 20 and of_one < len(data) / 20


def test_partitions_are_columns(store, fill):
    fill(
        store.store,
        {
            f"s/{c}/{d}/x.csv": f"v\n{n}\n"
            for n, (c, d) in enumerate([("de", "2020/01/02"), ("fr", "2021/03/04")])
        },
    )
    table = Dataset.Tabular.from_delimited_files(
        (store, "s/**"), partition_format="/{country}/{day:yyyy/MM/dd}/x.csv"
    )
    assert rows(table)[1] == {"v": 1, "country": "fr", "day": datetime.datetime(2021, 3, 4)}
    later = table.filter(table["day"] > datetime.datetime(2020, 6, 1))
    assert [row["country"] for row in rows(later)] == ["fr"]
    assert table.partition_keys == ["country", "day"]
    assert table.get_partition_key_values(["country"]) == [{"country": "de"}, {"country": "fr"}]
    wrong = Dataset.Tabular.from_delimited_files((store, "s/**"), partition_format="/{a}/{b}.json")
    with pytest.raises(DatasetValidationError, match="does not match the partition_format"):
        wrong.to_arrow()


def test_a_partition_format_may_begin_with_the_folders_of_the_datastore(store, fill):
    fill(store.store, {f"s/weather/2019/0{n}/x.csv": f"v\n{n}\n" for n in (1, 2)})
    for pattern in ("s/weather/*/*/x.csv", "s/**", "s/weather/2019/**"):
        table = Dataset.Tabular.from_delimited_files(
            (store, pattern), partition_format="weather/{month:yyyy/MM}/x.csv"
        )
        assert [row["month"].month for row in rows(table)] == [1, 2], pattern
        assert len(table.get_partition_key_values()) == 2


@pytest.mark.parametrize("text", ["/data/x.csv", "/{a}/{a}", "/{}/x", "/{1a}"])
def test_formats_without_columns(text):
    with pytest.raises(DatasetValidationError, match="partition_format"):
        partitions.compile_format(text)


def test_a_registered_table_is_fixed_with_its_operations(workspace, store, fill):
    fill(store.store, {"t/a.csv": CSV})
    table = Dataset.Tabular.from_delimited_files((store, "t"))
    kept = table.filter(table["age"] > 30).keep_columns("name").register(workspace, "people")
    found = Dataset.get_by_name(workspace, "people")
    assert rows(found) == rows(kept) == [{"name": "Ann"}, {"name": "Cy"}]
    assert rows(found.take(1)) == [{"name": "Ann"}]
    fill(store.store, {"t/b.csv": CSV})
    assert len(rows(found)) == 2
    assert (
        json.loads(json.dumps(found.pin(workspace)))["definition"]["options"]["format"]
        == "delimited"
    )
    fill(store.store, {"t/a.csv": CSV + "Ed,40,Bonn\n"})
    with pytest.raises(DatasetExecutionError, match=r"t/a\.csv(.|\n)*version 1 of 'people'"):
        found.to_arrow()


@pytest.mark.stores
def test_a_table_behind_a_store_that_changed(workspace, blob_store, fill):
    fill(blob_store.store, {"t/a.csv": CSV})
    kept = Dataset.Tabular.from_delimited_files((blob_store, "t")).register(workspace, "people")
    fill(blob_store.store, {"t/a.csv": CSV + "Ed,40,Bonn\n"})
    with pytest.raises(DatasetExecutionError, match=r"has changed(.|\n)*version 1 of 'people'"):
        kept.to_arrow()


def test_what_is_no_table_is_said(store, fill):
    fill(store.store, {"x.parquet": b"no parquet", "y.csv": "a,b\n1,2,3\n", "z.jsonl": "{"})
    for made in (
        Dataset.Tabular.from_parquet_files((store, "x.parquet")),
        Dataset.Tabular.from_delimited_files((store, "y.csv")),
        Dataset.Tabular.from_json_lines_files((store, "z.jsonl")),
    ):
        with pytest.raises(DatasetExecutionError, match=r"Cannot read '[xyz]\.\w+' as"):
            made.to_arrow()


def test_a_data_frame_becomes_a_registered_table(workspace, store):
    import pandas

    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", None]})
    Dataset.Tabular.register_pandas_dataframe(
        frame, (store, "frames"), "frame", show_progress=False
    )
    assert rows(Dataset.get_by_name(workspace, "frame")) == [
        {"a": 1, "b": "x"},
        {"a": 2, "b": None},
    ]


def test_what_is_not_there_is_named(store, fill):
    fill(store.store, {"t.csv": CSV})
    table = Dataset.Tabular.from_delimited_files((store, "t.csv"))
    with pytest.raises(DatasetValidationError, match="a tabular dataset and cannot be mounted"):
        table.as_named_input("x").as_mount()
    with pytest.raises(UserErrorException, match="only the first has a header"):
        Dataset.Tabular.from_delimited_files((store, "t.csv"), header=1)
    with pytest.raises(UserErrorException, match="invalid_lines"):
        Dataset.Tabular.from_json_lines_files((store, "t.csv"), invalid_lines="skip")
    assert table.as_named_input("x").mode == "direct"


def test_tables_without_a_library_say_which(store, fill, monkeypatch):
    fill(store.store, {"t.csv": CSV})
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(DatastoreException, match="polars, which is not installed"):
        Dataset.Tabular.from_delimited_files((store, "t.csv")).to_polars()


def test_a_web_file_is_a_table(web, workspace):
    web.files = {"/x.csv": CSV.encode(), "/x.parquet": parquet({"a": [1, 2]})}
    table = Dataset.Tabular.from_delimited_files(f"{web.address}/x.csv").register(workspace, "w")
    assert len(rows(table)) == 3
    assert rows(Dataset.Tabular.from_parquet_files(f"{web.address}/x.parquet"))[1] == {"a": 2}
    assert FileEntry("x", 1).etag == ""


def test_a_process_ends_after_pyarrows_threads_have_let_go_of_their_files():
    """Else one that does so too late takes the process down: SIGABRT, in one of five under load."""
    code = """
import io, threading, time
from scriptrun.data.tables import arrow_filesystem as arrow_files

arrow_files._LAST = 300.0

def later(files):
    threading.main_thread().join()
    time.sleep(0.3)  # in which the process would be gone
    print("let go", flush=True)
    files.clear()

threading.Thread(target=later, args=[[arrow_files.Handle(io.BufferedReader(io.BytesIO()))]],
                 daemon=True).start()
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "let go\n"
