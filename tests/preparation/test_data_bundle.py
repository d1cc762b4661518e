"""A job's data in another workspace than that of its submission: lists and settings, no secrets."""

from __future__ import annotations

import json
import os

import pytest

from scriptrun import Dataset, Datastore, ScriptRunConfig, Workspace
from scriptrun.config.reader import ConfigReader
from scriptrun.core.dataset import OutputFileDatasetConfig
from scriptrun.data.datasets import content
from scriptrun.preparation import data_bundle
from scriptrun.spec.job import JobSpec
from scriptrun.submission import data_binding


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    return Workspace.create("here", path=tmp_path / "here")


def bound(workspace, *arguments):
    config = ScriptRunConfig(".", "x.py", arguments=list(arguments))
    binder = data_binding.DataBinding(ConfigReader(config), workspace)
    for each in arguments:
        binder.resolve(each)
    return binder


def test_what_was_packed_is_the_same_dataset_there(here, tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("A")
    store = Datastore.register_local(here, "files", tmp_path / "files")
    away = Datastore.register_azure_blob_container(
        here, "blob", "c", "account", account_key="c2VjcmV0", skip_validation=True
    )
    dataset = Dataset.File.from_files((store, "a.txt"))
    out = OutputFileDatasetConfig(destination=(away, "x"))
    data = bound(here, dataset.as_mount(), out).pinned()
    job = JobSpec("e_1_a", "e", "here", "now", data=data)
    value = json.loads(json.dumps(data_bundle.pack(here, job)))
    assert "c2VjcmV0" not in json.dumps(value)
    there = Workspace.create("there", path=tmp_path / "there")
    data_bundle.unpack(there, value)
    (listed,) = (there.directory / "manifests").glob("*.manifest")
    os.utime(listed, (0, 0))
    data_bundle.unpack(there, value)
    assert listed.stat().st_mtime > 0, "a prune would delete the list before the run needs it"
    pin = data.inputs[0].dataset
    (each,) = content.from_facts(pin.as_dict(), pin.definition, there).remote_files()
    assert b"".join(each.store.pieces(each.entry.path, each.entry.etag)) == b"A"
    assert Datastore.get(there, "blob").account_name == "account"


def test_directories_of_this_machine_are_refused_where_they_are_not_seen(here, tmp_path):
    (tmp_path / "a.txt").write_text("A")
    store = Datastore.register_local(here, "files", tmp_path)
    binder = bound(
        here,
        Dataset.File.from_files((store, "a.txt")).as_named_input("one"),
        Dataset.File.from_files(str(tmp_path / "a.txt")).as_named_input("two"),
        store.path("a.txt").as_download(),
        OutputFileDatasetConfig("out"),
    )
    reasons = binder.problems(is_local=False, is_remote=True)
    assert len(reasons) == 4 and all("cannot access" in reason for reason in reasons)
    assert "workspaceblobstore" in reasons[3]
    assert binder.problems(is_local=False) == []
