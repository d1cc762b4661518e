"""The workspace's own datastores are directories that files are copied into and out of."""

from __future__ import annotations

import sys
import threading

import pytest

from scriptrun import Datastore, Workspace
from scriptrun.data.errors import DatastoreException, StoreUnreachable
from scriptrun.data.stores import probe
from scriptrun.exceptions import UserErrorException
from scriptrun.store.secrets import vault


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


#: where nothing listens
NOWHERE = "http://127.0.0.1:1"


def test_a_store_that_cannot_be_reached_is_registered_with_a_warning(workspace, own_secrets):
    with pytest.warns(UserWarning, match="'away' is registered, but was not checked: .*reach"):
        made = Datastore.register_azure_blob_container(
            workspace, "away", "c", "account", account_key="c2VjcmV0", endpoint=NOWHERE
        )
    assert Datastore.get(workspace, "away").name == made.name
    assert vault.exists(made.settings["secret"])


def test_a_store_without_credentials_or_library_is_registered_with_a_warning(
    workspace, monkeypatch
):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.warns(UserWarning, match="not checked: Object storage requires .*obstore"):
        Datastore.register_azure_blob_container(workspace, "away", "c", "account")
    assert "away" in workspace.datastores


def test_invalid_credentials_are_refused_and_leave_nothing(workspace, own_secrets):
    with pytest.raises(DatastoreException, match="Invalid settings"):
        Datastore.register_azure_blob_container(
            workspace, "wrong", "c", "account", account_key="not base64!", endpoint=NOWHERE
        )
    assert "wrong" not in workspace.datastores
    assert not own_secrets.exists() or not list(own_secrets.glob("*wrong*"))


def test_a_store_that_does_not_answer_counts_as_unreachable():
    class Silent:
        name = "silent"

        def list(self, folder):
            threading.Event().wait()

    error = probe.listing_error(Silent(), seconds=0.01)
    assert isinstance(error, StoreUnreachable)
    assert "silent does not answer within 0.01 s" in error.message
