"""Datasets of files on local datastores: patterns, versions, what is fixed, what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun import Dataset, Datastore, Workspace
from scriptrun.data.datasets import manifest
from scriptrun.data.errors import DatasetExecutionError, DatasetValidationError
from scriptrun.data.stores import globs
from scriptrun.exceptions import UserErrorException

FILES = {
    "mnist/train/a.gz": "a",
    "mnist/train/b.gz": "bb",
    "mnist/test/c.gz": "ccc",
    "mnist/labels.csv": "x,y",
    "other/d.gz": "dddd",
}


@pytest.fixture
def store(workspace, fill):
    made = workspace.get_default_datastore()
    fill(made.store, FILES)
    return made


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("mnist/**/*.gz", ["/test/c.gz", "/train/a.gz", "/train/b.gz"]),
        ("mnist/*/a.gz", ["/train/a.gz"]),
        ("mnist/*.csv", ["/labels.csv"]),
        ("mnist/train", ["/a.gz", "/b.gz"]),
        ("/mnist/train/", ["/a.gz", "/b.gz"]),
        ("mnist/train/b.gz", ["/b.gz"]),
        ("**/d.gz", ["/other/d.gz"]),
        ("mnist/tr*/**", ["/train/a.gz", "/train/b.gz"]),
    ],
)
def test_paths_are_relative_to_what_the_text_names(store, path, found):
    assert Dataset.File.from_files((store, path)).to_path() == found


def test_several_paths_of_one_place_share_their_folder(store):
    one = Dataset.File.from_files([(store, "mnist/train"), (store, ["mnist/test/*", "mnist/t*/*"])])
    assert one.to_path() == ["/test/c.gz", "/train/a.gz", "/train/b.gz"]


def test_several_places_come_with_their_names(workspace, store, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x.gz").write_text("x")
    more = Datastore.register_local(workspace, "more", tmp_path / "more")
    both = Dataset.File.from_files([(store, "other/*"), (more, "*")])
    assert both.to_path() == ["/more/x.gz", "/workspaceblobstore/other/d.gz"]


def test_what_finds_nothing_is_named(store):
    with pytest.raises(
        DatasetValidationError, match=r"No files found at mnist/\*\.png in workspaceblob"
    ):
        Dataset.File.from_files([(store, "mnist/**"), (store, "mnist/*.png")])
    with pytest.raises(DatasetValidationError, match="No files found at nothing"):
        Dataset.File.from_files((store, "nothing"), validate=False).to_path()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("relative/x", "nor an absolute path"),
        ("https://user:pw@host/x.csv", "contains a credential"),
        ("https://host/x.csv?sv=1&sig=abc", "contains a credential"),
        ("https://host/", "does not name a file"),
        (("name", "x"), "must be a datastore"),
        ([], "at least one"),
        (42, "not 42"),
    ],
)
def test_bad_paths_are_one_sentence(path, words):
    with pytest.raises(DatasetValidationError, match=words) as caught:
        Dataset.File.from_files(path)
    assert "abc" not in str(caught.value) and "pw" not in str(caught.value)


def test_nothing_leads_out_of_a_datastore(store):
    with pytest.raises(UserErrorException, match="is outside workspaceblobstore"):
        Dataset.File.from_files((store, "../x"))
    with pytest.raises(UserErrorException, match="is outside"):
        store.path("a/../../b")
    with pytest.raises(DatasetValidationError, match="or a list of these, not"):
        Dataset.File.from_files((store, 5))
    with pytest.raises(DatasetValidationError, match="path_on_compute must be a path, not 5"):
        Dataset.File.from_files((store, "x"), validate=False).as_mount(5)


def test_a_version_is_fixed_and_numbered(workspace, store, fill):
    first = Dataset.File.from_files((store, "mnist/**")).register(workspace, "mnist", "words")
    assert (first.name, first.version, first.description) == ("mnist", 1, "words")
    again = Dataset.File.from_files((store, "mnist/**"))
    with pytest.raises(UserErrorException, match="create_new_version=True"):
        again.register(workspace, "mnist")
    assert again.register(workspace, "mnist", "words", create_new_version=True).version == 1
    fill(store.store, {"mnist/new": "new"})
    second = again.register(workspace, "mnist", create_new_version=True)
    assert second.version == 2
    assert len(Dataset.get_by_name(workspace, "mnist").to_path()) == 5
    assert len(Dataset.get_by_name(workspace, "mnist", version=1).to_path()) == 4
    assert Dataset.get_by_name(workspace, "mnist", version="1").id == first.id != second.id
    assert Dataset.get_by_id(workspace, first.id).version == 1
    assert second.versions() == [1, 2]
    assert {name: each.version for name, each in workspace.datasets.items()} == {"mnist": 2}


def test_unknown_names_versions_and_ids_say_what_there_is(workspace, store):
    Dataset.File.from_files((store, "mnist")).register(workspace, "mnist")
    with pytest.raises(UserErrorException, match=r"Dataset 'mnst' not found(.|\n)*mnist"):
        Dataset.get_by_name(workspace, "mnst")
    with pytest.raises(UserErrorException, match="no version 7"):
        Dataset.get_by_name(workspace, "mnist", version=7)
    with pytest.raises(UserErrorException, match="Dataset with ID 'x' not found"):
        Dataset.get_by_id(workspace, "x")
    with pytest.raises(UserErrorException, match="'newest'"):
        Dataset.get_by_name(workspace, "mnist", version="newest")


def test_tags_change_and_the_version_does_not(workspace, store):
    made = Dataset.File.from_files((store, "mnist")).register(workspace, "m", tags={"a": "1"})
    made.add_tags({"b": "2"})
    made.remove_tags(["a"])
    made.update(description="better")
    found = Dataset.get_by_name(workspace, "m")
    assert (found.tags, found.description, found.version) == ({"b": "2"}, "better", 1)
    found.unregister_all_versions()
    assert Dataset.get_all(workspace) == {}
    with pytest.raises(UserErrorException, match="Dataset 'm' not found"):
        Dataset.get_by_name(workspace, "m")


def test_a_changed_or_deleted_file_of_a_version_is_an_error(workspace, store, fill, tmp_path):
    kept = Dataset.File.from_files((store, "mnist/train")).register(workspace, "m")
    assert [Path(p).name for p in kept.download(tmp_path / "one")] == ["a.gz", "b.gz"]
    fill(store.store, {"mnist/train/a.gz": "A"})  # the same size
    os.utime(store.root / "mnist/train/a.gz", ns=(1, 1))
    with pytest.raises(DatasetExecutionError, match=r"train/a\.gz(.|\n)*version 1 of 'm'"):
        kept.download(tmp_path / "two")
    store.store.delete("mnist/train/a.gz")
    with pytest.raises(DatasetExecutionError, match=r"File 'mnist/train/a\.gz' not found"):
        kept.download(tmp_path / "three")
    got = kept.download(tmp_path / "four", ignore_not_found=True)
    assert got == [str(tmp_path / "four" / "b.gz")]
    assert not list(tmp_path.glob("*/.*.part"))


def test_download_overwrites_only_when_told(store, tmp_path):
    data = Dataset.File.from_files((store, "mnist/labels.csv"))
    (tmp_path / "labels.csv").write_text("mine")
    with pytest.raises(UserErrorException, match="exists already"):
        data.download(tmp_path)
    data.download(tmp_path, overwrite=True)
    assert (tmp_path / "labels.csv").read_text() == "x,y"


def test_take_skip_and_splits_share_nothing(workspace, store, fill):
    fill(store.store, {f"many/{n:03}": "x" for n in range(200)})
    many = Dataset.File.from_files((store, "many")).register(workspace, "many")
    assert many.take(2).to_path() == ["/000", "/001"]
    assert many.skip(198).to_path() == ["/198", "/199"]
    assert many.skip(10).take(1).to_path() == ["/010"]
    one, two = many.random_split(0.3, seed=7)
    assert sorted(one.to_path() + two.to_path()) == many.to_path()
    assert 20 < len(one.to_path()) < 100
    assert one.to_path() == many.random_split(0.3, seed=7)[0].to_path()
    sample = many.take_sample(0.5)
    assert sample.to_path() == sample.to_path()
    kept = one.register(workspace, "part")
    assert kept.to_path() == one.to_path()
    with pytest.raises(UserErrorException, match="from 0 to 1"):
        many.random_split(30)


def test_a_pinned_dataset_is_small_json_without_listing(workspace, store, fill):
    fill(store.store, {f"many/{n:03}": "x" for n in range(200)})
    many = Dataset.File.from_files((store, "many")).register(workspace, "many")
    pinned = many.pin(workspace)
    assert (pinned["files"], pinned["bytes"], pinned["version"]) == (200, 200, 1)
    assert len(json.dumps(pinned)) < 1000
    fill(store.store, {"many/later": "x"})
    assert many.pin(workspace) == pinned
    assert Dataset.File.from_files((store, "many")).pin(workspace)["files"] == 201


def test_mount_shows_the_files_while_the_block_lasts(store, tmp_path):
    data = Dataset.File.from_files((store, "mnist/**/*.gz"))
    with data.mount() as context:
        place = Path(context.mount_point)
        assert (place / "train" / "b.gz").read_text() == "bb"
    assert not place.exists()
    assert (store.root / "mnist/train/b.gz").read_text() == "bb"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(UserErrorException, match="not empty"), data.mount(tmp_path / "full"):
        pass


def test_upload_directory_is_a_dataset(store, tmp_path):
    for name in ("a.csv", "deep/b.csv", "c.txt"):
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).write_text(name)
    made = Dataset.File.upload_directory(tmp_path / "src", (store, "up"), pattern="*.csv")
    assert made.to_path() == ["/a.csv", "/deep/b.csv"]


def test_a_workspace_that_moves_keeps_its_datasets(workspace, store, tmp_path):
    Dataset.File.from_files((store, "mnist")).register(workspace, "m")
    (tmp_path / "workspace").rename(tmp_path / "moved")
    moved = Workspace(tmp_path / "moved")
    assert len(Dataset.get_by_name(moved, "m").download(tmp_path / "out")) == 4


NAMES = st.text(st.characters(blacklist_categories=["Cc"]), min_size=1, max_size=8)


@settings(max_examples=30)
@given(st.lists(st.tuples(NAMES, st.integers(-1, 2**60), st.text(max_size=5)), max_size=30))
def test_a_manifest_comes_back_as_it_was_written(tmp_path_factory, files):
    rows = sorted(
        {path: manifest.ManifestRow(path, size, etag, 3) for path, size, etag in files}.values()
    )
    folder = tmp_path_factory.mktemp("manifest")
    done = manifest.write(folder, iter(rows))
    read = manifest.Manifest(manifest.manifest_path(folder, done.digest))
    assert list(read.rows()) == rows
    for row in rows:
        assert read.find(row.path) == row
    assert read.find("") is None
    if len(rows) > 1:
        with pytest.raises(manifest.UnsortedRows):
            manifest.write(folder, reversed(rows))


def test_a_long_manifest_is_read_in_blocks(tmp_path):
    rows = [manifest.ManifestRow(f"d/{n:06}", n, "e") for n in range(10_000)]
    done = manifest.write(tmp_path, rows)
    read = manifest.Manifest(manifest.manifest_path(tmp_path, done.digest))
    assert list(read.skip(9_998)) == rows[9_998:]
    assert list(read.rows("d/009999")) == rows[9_999:]
    assert read.find("d/004096") == rows[4096] and read.find("d/x") is None
    data = read.path.read_bytes()
    read.path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    with pytest.raises(DatasetExecutionError, match="damaged"):
        list(manifest.Manifest(read.path).rows())
    read.path.write_bytes(data[:-5])
    with pytest.raises(DatasetExecutionError, match="damaged"):
        list(manifest.Manifest(read.path).rows())


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("a/*.b", "a/x.b", True),
        ("a/*.b", "a/x/y.b", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/xb", False),
        ("a/**", "a/x/y", True),
        ("a/x**", "a/x/y", True),
        ("a.b", "aXb", False),
        ("**/*[1].txt", "d/x[1].txt", True),
    ],
)
def test_patterns(pattern, path, fits):
    assert bool(globs.compile_glob(pattern).fullmatch(path)) is fits
