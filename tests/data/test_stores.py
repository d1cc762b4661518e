"""Datastores and datasets on every kind of storage, against the real thing."""

from __future__ import annotations

from pathlib import Path

import pytest
import servers

from scriptrun import Dataset, Datastore
from scriptrun.data.errors import DatasetExecutionError, DatastoreException


def test_trees_up_and_down(datastore, tmp_path):
    source = tmp_path / "source"
    for number in range(40):
        path = source / f"{number % 4}" / f"f {number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    datastore.upload(source, "up/tree", show_progress=False)
    (source / "0" / "f 0.txt").write_text("changed")
    datastore.upload(source, "up/tree", show_progress=False)
    assert datastore.download(tmp_path / "back", prefix="up/tree/1", show_progress=False) == 10
    assert (tmp_path / "back/up/tree/1/f 13.txt").read_text() == "13"
    assert datastore.store.read("up/tree/0/f 0.txt", 0, 9) == b"0"
    datastore.upload(source, "up/tree", overwrite=True, show_progress=False)
    assert datastore.store.read("up/tree/0/f 0.txt", 0, 9) == b"changed"


def test_a_dataset_is_registered_read_and_found_changed(workspace, datastore, fill, tmp_path):
    fill(datastore.store, {"mnist/a/1.gz": "one", "mnist/b/2.gz": "two", "mnist/x.csv": "x"})
    made = Dataset.File.from_files((datastore, "mnist/**/*.gz")).register(workspace, "m")
    found = Dataset.get_by_name(workspace, "m")
    assert found.to_path() == made.to_path() == ["/a/1.gz", "/b/2.gz"]
    paths = found.download(tmp_path / "out")
    assert [Path(path).read_text() for path in paths] == ["one", "two"]
    fill(datastore.store, {"mnist/b/2.gz": "new"})
    with pytest.raises(DatasetExecutionError, match=r"mnist/b/2\.gz(.|\n)*has changed"):
        found.download(tmp_path / "again")
    datastore.store.delete("mnist/b/2.gz")
    with pytest.raises(DatasetExecutionError, match=r"File 'mnist/b/2\.gz' not found"):
        found.download(tmp_path / "once more")


@pytest.mark.stores
@pytest.mark.parametrize("kind", ["blob_store", "s3_store"])
def test_no_secret_is_written_or_said(kind, request, workspace, tmp_path):
    store = request.getfixturevalue(kind)
    Dataset.File.upload_directory(_tree(tmp_path), (store, "up"), show_progress=False).register(
        workspace, "up"
    )
    said = repr(store) + repr(store.record()) + repr(Datastore.get(workspace, store.name))
    written = [path for path in workspace.directory.rglob("*") if path.is_file()]
    assert written
    for path in written:
        said += path.read_bytes().decode("utf-8", "replace")
    for secret in ("Eby8vdM02", "secretsecret"):
        assert secret not in said


def _tree(tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_text("a")
    return tmp_path / "tree"


@pytest.mark.stores
def test_a_key_that_was_given_is_kept_for_this_user_alone(workspace, blob_store, own_secrets):
    (kept,) = own_secrets.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert own_secrets.stat().st_mode & 0o777 == 0o700
    again = Datastore.get(workspace, "blob")
    assert again.account_key.startswith("Eby8") and again.sas_token is None
    again.unregister()
    assert not list(own_secrets.iterdir())
    with pytest.raises(DatastoreException, match="Datastore 'blob' not found"):
        Datastore.get(workspace, "blob")


@pytest.mark.stores
def test_wrong_keys_and_missing_containers_are_sentences(workspace, azurite):
    def register(name, container="none", key="AAAA"):
        Datastore.register_azure_blob_container(
            workspace, name, container, "devstoreaccount1", account_key=key, endpoint=azurite
        )

    with pytest.raises(DatastoreException, match=r"in one: invalid key") as caught:
        register("one")
    assert "AAAA" not in str(caught.value) and "<" not in str(caught.value)
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    with pytest.raises(DatastoreException, match="its container does not exist"):
        register("two", key=key)
    assert set(workspace.datastores) == {"workspaceblobstore", "workspacefilestore"}


@pytest.mark.stores
def test_wrong_s3_keys_buckets_and_secrets_are_sentences(workspace, s3, s3_store, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRET_WRONG", "testkey123:WRONGWRONG")
    wrong = Datastore.register_s3(workspace, "w", "shared", endpoint=s3, secret="wrong")
    with pytest.raises(DatastoreException, match="invalid key") as caught:
        list(wrong.store.list())
    assert "WRONGWRONG" not in str(caught.value)
    with pytest.raises(DatastoreException, match="invalid credentials"):
        wrong.store.stat("x")
    none = Datastore.register_s3(workspace, "n", "nobucket", endpoint=s3, secret="mine")
    with pytest.raises(DatastoreException, match="its bucket does not exist"):
        list(none.store.list())
    unset = Datastore.register_s3(workspace, "u", "shared", endpoint=s3, secret="unset")
    with pytest.raises(
        DatastoreException, match=r"Secret 'unset' not found(.|\n)*SCRIPTRUN_SECRET_UNSET"
    ):
        list(unset.store.list())


@pytest.mark.stores
def test_environment_variables_are_credentials(workspace, s3, s3_store, fill, monkeypatch):
    fill(s3_store.store, {"x": "x"})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testkey123")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secretsecret")
    plain = Datastore.register_s3(workspace, "env", "shared", endpoint=s3, root=s3_store.root)
    assert [entry.path for entry in plain.store.list()] == ["x"]


@pytest.mark.stores
@pytest.mark.parametrize("key", ["../../etc/passwd", "a//b", "a/../b"])
def test_keys_that_lead_elsewhere_are_refused(blob_store, azurite, tmp_path, key):
    servers.put_blob(azurite, blob_store.container_name, key, b"evil")
    with pytest.raises(DatastoreException, match="contains an invalid path"):
        Dataset.File.from_files((blob_store, "**"))
    with pytest.raises(DatastoreException, match="contains an invalid path"):
        blob_store.download(tmp_path / "deep" / "er", show_progress=False)
    assert not list(tmp_path.rglob("passwd"))


@pytest.mark.stores
def test_an_absolute_key_is_not_written_there(blob_store, azurite, tmp_path):
    place = tmp_path / "outside"
    servers.put_blob(azurite, blob_store.container_name, str(place), b"evil")
    with pytest.raises(DatastoreException, match="not found in"):
        blob_store.download(tmp_path / "target", show_progress=False)
    assert not place.exists()


@pytest.mark.stores
def test_markers_of_folders_are_no_files(blob_store, azurite, fill, tmp_path):
    for key in ("d/", "empty/"):
        servers.put_blob(azurite, blob_store.container_name, key, b"")
    fill(blob_store.store, {"d-e": "", "d/x": "x"})
    assert [entry.path for entry in blob_store.store.list()] == ["d-e", "d/x"]
    assert blob_store.download(tmp_path, show_progress=False) == 2


def test_a_server_that_is_not_there_is_a_sentence(workspace, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", "1")
    monkeypatch.setenv("SCRIPTRUN_SECRET_ANY", "some:thing")
    gone = Datastore.register_s3(workspace, "g", "b", endpoint="http://127.0.0.1:1", secret="any")
    with pytest.raises(DatastoreException, match="Cannot list its files in g: the server"):
        list(gone.store.list())
