"""What reads and writes data: stores of real drivers, files of a mount, tables, datasets."""

from __future__ import annotations

import contextlib
import csv
import datetime
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
import servers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore
from pyarrow import parquet

from scriptrun import Dataset, Datastore
from scriptrun.data.datasets.base import AbstractDataset
from scriptrun.data.datasets.file import FileDataset, FileDatasetFactory
from scriptrun.data.datasets.manifest import ManifestRow
from scriptrun.data.datastores import classes
from scriptrun.data.errors import (
    DatasetExecutionError,
    DatasetValidationError,
    DatastoreException,
    FileChanged,
    FileExists,
    FileMissing,
)
from scriptrun.data.mount import fuse_library, plan, server
from scriptrun.data.mount.block_cache import BLOCK, MountCache, cache_key
from scriptrun.data.mount.large_files import FetchPools, FileLocation, LargeFile, MemoryBlocks
from scriptrun.data.mount.small_files import SmallFiles
from scriptrun.data.stores.fsspec import FsspecStore
from scriptrun.data.stores.local import LocalStore
from scriptrun.data.stores.object import ObjectStore
from scriptrun.data.stores.web import WebStore
from scriptrun.data.tables import parquet_file, reader, time_columns
from scriptrun.spec.errors import UserErrorException

few = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])

# stores


@pytest.fixture(params=["object", "foreign"])
def store(request, tmp_path):
    if request.param == "object":
        memory = MemoryStore()
        return ObjectStore("mine", lambda: memory)
    return FsspecStore("mine", "file", str(tmp_path / "files"), {})


PATHS = st.sets(
    st.lists(st.text("ab-.0", min_size=1, max_size=3).filter(lambda n: n.strip(".")), min_size=1, max_size=3)
    .map("/".join), min_size=1, max_size=6,
)  # fmt: skip


@few
@given(PATHS)
def test_any_files_are_listed_in_the_order_of_their_paths(tmp_path_factory, paths):
    paths = {p for p in paths if not any(o.startswith(f"{p}/") for o in paths)}
    folder, memory = tmp_path_factory.mktemp("files"), MemoryStore()
    for made in (
        ObjectStore("mine", lambda: memory),
        FsspecStore("mine", "file", str(folder), {}),
    ):
        for path in paths:
            assert made.write(path, io.BytesIO(path.encode())).size == len(path)
        assert [(each.path, each.size) for each in made.list()] == [
            (p, len(p)) for p in sorted(paths)
        ]
        first = min(paths).partition("/")[0]
        below = sorted(p for p in paths if p.startswith(f"{first}/"))
        assert [each.path for each in made.list(first)] == below or first in paths
        assert list(made.list("nowhere")) == []


def test_a_file_is_read_in_ranges_and_removed(store):
    entry = store.write("a/b", io.BytesIO(b"0123456789"))
    for start, end in ((0, 10), (3, 5), (4, 99), (5, 5), (9, 10)):
        assert store.read("a/b", start, end, entry.etag) == b"0123456789"[start:end]
    assert b"".join(store.pieces("a/b", entry.etag)) == b"0123456789"
    assert b"".join(store.pieces("a/b", "", 7)) == b"789"
    assert b"".join(store.pieces("a/b", "", 2, 4)) == b"23"
    assert store.stat("a/b").etag == entry.etag and store.stat("a") is None
    store.delete("a/b")
    store.delete("a/b")
    assert store.stat("a/b") is None
    for read in (lambda: store.read("a/b", 0, 1), lambda: b"".join(store.pieces("a/b"))):
        with pytest.raises(FileMissing, match="'a/b' not found in mine"):
            read()


