"""The parts of stores and of what is written down of them: digests, headers, settings, names."""

from __future__ import annotations

import base64
import email.utils
import hashlib
import io
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptrun import Dataset, Datastore
from scriptrun.data.datasets import consumption, selection, sources, versions
from scriptrun.data.datasets.manifest import ManifestRow
from scriptrun.data.datastores import records
from scriptrun.data.errors import (
    DatasetValidationError,
    DatastoreException,
    FileChanged,
    FileExists,
    FileMissing,
)
from scriptrun.data.stores import checksums, credentials, object_settings, probe, web_headers
from scriptrun.data.stores.local import LocalStore, names_to_upload, read_range
from scriptrun.spec.errors import UserErrorException
from scriptrun.store.secrets import vault

few = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])


# digests of what is sent


def s3_etag(data: bytes, part: int) -> str:
    """As S3 makes it of an upload in parts."""
    parts = [hashlib.md5(data[at : at + part]).digest() for at in range(0, len(data), part)]
    if len(parts) < 2:
        return hashlib.md5(data).hexdigest()
    return f"{hashlib.md5(b''.join(parts)).hexdigest()}-{len(parts)}"


@few
@given(st.binary(max_size=200), st.integers(1, 64), st.lists(st.integers(1, 90), max_size=9))
def test_an_etag_is_that_of_the_parts_however_it_is_read(data, part, reads):
    sums = checksums.EtagReader(io.BytesIO(data), part)
    got = b"".join(sums.read(count) for count in reads) + sums.read()
    assert got == data
    assert sums.size == len(data)
    assert sums.etag() == s3_etag(data, part)


def test_what_is_added_by_hand_counts_as_what_is_read():
    sums = checksums.EtagReader(None, 4)
    for piece in (b"ab", b"", b"cdefg", b"h"):
        sums.add(piece)
    assert (sums.size, sums.etag()) == (8, s3_etag(b"abcdefgh", 4))


@given(st.integers(0, 5 << 40))
def test_a_part_is_whole_mebibytes_and_s3_takes_as_many(size):
    part = checksums.part_size(size)
    assert part % (1 << 20) == 0
    assert part >= 8 << 20
    assert -(-size // part) <= 10_000


def test_the_size_of_an_open_file_is_what_is_left_of_it(tmp_path):
    (tmp_path / "x").write_bytes(b"0123456789")
    with open(tmp_path / "x", "rb") as file:
        file.read(4)
        assert checksums.remaining_size(file) == 6
        assert file.read() == b"456789"
        assert checksums.remaining_size(file) == 0


# headers


def header(kind: str, data: bytes) -> str:
    return base64.b64encode(hashlib.new(kind, data).digest()).decode()


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-MD5": header("md5", b"data")},
        {"Digest": f"md5={header('md5', b'data')}"},
        {"Digest": f"SHA-256={header('sha256', b'data')},unixsum=30637"},
        {"Repr-Digest": f"sha-256=:{header('sha256', b'data')}:"},
        {"Repr-Digest": f"sha-512=:{header('sha512', b'data')}:, md5=:AAAA:"},
        {"Repr-Digest": f"sha-256=:{header('sha256', b'data')}:", "Content-MD5": "not base64!"},
    ],
)
def test_a_digest_that_a_server_announces_is_known(headers):
    for data, right in ((b"data", True), (b"date", False), (b"", False)):
        announced = web_headers.expected_digest(headers)
        announced.add(data[:2])
        announced.add(data[2:])
        assert announced.matches() is right


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-MD5": ""},
        {"Content-MD5": "not base64!"},
        {"Content-MD5": header("sha256", b"data")},
        {"Digest": "crc32c=AAAAAA=="},
        {"Repr-Digest": "sha-256=:AAAA:"},
        {"Content-MD5": None, "Digest": None, "Repr-Digest": None},
    ],
)
def test_a_digest_that_says_nothing_is_none(headers):
    assert web_headers.expected_digest(headers) is None


def test_the_better_digest_counts():
    wrong, right = header("md5", b"other"), header("sha512", b"data")
    announced = web_headers.expected_digest({"Repr-Digest": f"md5=:{wrong}:, sha-512=:{right}:"})
    announced.add(b"data")
    assert announced.matches()


