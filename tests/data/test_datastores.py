"""The workspace's own datastores are directories that files are copied into and out of."""

from __future__ import annotations

import pytest

from scriptrun import Workspace
from scriptrun.exceptions import UserErrorException


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create("data", path=tmp_path)


def test_two_datastores_always_exist(workspace):
    assert set(workspace.datastores) == {"workspaceblobstore", "workspacefilestore"}
    assert workspace.get_default_datastore().name == "workspaceblobstore"


def test_a_tree_comes_back_as_it_was(workspace, tmp_path):
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "a.txt").write_text("a")
    (source / "deep" / "ü.txt").write_text("b")
    store = workspace.get_default_datastore()
    reference = store.upload(source, "mnist", show_progress=False)
    assert (reference.datastore.name, reference.path_on_datastore) == (store.name, "mnist")
    assert sorted(each.path for each in store.store.list()) == ["mnist/a.txt", "mnist/deep/ü.txt"]
    assert store.download(tmp_path / "back", prefix="mnist/deep", show_progress=False) == 1
    assert (tmp_path / "back" / "mnist" / "deep" / "ü.txt").read_text() == "b"


def test_what_is_there_stays_unless_overwritten(workspace, tmp_path):
    file = tmp_path / "x.csv"
    store = workspace.get_default_datastore()
    file.write_text("old")
    store.upload_files([file], show_progress=False)
    file.write_text("new")
    store.upload_files([file], show_progress=False)
    assert (store.root / "x.csv").read_text() == "old"
    store.upload_files([file], overwrite=True, show_progress=False)
    assert (store.root / "x.csv").read_text() == "new"


def test_files_keep_their_folders_below_the_relative_root(workspace, tmp_path):
    file = tmp_path / "a" / "b" / "c.txt"
    file.parent.mkdir(parents=True)
    file.write_text("c")
    store = workspace.get_default_datastore()
    store.upload_files([file], relative_root=tmp_path / "a", target_path="t", show_progress=False)
    assert (store.root / "t" / "b" / "c.txt").read_text() == "c"


def test_nothing_leaves_the_datastore(workspace, tmp_path):
    with pytest.raises(UserErrorException, match="is outside"):
        workspace.get_default_datastore().upload(tmp_path, "../../elsewhere")


def test_every_missing_file_is_named(workspace):
    with pytest.raises(UserErrorException, match=r"one\.txt, two\.txt"):
        workspace.get_default_datastore().upload_files(["one.txt", "two.txt"])