def test_a_file_that_is_another_is_not_read_and_a_new_one_replaces_none(store):
    old = store.write("a", io.BytesIO(b"old"))
    with pytest.raises(FileExists, match="already exists in mine"):
        store.write("a", io.BytesIO(b"new"), new=True)
    assert store.read("a", 0, 9, old.etag) == b"old"
    begun = io.BytesIO(b"--longer")
    begun.seek(2)
    assert store.write("a", begun).size == 6
    for read in (lambda: store.read("a", 0, 1, old.etag), lambda: [*store.pieces("a", old.etag)]):
        with pytest.raises(FileChanged):
            read()
    assert store.write("b", io.BytesIO(b""), new=True).size == 0


def test_a_file_of_several_parts_arrives_whole():
    memory = MemoryStore()
    data = bytes(range(256)) * (9 << 12)  # 9 MiB: more than one part
    for sealed in (True, False):
        made = ObjectStore("mine", lambda: memory, sealed)
        assert made.write("big", io.BytesIO(data)).size == len(data)
        assert b"".join(made.pieces("big")) == data
        with pytest.raises(FileExists):
            made.write("big", io.BytesIO(data), new=True)


def test_what_a_store_says_of_a_failure_has_nothing_of_its_secrets():
    def opener():
        raise RuntimeError("https://u:s3cr3t@h/?sig=s3cr3t status code: 403")

    made = ObjectStore("mine", opener)
    made.prepare()
    with pytest.raises(DatastoreException, match="Cannot read a in mine") as caught:
        made.stat("a")
    assert "s3cr3t" not in str(caught.value) and "scriptrun secret set" in caught.value.hint
    with pytest.raises(DatastoreException, match="invalid path"):
        ObjectStore("mine", MemoryStore).stat("a//b")


@pytest.mark.parametrize(
    ("protocol", "options", "words"),
    [
        ("no-such-protocol", {}, "no driver for 'no-such-protocol'"),
        ("hdfs", {}, "hdfs"),
        ("ftp", {"host": "{host}", "port": 1, "password": "s3cr3t"}, "connection refused"),
    ],
)
def test_a_driver_that_cannot_be_had_is_a_sentence(protocol, options, words):
    with servers.deaf() as address:
        host, _, port = address.partition(":")
        told = {**options, **({"host": host, "port": int(port)} if options else {})}
        with pytest.raises(DatastoreException) as caught:
            FsspecStore("mine", protocol, "/", told).stat("a")
    assert words in caught.value.message and "s3cr3t" not in str(caught.value)


# files of a mount


def place_of(made, path, folder=""):
    entry = made.stat(path)
    key = cache_key("s", path, entry.etag, entry.size) if folder else ""
    return FileLocation(ManifestRow(path, entry.size, entry.etag), made, path, key)


@pytest.fixture(scope="module")
def pools():
    made = FetchPools()
    yield made
    for each in (made.urgent, made.ahead):
        each.shutdown()


SIZE = 5 * BLOCK + 123
CONTENT = os.urandom(SIZE)
READS = st.lists(
    st.tuples(st.integers(0, SIZE + 9), st.integers(0, 3 * BLOCK)), min_size=1, max_size=6
)


@few
@given(READS, st.sampled_from(["disk", "memory"]))
def test_any_reads_of_a_large_file_are_slices_of_it(tmp_path_factory, pools, reads, way):
    folder = tmp_path_factory.mktemp("large")
    (folder / "big").write_bytes(CONTENT)
    cache = str(folder / "cache") if way == "disk" else ""
    place = place_of(LocalStore("mine", folder), "big", cache)
    large = LargeFile(place, MountCache(cache).blocks(place.key, SIZE), MemoryBlocks(), pools)
    for offset, size in reads:
        assert bytes(large.read(offset, size, 60)) == CONTENT[offset : offset + size]


def test_a_server_that_gives_whole_files_only_is_asked_once(pools):
    with servers.web() as state:
        state.ranges, state.files["/big"] = False, CONTENT
        made = WebStore("mine", state.address)
        large = LargeFile(place_of(made, "big"), None, MemoryBlocks(), pools)
        before = len(state.seen)
        assert bytes(large.read(BLOCK, 9, 60)) == CONTENT[BLOCK : BLOCK + 9]
        assert bytes(large.read(0, SIZE, 60)) == CONTENT
        whole = [each for each in state.seen[before:] if each.startswith("GET")]
        assert len(whole) <= 3