@given(st.dictionaries(st.sampled_from(["Repr-Digest", "Digest", "Content-MD5"]), st.text()))
def test_no_header_breaks_the_reader(headers):
    found = web_headers.expected_digest(headers)
    if found is not None:
        found.add(b"what no random digest fits")
        assert not found.matches()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0.0),
        ("", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("-7", 0.0),
        ("soon", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_how_long_to_wait(text, seconds):
    assert web_headers.retry_after_seconds(text) == seconds


def test_a_date_to_come_is_waited_for():
    text = email.utils.formatdate(time.time() + 86_400, usegmt=True)
    assert 80_000 < web_headers.retry_after_seconds(text) <= 86_400


# settings of object stores


@pytest.mark.parametrize(
    ("given_", "address"),
    [
        ({}, ""),
        ({"endpoint": "core.chinacloudapi.cn"}, "https://acc.blob.core.chinacloudapi.cn"),
        ({"protocol": "http"}, "http://acc.blob.core.windows.net"),
        ({"endpoint": "http://127.0.0.1:10000/acc"}, "http://127.0.0.1:10000/acc"),
        ({"endpoint": None, "protocol": None}, ""),
    ],
)
def test_where_an_account_answers(given_, address):
    assert object_settings.azure_endpoint({"account_name": "acc", **given_}) == address


def test_a_secret_that_is_no_pair_of_keys_is_refused_and_not_repeated():
    vault.store("pair", "onlyonehalf")
    with pytest.raises(DatastoreException) as caught:
        object_settings.s3({"bucket": "b", "secret": "pair"})
    assert "'pair'" in caught.value.message
    assert "onlyonehalf" not in f"{caught.value.message}{caught.value.hint}"


def test_a_pair_of_keys_may_hold_colons():
    pytest.importorskip("obstore")
    vault.store("pair", "id:sec:ret")
    config = object_settings.s3({"bucket": "b", "secret": "pair"}).config
    assert config["access_key_id"] == "id"
    assert config["secret_access_key"] == "sec:ret"


@pytest.mark.parametrize(
    ("named", "variables", "region"),
    [
        ("eu-central-1", {"AWS_REGION": "x"}, "eu-central-1"),
        (None, {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "x"}, "eu-west-1"),
        (None, {"AWS_DEFAULT_REGION": "eu-north-1"}, "eu-north-1"),
        (None, {}, "us-east-1"),
    ],
)
def test_the_region_of_a_bucket(monkeypatch, named, variables, region):
    pytest.importorskip("obstore")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    made = object_settings.s3({"bucket": "b", "region": named, "anonymous": True})
    assert made.config["region"] == region


def test_a_secret_that_is_not_there_is_a_datastores_error():
    with pytest.raises(DatastoreException) as caught:
        credentials.find("nothing-of-that-name")
    assert "nothing-of-that-name" in caught.value.message
    vault.store("there", "value")
    assert credentials.find("there") == "value"


def test_a_service_account_that_is_none_is_refused_and_not_repeated():
    pytest.importorskip("obstore")
    vault.store("google", "{not a key: hunter2")
    with pytest.raises(DatastoreException) as caught:
        object_settings.gcs({"bucket": "b", "secret": "google"})
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"


# directories of this machine


@pytest.fixture
def local(tmp_path, fill):
    store = LocalStore("here", tmp_path / "store")
    fill(store, {"a-b": "1", "a/x": "22", "a/y/z": "333", "ü 日": "4444", "b": b""})
    return store


def test_files_are_listed_in_the_order_of_their_whole_paths(local):
    paths = [entry.path for entry in local.list()]
    assert paths == sorted(["a-b", "a/x", "a/y/z", "b", "ü 日"])
    assert [entry.path for entry in local.list("a")] == ["a/x", "a/y/z"]
    assert list(local.list("gone")) == list(local.list("b")) == []
    assert {entry.path: entry.size for entry in local.list()}["a/y/z"] == 3


names = st.text("ab-./ ", min_size=1, max_size=4).filter(lambda n: n.strip(". /") and "/" not in n)


@few
@given(st.sets(st.lists(names, min_size=1, max_size=3).map("/".join), max_size=6))
def test_any_tree_is_listed_in_order(tmp_path_factory, paths):
    folder = tmp_path_factory.mktemp("tree")
    made = set()
    for path in sorted(paths):
        place = folder / path
        if any((folder / above).is_file() for above in Path(path).parents) or place.is_dir():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("")
        made.add(path)
    assert [entry.path for entry in LocalStore("x", folder).list()] == sorted(made)


def test_links_in_a_circle_end_and_what_is_being_written_is_not_listed(local):
    os.symlink("..", local.folder / "a" / "up")
    os.symlink("gone", local.folder / "a" / "dangling")
    (local.folder / "a" / ".x.scriptrun-part").write_text("half")
    paths = [entry.path for entry in local.list("a")]
    assert {"a/x", "a/y/z"} <= set(paths)
    assert not any("dangling" in path or "part" in path for path in paths)


def test_links_out_of_everything_and_loops_cost_no_listing(local):
    for name, target in {"loop": "loop", "root": "/", "dev": "/dev", "up": "../.."}.items():
        os.symlink(target, local.folder / "a" / name)
    assert {entry.path.split("/")[1] for entry in local.list("a")} == {"x", "y"}


def test_what_is_not_uploaded_is_named(local):
    folder = local.folder / "a"
    for name, target in {"loop": "loop", "root": "/", "dev": "/dev", "gone": "nothing"}.items():
        os.symlink(target, folder / name)
    os.symlink("y", folder / "again")
    with pytest.warns(UserWarning, match="Not uploaded") as said:
        names = names_to_upload(folder)
    assert names == ["again/z", "x", "y/z"]
    for name in ("loop", "root", "dev", "gone"):
        assert f"{name} (it" in str(said[0].message)


@pytest.mark.parametrize("path", ["gone", "b/gone", "gone/gone"])
def test_a_file_that_is_not_there(local, path):
    assert local.stat(path) is None
    with pytest.raises(FileMissing) as caught:
        local.read(path, 0, 1)
    assert repr(path) in str(caught.value)
    with pytest.raises(FileMissing):
        list(local.pieces(path))
    assert local.stat("a") is None  # a folder is no file


@pytest.mark.parametrize(
    ("start", "end", "data"),
    [
        (0, 9, b"333"),
        (0, 0, b""),
        (1, 2, b"3"),
        (2, 9, b"3"),
        (3, 9, b""),
        (7, 9, b""),
        (2, 1, b""),
    ],
)
def test_ranges_end_where_the_file_does(local, start, end, data):
    assert local.read("a/y/z", start, end) == data
    if start <= end:
        assert b"".join(local.pieces("a/y/z", "", start, end)) == data


@few
@given(st.binary(max_size=40), st.integers(0, 50), st.one_of(st.none(), st.integers(0, 50)))
def test_a_range_is_a_slice(data, start, end):
    if end is not None:
        end = max(start, end)
    assert b"".join(read_range(io.BytesIO(data), start, end)) == data[start:end]


def test_a_file_that_changed_is_not_read_for_the_old_one(local):
    etag = local.stat("a/x").etag
    assert local.read("a/x", 0, 9, etag) == b"22"
    place = local.folder / "a" / "x"
    os.utime(place, ns=(1, 1))
    for read in (lambda: local.read("a/x", 0, 9, etag), lambda: list(local.pieces("a/x", etag))):
        with pytest.raises(FileChanged):
            read()


def test_a_new_file_replaces_none(local):
    with pytest.raises(FileExists):
        local.write("a/x", io.BytesIO(b"new"), new=True)
    assert local.read("a/x", 0, 9) == b"22"
    assert local.write("deep/er/x", io.BytesIO(b"new"), new=True).size == 3
    assert local.write("a/x", io.BytesIO(b"other")).size == 5
    left = [p.name for p in local.folder.rglob("*") if "part" in p.name]
    assert left == []


@pytest.mark.parametrize("path", ["a", "b/x"])
def test_what_cannot_be_written_is_a_sentence_and_leaves_nothing(local, path):
    before = sorted(local.folder.rglob("*"))
    with pytest.raises(DatastoreException) as caught:
        local.write(path, io.BytesIO(b"x"))
    assert path in str(caught.value)
    assert sorted(local.folder.rglob("*")) == before


def test_only_what_is_left_of_a_file_is_written(local):
    file = io.BytesIO(b"0123")
    file.read(2)
    assert local.write("rest", file).size == 2
    assert local.read("rest", 0, 9) == b"23"


# what a datastore allows


def test_a_probe_leaves_nothing_behind(workspace, tmp_path):
    (tmp_path / "d").mkdir()
    found = probe.probe(Datastore.register_local(workspace, "d", str(tmp_path / "d")))
    assert found.may == dict.fromkeys(probe.ACTIONS, True)
    assert not found.has_problems
    assert list((tmp_path / "d").iterdir()) == []


def test_a_probe_that_may_not_write_tries_to_read(workspace, tmp_path):
    (tmp_path / "d").mkdir()
    datastore = Datastore.register_local(workspace, "d", str(tmp_path / "d"))
    empty = probe.probe(datastore, writes=False)
    assert (empty.may["list"], empty.may["read"], empty.may["write"]) == (
        True,
        None,
        None,
    )
    assert set(empty.notes) == {"read", "write", "delete"}
    (tmp_path / "d" / "a").write_text("x")
    assert probe.probe(datastore, writes=False).may["read"] is True
    gone = probe.probe(datastore, "gone", writes=False)
    assert gone.may["read"] is False
    assert "gone" in gone.reasons["read"]


# records of datastores


@pytest.mark.parametrize(
    "name", ["", "a-b", "a b", "a/b", "ü", "a" * 256, "a.b", ".default", "a\n"]
)
def test_a_name_that_no_variable_can_have_is_refused(workspace, name):
    assert not records.is_name(name)
    before = records.names(workspace)
    with pytest.raises(DatastoreException):
        records.put(workspace, name, {"class": "Local", "path": "/x"}, overwrite=True)
    with pytest.raises(DatastoreException):
        records.get(workspace, name)
    assert records.names(workspace) == before


@pytest.mark.parametrize("name", [None, 1, b"a", ["a"]])
def test_what_is_no_text_is_no_name(name):
    assert not records.is_name(name)


def test_a_record_is_only_replaced_on_purpose(workspace):
    one, two = {"class": "Local", "path": "/1"}, {"class": "Local", "path": "/2"}
    records.put(workspace, "d", one, overwrite=False)
    records.put(workspace, "d", one, overwrite=False)
    with pytest.raises(DatastoreException):
        records.put(workspace, "d", two, overwrite=False)
    assert records.get(workspace, "d") == one
    records.put(workspace, "d", two, overwrite=True)
    assert records.get(workspace, "d") == two


def test_the_workspaces_own_datastores_are_always_there(workspace):
    for name in (records.DEFAULT, records.FILES, records.RUNS):
        assert records.get(workspace, name)["class"] == "Local"
        with pytest.raises(DatastoreException):
            records.remove(workspace, name)
    assert records.RUNS not in records.names(workspace)


def test_a_default_that_is_removed_gives_way_to_the_first(workspace):
    records.put(workspace, "d", {"class": "Local", "path": "/1"}, overwrite=False)
    with pytest.raises(DatastoreException):
        records.set_default(workspace, "gone")
    records.set_default(workspace, "d")
    assert records.default(workspace) == "d"
    assert ".default" not in records.names(workspace)
    records.remove(workspace, "d")
    assert records.default(workspace) == records.DEFAULT
    with pytest.raises(DatastoreException):
        records.remove(workspace, "d")


# versions of datasets

FACTS = {"type": "file", "definition": {}}


def test_versions_count_up_and_equal_ones_keep_their_number(workspace):
    add = versions.add
    assert add(workspace, "n", {**FACTS, "files": 1}, False)["version"] == 1
    with pytest.raises(UserErrorException):
        add(workspace, "n", {**FACTS, "files": 2}, False)
    assert add(workspace, "n", {**FACTS, "files": 1}, True)["version"] == 1
    assert add(workspace, "n", {**FACTS, "files": 2}, True)["version"] == 2
    assert add(workspace, "n", {**FACTS, "files": 1}, True)["version"] == 3
    assert versions.version_numbers(workspace, "n") == [1, 2, 3]
    assert versions.get(workspace, "n")["files"] == 1
    assert versions.get(workspace, "n", 2)["files"] == 2


@pytest.mark.parametrize("name", ["größe / 日本", "a:b", "..", ".hidden", "a\nb", "x" * 200, "CON"])
def test_any_text_names_a_dataset(workspace, name):
    head = versions.add(workspace, name, {**FACTS, "files": 1}, False)
    assert versions.names(workspace) == [name]
    assert versions.find_by_id(workspace, head["id"])["name"] == name
    versions.remove(workspace, name)
    assert versions.names(workspace) == []


@pytest.mark.parametrize("name", ["", "  ", None, 3])
def test_what_is_no_name_of_a_dataset_is_refused(workspace, name):
    with pytest.raises(UserErrorException):
        versions.add(workspace, name, {}, True)
    with pytest.raises(UserErrorException):
        versions.get(workspace, name)


def test_only_words_of_a_version_can_change(workspace):
    head = versions.add(workspace, "n", {**FACTS, "files": 1}, False)
    changed = versions.change(workspace, head, {"tags": {"a": "b"}, "description": "d"})
    assert (changed["tags"], changed["description"]) == ({"a": "b"}, "d")
    assert versions.get(workspace, "n", 1)["id"] == head["id"]
    with pytest.raises(UserErrorException) as caught:
        versions.get(workspace, "n", 2)
    assert "2" in str(caught.value)
    with pytest.raises(UserErrorException):
        versions.find_by_id(workspace, "no such id")


@pytest.mark.parametrize(
    ("version", "number"), [(None, None), ("latest", None), (3, 3), ("3", 3), ("03", 3)]
)
def test_versions_as_v1_writes_them(version, number):
    assert versions.parse_version(version) == number


@pytest.mark.parametrize("version", ["", "x", "-1", "1.0", 1.0, [1], "Latest"])
def test_what_is_no_version_is_refused(version):
    with pytest.raises(DatasetValidationError):
        versions.parse_version(version)


# where files come from


@pytest.mark.parametrize(
    "address",
    [
        "https://u:hunter2@h/a",
        "https://hunter2@h/a",
        "https://h/a?sig=hunter2",
        "https://h/a?X-Amz-Signature=hunter2",
        "https://h/a?b=1&Access_Token=hunter2",
        "https://h/a?apikey=hunter2",
    ],
)
def test_an_address_with_a_credential_is_refused_and_not_repeated(address):
    with pytest.raises(DatasetValidationError) as caught:
        sources.parse(address)
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize(
    ("text", "url", "path", "query"),
    [
        ("https://h/a/b%20c.csv", "https://h", "a/b c.csv", ""),
        ("http://h:8080/a?year=2020", "http://h:8080", "a", "?year=2020"),
        ("file:///a/b%20c", "file://", "a/b c", ""),
        ("/a//./b/", "file://", "a/b", ""),
    ],
)
def test_addresses_and_local_paths_are_sources(text, url, path, query):
    (found,) = sources.parse(text)
    assert (found.store_ref.url, found.path, found.store_ref.query) == (url, path, query)
    assert sources.read_source(found.value(), None) == found


@pytest.mark.parametrize(
    "path",
    [
        [],
        "a/b",
        "https://h/",
        "https://h",
        "file:a",
        "/a/../b",
        "https://h/../a",
        3,
        None,
        ("x", "y"),
    ],
)
def test_what_is_no_source_is_refused(path):
    with pytest.raises((DatasetValidationError, DatastoreException)):
        sources.parse(path)


def test_sources_of_a_datastore(workspace, fill):
    datastore = workspace.get_default_datastore()
    fill(datastore.store, {"a/1.txt": "1", "a/b/2.txt": "2", "a/3.csv": "3", "ax": "4"})

    def found(path):
        return [e.path for source in sources.parse((datastore, path)) for e in source.entries()]

    assert found("a/*.txt") == ["a/1.txt"]
    assert found("a/**/*.txt") == ["a/1.txt", "a/b/2.txt"]
    assert found("a") == found("a/") == ["a/1.txt", "a/3.csv", "a/b/2.txt"]
    assert found(["a/3.csv", "ax"]) == ["a/3.csv", "ax"]
    assert found("gone") == found("g*ne") == []
    assert len(found("")) == len(found(None)) == 4
    (one,) = sources.parse((datastore, "a/*.txt"))
    assert one.folder == "a"
    assert sources.read_source(one.value(), workspace).value() == one.value()
    with pytest.raises(DatasetValidationError):
        sources.read_source(one.value(), None)
    with pytest.raises(DatastoreException):
        sources.parse((datastore, "../x"))


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*.png", "a/b/c.png", True),
        ("*.png", "c.png", True),
        ("*.png", "c.png/x", False),
        ("a/*.png", "a/c.png", True),
        ("a/*.png", "a/b/c.png", False),
        ("a/**", "a/b/c", True),
        ("a.b", "axb", False),
        ("a[1]", "a[1]", True),
    ],
)
def test_patterns_below_a_folder(pattern, path, fits):
    assert sources.path_matcher(pattern)(path) is fits


