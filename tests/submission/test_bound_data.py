"""A job's data before it is submitted: what is wrong is said, and the same is known as the same."""

from __future__ import annotations

import os

import pytest

from scriptrun import Dataset, Datastore, Workspace
from scriptrun.data.datasets.consumption import OutputFileDatasetConfig
from scriptrun.data.errors import DatasetValidationError, DatastoreException
from scriptrun.spec.errors import ScriptrunError
from scriptrun.spec.job_data import JobInput, JobOutput
from scriptrun.submission import bound_data
from scriptrun.submission.bound_data import DataOutput, DatasetInput, ReferenceInput


@pytest.fixture
def home(tmp_path):
    return Workspace.create("w", path=tmp_path / "home")


@pytest.fixture
def store(home):
    made = home.get_default_datastore()
    (made.store.folder / "in").mkdir(parents=True, exist_ok=True)
    (made.store.folder / "in" / "a").write_text("a,b\n1,2\n")
    return made


def test_a_dataset_is_pinned_to_its_files(home, store):
    config = Dataset.File.from_files((store, "in/**")).as_named_input("d").as_download("/tmp/d")
    bound = DatasetInput(config, ["OLD"], overwrite=True)
    bound.check(home)
    described = bound.described(home)
    assert (described.name, described.mode, described.variables) == (
        "d", "download", ("OLD",),
    )  # fmt: skip
    assert described.dataset is None and bound.pinned(home).dataset.id
    assert (bound.is_link, bound.notes(is_local=True)) == (False, [])
    assert [each.folder for each in bound.stores(home)] == [store.store.folder]


def test_the_same_dataset_in_another_way_is_not_the_same(home, store):
    data = Dataset.File.from_files((store, "in/a"))
    one, two = (DatasetInput(data.as_named_input("d").as_mount()) for _ in range(2))
    other = DatasetInput(data.as_named_input("d").as_download())
    assert one.same(two) and not one.same(other)
    assert not one.same(DataOutput(OutputFileDatasetConfig("d")))
    assert one.is_link and isinstance(one.described(home), JobInput)


def test_what_finds_nothing_or_is_no_file_is_refused(home, store):
    nothing = Dataset.File.from_files((store, "none/*"), validate=False)
    with pytest.raises(ScriptrunError, match="none"):
        DatasetInput(nothing.as_named_input("d").as_mount()).check(home)
    table = Dataset.Tabular.from_delimited_files((store, "in/a")).as_named_input("t")
    table.mode = "mount"
    with pytest.raises(DatasetValidationError, match="tabular"):
        DatasetInput(table).check(home)


def test_a_datastore_of_another_workspace_is_refused(home, store, tmp_path):
    other = Workspace.create("o", path=tmp_path / "other")
    elsewhere = Datastore.register_local(other, "mine", str(tmp_path))
    Datastore.register_local(home, "mine", str(tmp_path / "home"))
    with pytest.raises(DatastoreException, match="different datastore"):
        bound_data.check_datastore(elsewhere, home)
    with pytest.raises(DatastoreException, match="different datastore"):
        ReferenceInput(elsewhere.path("x")).check(home)
    bound_data.check_datastore(store, home)
    unknown = Datastore.register_local(other, "unknown", str(tmp_path))
    with pytest.raises(ScriptrunError, match="unknown"):
        DataOutput(OutputFileDatasetConfig("out", (unknown, "x"))).check(home)


def test_a_local_folder_is_linked_as_it_is_and_patterns_are_not(home, store):
    live = ReferenceInput(store.path("not/there/yet", "in").as_mount())
    live.check(home)
    assert live.is_live and live.pinned(home).dataset is None
    for reference in (store.path("in/*", "in").as_mount(), store.path("in", "in").as_download()):
        bound = ReferenceInput(reference)
        assert not bound.is_live and bound.pinned(home).dataset
    with pytest.raises(ScriptrunError, match="none"):
        ReferenceInput(store.path("none", "in").as_download()).check(home)


def test_a_reference_is_an_output_where_it_uploads(home, store):
    assert isinstance(ReferenceInput.from_reference(store.path("x", "r")), ReferenceInput)
    made = ReferenceInput.from_reference(store.path("x", "9r").as_upload("place", overwrite=True))
    assert isinstance(made, DataOutput) and made.name == "9r"
    told = made.described(home)
    assert (told.mode, told.path, told.source, told.overwrite) == (
        "upload", "x", "place", True,
    )  # fmt: skip
    assert told == made.pinned(home)
    again = ReferenceInput.from_reference(store.path("x", "9r").as_upload("place", overwrite=True))
    other = ReferenceInput.from_reference(store.path("y", "9r").as_upload("place", overwrite=True))
    assert made.same(again) and not made.same(other)


def test_references_are_the_same_by_their_place(store):
    one, two = (ReferenceInput(store.path("./a//b", "r")) for _ in range(2))
    assert one.same(two) and one.path == "a/b"
    assert not one.same(ReferenceInput(store.path("a/b", "q")))
    assert not one.same(DataOutput(OutputFileDatasetConfig("r")))


def test_an_output_goes_to_the_default_datastore_under_the_runs_id(home, store):
    bound = DataOutput(OutputFileDatasetConfig("out"))
    bound.check(home)
    told = bound.described(home)
    assert (told.datastore, told.path) == (store.name, "dataset/{run-id}/{output-name}")
    assert isinstance(told, JobOutput) and bound.notes(is_local=True) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_takes_no_output(home, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    closed = Datastore.register_local(home, "closed", tmp_path / "closed")
    with pytest.raises(DatastoreException, match="not writable"):
        DataOutput(OutputFileDatasetConfig("out", (closed, "x"))).check(home)