@pytest.mark.parametrize("kind", ["large", "small"])
def test_a_file_that_changes_or_goes_is_told_and_the_next_read_tries_anew(tmp_path, pools, kind):
    path = tmp_path / "f"
    path.write_bytes(CONTENT)
    place = place_of(LocalStore("mine", tmp_path), "f")
    small = SmallFiles(MountCache(""), pools, lambda path, count: [])
    large = LargeFile(place, None, MemoryBlocks(), pools)

    def read():
        return bytes(large.read(0, 5, 60)) if kind == "large" else small.read(place, 60)[:5]

    times = os.stat(path)
    path.unlink()
    with pytest.raises(FileMissing):
        read()
    path.write_bytes(b"other")
    with pytest.raises(FileChanged):
        read()
    path.write_bytes(CONTENT)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert read() == CONTENT[:5] and read() == CONTENT[:5]


def test_small_files_that_are_read_in_order_are_fetched_ahead(tmp_path, pools):
    names = [f"f{n:02}" for n in range(12)]
    for name in names:
        (tmp_path / name).write_text(name)
    made = LocalStore("mine", tmp_path)
    places = {name: place_of(made, name, "x") for name in names}
    asked = []

    def following(path, count):
        asked.append((path, count))
        at = names.index(path) + 1
        return [places[name] for name in names[at : at + count]]

    keep = MountCache(str(tmp_path / "cache"))
    small = SmallFiles(keep, pools, following)
    assert [small.read(places[name], 60).decode() for name in names[:6]] == names[:6]
    assert asked[:3] == [("f00", 1), ("f01", 4), ("f02", 8)]
    again = SmallFiles(keep, pools, lambda path, count: [])
    (tmp_path / "f00").unlink()
    assert again.read(places["f00"], 60) == b"f00", "it is on the disk"


@pytest.mark.parametrize("variable", [None, "FUSE_LIBRARY_PATH", "FUSE_LIBRARY_NAME"])
def test_the_library_of_fuse_leaves_the_variables_as_they_were(variable):
    code = (
        "import os; from scriptrun.data.mount import fuse_library\n"
        "before = dict(os.environ)\n"
        "try: print(fuse_library.load().__name__)\n"
        "except (ImportError, OSError) as error: print(type(error).__name__)\n"
        "assert dict(os.environ) == before"
    )
    environ = {**os.environ, **({variable: "no-such-library"} if variable else {})}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if variable is None:
        with contextlib.suppress(ImportError, OSError):
            assert done.stdout.strip() == fuse_library.load().__name__