# choosing among files

ROWS = [ManifestRow(f"f{n:03}", n, "e") for n in range(200)]


def test_steps_are_taken_in_their_order():
    def left(*steps):
        return [row.size for row in selection.apply(ROWS, list(steps))]

    assert left() == list(range(200))
    assert left(selection.skip(5), selection.take(2)) == [5, 6]
    assert left(selection.take(2), selection.skip(5)) == []
    assert left(selection.take(0)) == left(selection.skip(500)) == []


@few
@given(st.floats(0, 1), st.integers(-(2**70), 2**70))
def test_the_parts_of_a_split_are_the_whole(share, seed):
    low = list(selection.apply(ROWS, [selection.part(0.0, share, seed)]))
    high = list(selection.apply(ROWS, [selection.part(share, 1.0, seed)]))
    assert not set(low) & set(high)
    assert sorted(low + high) == ROWS


@given(st.text(st.characters()), st.binary(max_size=80))
def test_a_share_is_below_one_and_always_the_same(path, key):
    assert 0 <= selection.path_share(path, key) < 1
    assert selection.path_share(path, key) == selection.path_share(path, key)


def test_a_sample_has_about_its_size():
    part = list(selection.apply(ROWS, [selection.part(0.0, 0.5, 7)]))
    other = list(selection.apply(ROWS, [selection.part(0.0, 0.5, 8)]))
    assert 60 < len(part) < 140
    assert part != other