def test_a_mount_that_cannot_be_is_told_in_json_and_ends(tmp_path, workspace, fill):
    fill(workspace.get_default_datastore().store, {"a": "x"})
    dataset = Dataset.File.from_files((workspace.get_default_datastore(), "a"))
    manifest, roots = plan.manifest_for(dataset._content, tmp_path)
    told = plan.MountPlan(str(tmp_path / "none"), roots, str(manifest.path)).value()
    done = subprocess.run(
        [sys.executable, "-m", server.__name__],
        input=json.dumps(told).encode() + b"\n",
        capture_output=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert b"Traceback" not in done.stderr
    assert lines == [] or ("error" in lines[0] and done.returncode == 1)


# tables

VALUES = {
    pa.int64(): st.integers(-(2**53), 2**53),
    pa.float64(): st.floats(allow_nan=False),
    pa.string(): st.text(max_size=6),
    pa.bool_(): st.booleans(),
    pa.list_(pa.int64()): st.lists(st.integers(0, 9), max_size=3),
}
COLUMNS = st.sampled_from(list(VALUES)).flatmap(
    lambda kind: st.tuples(
        st.just(kind), st.lists(st.none() | VALUES[kind], min_size=3, max_size=3)
    )
)
DECODE = {"int": int, "float": float, "bool": "True".__eq__, "json": json.loads, "time": str}


@few
@given(st.lists(COLUMNS, min_size=1, max_size=4))
def test_any_table_survives_csv_and_parquet(columns):
    arrays = [pa.array(values, kind) for kind, values in columns]
    table = pa.table(arrays, [f"c{n}" for n in range(len(arrays))])
    told = parquet_file.write(table, "parquet")
    assert parquet.read_table(told["path"]).equals(table)
    os.unlink(told["path"])
    told = parquet_file.write(table, "csv")
    with open(told["path"], encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    os.unlink(told["path"])
    assert [name for name, _ in told["columns"]] == table.column_names
    for at, (_, kind) in enumerate(told["columns"]):
        texts = [row[at] for row in rows]
        plain = DECODE.get(kind, lambda text: text[1:] if text.startswith("\\") else text)
        found = [None if text == r"\N" else plain(text) for text in texts]
        assert found == table.column(at).to_pylist(), (kind, texts)


def test_a_frame_takes_its_file_away_whether_it_can_be_read_or_not(tmp_path):
    good, broken = tmp_path / "a.csv", tmp_path / "b.parquet"
    good.write_text("a,b\n1,x\n")
    broken.write_bytes(b"no parquet")
    out = io.BytesIO()
    parquet_file.Frame(str(good)).to_parquet(out, index=False)
    assert parquet.read_table(io.BytesIO(out.getvalue())).to_pylist() == [{"a": 1, "b": "x"}]
    with pytest.raises(pa.ArrowInvalid):
        parquet_file.Frame(str(broken))
    assert list(tmp_path.iterdir()) == []


OPS = st.lists(
    st.one_of(
        st.integers(0, 8).map(lambda n: ("take", n)),
        st.integers(0, 8).map(lambda n: ("skip", n)),
        st.integers(0, 9).map(lambda n: ("filter", n)),
        st.just(("drop", "b")),
        st.just(("keep", "a")),
    ),
    max_size=5,
)


@pytest.fixture
def table(workspace, fill):
    lines = [f"{n},{n % 3}" for n in range(10)]
    text = {
        "t/1.csv": "\n".join(["a,b", *lines[:4], ""]),
        "t/2.csv": "\n".join(["a,b", *lines[4:], ""]),
    }
    fill(workspace.get_default_datastore().store, text)
    return Dataset.Tabular.from_delimited_files((workspace.get_default_datastore(), "t/*.csv"))


@few
@given(OPS)
def test_operations_in_any_order_mean_what_lists_mean(table, ops):
    rows, names, made = [{"a": n, "b": n % 3} for n in range(10)], ["a", "b"], table
    for name, value in ops:
        if name == "take":
            rows, made = rows[:value], made.take(value)
        elif name == "skip":
            rows, made = rows[value:], made.skip(value)
        elif name == "filter":
            rows, made = [r for r in rows if r["a"] >= value], made.filter(made["a"] >= value)
        elif name == "drop" and "b" in names:
            names, made = ["a"], made.drop_columns("b")
        elif name == "keep":
            names, made = ["a"], made.keep_columns("a")
    found = reader.read(made._content, made._options)
    assert found.column_names == names
    assert found.to_pylist() == [{name: row[name] for name in names} for row in rows]
    assert reader.TableFiles(made._content, made._options).schema_after().names == names


def test_a_table_whose_file_has_changed_is_not_read(workspace, fill, table):
    kept = table.register(workspace, "t")
    fill(workspace.get_default_datastore().store, {"t/1.csv": "a,b\n7,7\n"})
    with pytest.raises((FileChanged, DatasetExecutionError), match=r"1\.csv"):
        kept.to_arrow()


@few
@given(st.integers(0, 9), st.integers(0, 9), st.booleans())
def test_a_span_has_its_boundaries_or_not(workspace, fill, low, high, bounds):
    start = datetime.datetime(2026, 1, 1)
    when = [start + datetime.timedelta(hours=n) for n in range(10)]
    text = "when\n" + "".join(f"{each}\n" for each in when)
    fill(workspace.get_default_datastore().store, {"w.csv": text})
    made = Dataset.Tabular.from_delimited_files((workspace.get_default_datastore(), "w.csv"))
    assert isinstance(made, time_columns.TimeColumns)
    timed = made.with_timestamp_columns(fine_grain_timestamp="when")
    assert timed.timestamp_columns == ("when", None) and made.timestamp_columns == (None, None)
    found = timed.time_between(when[low], when[high], bounds).to_arrow()["when"].to_pylist()
    assert found == when[low : high + 1] if bounds else found == when[low + 1 : high]


# datasets and datastores


@pytest.fixture
def files(workspace, fill):
    fill(workspace.get_default_datastore().store, {f"d/{n}/f": f"{n}" for n in range(7)})
    return FileDatasetFactory.from_files((workspace.get_default_datastore(), "d"))


@few
@given(st.integers(1, 6), st.floats(0, 1), st.integers(0, 2**31))
def test_parts_of_a_dataset_are_the_whole(files, count, share, seed):
    whole = files.to_path()
    assert files.take(count).to_path() + files.skip(count).to_path() == whole
    try:
        one, other = (each.to_path() for each in files.random_split(share, seed))
    except DatasetValidationError:
        return  # one of them is empty
    assert sorted(one + other) == whole and not set(one) & set(other)
    assert files.take_sample(share, seed).to_path() == one


def test_a_folder_of_links_is_taken_away_and_the_files_stay(files, tmp_path):
    with files.mount(tmp_path / "here") as context:
        found = sorted(Path(context.mount_point).rglob("f"))
        assert len(found) == 7 and all(each.is_symlink() for each in found)
        with pytest.raises(UserErrorException, match="not empty"):
            files.mount(tmp_path / "here").start()
        (tmp_path / "here" / "mine").write_text("x")
    assert list((tmp_path / "here").iterdir()) == [] and len(files.to_path()) == 7
    with files.mount() as context:
        own = Path(context.mount_point)
    assert not own.exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserErrorException, match="Cannot use"):
        files.mount(tmp_path / "file").start()


def test_a_download_replaces_nothing_unasked_and_may_leave_out_what_is_gone(
    files, workspace, tmp_path
):
    kept = files.register(workspace, "d")
    assert len(kept.download(tmp_path / "to")) == 7
    with pytest.raises(UserErrorException, match="exists already"):
        kept.download(tmp_path / "to")
    assert len(kept.download(tmp_path / "to", overwrite=True)) == 7
    workspace.get_default_datastore().store.delete("d/0/f")
    with pytest.raises(DatasetExecutionError, match="version 1 of 'd'"):
        kept.download(tmp_path / "other")
    assert len(kept.download(tmp_path / "third", ignore_not_found=True)) == 6


def test_a_dataset_has_one_id_for_what_it_says_and_registered_ones_their_own(files, workspace):
    again = FileDatasetFactory.from_files((workspace.get_default_datastore(), "d"))
    assert files.id == again.id != files.take(2).id and files.versions() == []
    kept = files.register(workspace, "d", "words", {"a": "b"})
    kept.add_tags({"c": "d"})
    kept.remove_tags(["a", "none"])
    found = AbstractDataset.get_by_id(workspace, kept.id)
    assert (found.tags, found.description, found.version) == ({"c": "d"}, "words", 1)
    found.tags["x"] = "y"
    assert found.tags == {"c": "d"} and kept.take(1).name is None
    with pytest.raises(DatasetValidationError, match="not registered"):
        files.update("x")
    kept.unregister_all_versions()
    assert kept.name is None and AbstractDataset.get_all(workspace) == {}


def test_a_pin_means_the_same_files_whatever_becomes_of_the_name(
    files, workspace, fill, tmp_path, monkeypatch
):
    pin = json.loads(json.dumps(files.pin(workspace)))
    fill(workspace.get_default_datastore().store, {"d/9/f": "9"})
    assert len(files.to_path()) == 8
    made = AbstractDataset.from_pin(workspace, pin)
    assert isinstance(made, FileDataset) and len(made.to_path()) == 7
    (tmp_path / "job.json").write_text(json.dumps({"data": {"inputs": [{}, {"dataset": pin}]}}))
    monkeypatch.setenv("SCRIPTRUN_RUN_FOLDER", str(tmp_path))
    assert AbstractDataset.get_by_id(workspace, files.id).to_path() == made.to_path()
    head = {"type": "other", "name": "n", "definition": {}}
    with pytest.raises(DatasetValidationError, match="unknown type 'other'"):
        AbstractDataset.from_head(workspace, head)


def test_folders_are_uploaded_as_datasets(workspace, tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("a.txt", "deep/b.txt", "deep/c.bin"):
        (tmp_path / "in" / name).write_text(name)
    store = workspace.get_default_datastore()
    upload = FileDatasetFactory.upload_directory
    made = upload(tmp_path / "in", (store, "up"), pattern="**/*.txt", show_progress=False)
    assert made.to_path() == ["/a.txt", "/deep/b.txt"]
    for words in (
        (tmp_path / "none", (store, "up")),
        (tmp_path / "in", "https://example.org/x"),
        (tmp_path / "in", (store, "up"), "*.png"),
    ):
        with pytest.raises(UserErrorException):
            upload(*words)
    with pytest.raises(UserErrorException, match="partition_format"):
        FileDatasetFactory.from_files((store, "up"), partition_format="{a}")


@pytest.mark.parametrize("kind", sorted(classes.KINDS))
def test_every_kind_survives_its_record_and_shows_no_secret(workspace, monkeypatch, kind):
    monkeypatch.setenv("SCRIPTRUN_SECRET_MINE", "s3cr3t")
    record = {"class": kind, "path": "/x", "url": "http://h/", "protocol": "file", "secret": "mine"}
    record |= {"credential": "account_key"}
    made = classes.from_record(workspace, "d", record)
    assert classes.from_record(None, "d", made.record()).record() == record
    assert made.account_key == "s3cr3t" and made.sas_token is None
    assert "s3cr3t" not in repr(made) + json.dumps(made.record())
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        made.nothing
    with pytest.raises(DatastoreException, match="does not belong"):
        classes.from_record(None, "d", record).unregister()


def test_what_a_datastore_refuses_is_a_sentence(workspace, tmp_path):
    with pytest.raises(DatastoreException, match="unknown class 'Tape'"):
        classes.from_record(workspace, "d", {"class": "Tape"})
    web = classes.from_record(workspace, "web", {"class": "HTTP", "url": "http://h/"})
    (tmp_path / "a").write_text("")
    with pytest.raises(DatastoreException, match="read-only"):
        web.upload_files([tmp_path / "a"])
    share = classes.from_record(workspace, "share", {"class": "AzureFile"})
    with pytest.raises(DatastoreException, match="file share"):
        share.store
    (tmp_path / "l").mkdir()
    local = Datastore.register_local(workspace, "l", tmp_path / "l")
    with pytest.raises(UserErrorException, match=r"b, .*c"):
        local.upload_files([tmp_path / "a", tmp_path / "b", tmp_path / "c"])
    with pytest.raises(UserErrorException, match="relative_root"):
        local.upload_files([tmp_path / "a"], tmp_path / "l")
    with pytest.raises(DatastoreException, match="outside"):
        local.upload_files([tmp_path / "a"], None, "../x")
    local.upload_files([tmp_path / "a"], tmp_path, "up/./", show_progress=False)
    assert local.download(tmp_path / "to", "u", show_progress=False) == 1
    assert (tmp_path / "to" / "up" / "a").exists()
    assert local.download(tmp_path / "to", "nothing", show_progress=False) == 0