@pytest.mark.parametrize("count", [-1, True, 1.0, "1", None])
def test_what_is_no_number_of_files_is_refused(count):
    for step in (selection.skip, selection.take):
        with pytest.raises(DatasetValidationError):
            step(count)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_what_is_no_fraction_is_refused(value):
    with pytest.raises(DatasetValidationError) as caught:
        selection.fraction(value, "percentage")
    assert "percentage" in str(caught.value)
    assert selection.fraction(1, "x") == 1.0


# inputs and outputs of jobs


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "ü", "a.b", "a\n", None, 3])
def test_what_can_be_no_variable_names_no_input(workspace, name):
    with pytest.raises(DatasetValidationError):
        consumption.check_name(name, "an input")


@pytest.fixture
def dataset(workspace, fill):
    datastore = workspace.get_default_datastore()
    fill(datastore.store, {"a/1.txt": "1"})
    return Dataset.File.from_files((datastore, "a"))


def test_an_input_is_delivered_in_one_of_the_known_ways(dataset):
    config = consumption.DatasetConsumptionConfig("x", dataset)
    assert config.mode == "direct"
    assert config.as_mount("/m").mode == "mount"
    assert config.as_mount(Path("/m")).path_on_compute == "/m"
    assert config.as_download().mode == "download"
    assert (config.mode, config.path_on_compute) == ("direct", None)
    for mode in ("hdfs", "", None, "Mount"):
        with pytest.raises(DatasetValidationError):
            consumption.DatasetConsumptionConfig("x", dataset, mode)
    with pytest.raises(DatasetValidationError):
        consumption.DatasetConsumptionConfig("x", dataset, path_on_compute=3)


def test_an_output_is_described_without_what_it_was_made_from(workspace):
    out = consumption.OutputFileDatasetConfig("o", (workspace.get_default_datastore(), "/x/./y/"))
    uploaded = out.as_upload(source_globs="*.txt").register_on_complete("n", tags={"a": "b"})
    told = uploaded.describe(workspace)
    assert (told["mode"], told["path"], told["source_globs"]) == ("upload", "x/y", ["*.txt"])
    assert told["registration"] == {"name": "n", "description": None, "tags": {"a": "b"}}
    assert (out.mode, out.registration) == ("mount", None)
    plain = consumption.OutputFileDatasetConfig()
    assert plain.name != consumption.OutputFileDatasetConfig().name
    assert "{run-id}" in plain.describe(workspace)["path"]


@pytest.mark.parametrize("destination", ["x", ("x", "y"), ("x",), 3, [None, "x"]])
def test_an_output_goes_to_a_datastore(destination):
    with pytest.raises(DatasetValidationError):
        consumption.OutputFileDatasetConfig("o", destination)
    with pytest.raises(DatasetValidationError):
        consumption.OutputFileDatasetConfig("o").as_input()
