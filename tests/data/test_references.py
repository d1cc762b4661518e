"""Data references and paths: the values that old code hands to a job."""

from __future__ import annotations

import re

import pytest

from scriptrun import Datastore, RunConfiguration
from scriptrun.config.camel_case import to_wire
from scriptrun.core.dataset import Dataset, OutputFileDatasetConfig
from scriptrun.data.datastores.references import DataPath, DataPathComputeBinding, DataReference
from scriptrun.data.errors import DatasetValidationError, DatastoreException


@pytest.fixture
def store(workspace):
    return workspace.get_default_datastore()


def test_a_reference_is_a_variable_of_the_job(store):
    one = store.path("./foo").as_mount()
    assert re.fullmatch(r"\$AZUREML_DATAREFERENCE_[0-9a-f]{32}", str(one))
    assert (one.mode, one.path_on_datastore, one.datastore) == ("mount", "./foo", store)
    assert str(store.as_mount()) == "$AZUREML_DATAREFERENCE_workspaceblobstore"
    assert str(store.path("a", data_reference_name="in")) == "$AZUREML_DATAREFERENCE_in"


def test_changing_the_mode_keeps_name_and_path(store):
    one = store.path("a/b", "x").as_download("/tmp/x", overwrite=True)
    assert (one.data_reference_name, one.path_on_datastore) == ("x", "a/b")
    assert (one.mode, one.path_on_compute, one.overwrite) == ("download", "/tmp/x", True)
    assert one.as_upload("out").mode == "upload"
    assert one.path("c").path_on_datastore == "a/b/c"


def test_the_configuration_is_what_a_runconfig_file_holds(store, tmp_path):
    reference = store.path("foo", "in").as_download("/tmp/in")
    config = RunConfiguration()
    config.data_references = {reference.data_reference_name: reference.to_config()}
    assert to_wire(config)["dataReferences"]["in"] == {
        "dataStoreName": "workspaceblobstore",
        "pathOnDataStore": "foo",
        "mode": "download",
        "overwrite": False,
        "pathOnCompute": "/tmp/in",
    }
    config.save(tmp_path / "x.runconfig")
    read = RunConfiguration.load(tmp_path / "x.runconfig").data_references["in"]
    made = reference.to_config()
    for name in ("data_store_name", "path_on_data_store", "mode", "overwrite", "path_on_compute"):
        assert getattr(read, name) == getattr(made, name)


def test_paths_and_bindings(store):
    path = DataPath(store, "a/b")
    how = DataPathComputeBinding("download", "/tmp/x")
    made = DataReference.create("r", path, how)
    assert (made.mode, made.path_on_compute, made.path_on_datastore) == (
        "download",
        "/tmp/x",
        "a/b",
    )
    assert DataPath.create_from_data_reference(made).path_on_datastore == "a/b"
    assert path.create_data_reference("q").mode == "mount"
    with pytest.raises(DatastoreException, match="mode 'link'"):
        DataReference(store, mode="link")
    with pytest.raises(DatastoreException, match="Invalid data reference name 'a-b'"):
        store.path("x", "a-b")
    with pytest.raises(DatastoreException, match="is outside"):
        DataPath(store, "../x")


def test_inputs_of_a_job(workspace, store, fill):
    fill(store.store, {"in/a": "a"})
    data = Dataset.File.from_files((store, "in/a"))
    one = data.as_mount()
    assert re.fullmatch("input__[0-9a-f]{8}", one.name) and one.mode == "mount"
    two = data.as_named_input("extra").as_download("/tmp/x")
    described = two.describe(workspace)
    assert (described["name"], described["mode"]) == ("extra", "download")
    assert (described["path_on_compute"], described["dataset"]["files"]) == ("/tmp/x", 1)
    with pytest.raises(DatasetValidationError, match="Invalid name '2x'"):
        data.as_named_input("2x")


def test_outputs_of_a_job(workspace, store):
    out = OutputFileDatasetConfig(destination=(store, "results/{run-id}"))
    assert re.fullmatch("output_[0-9a-f]{8}", out.name) and out.mode == "mount"
    up = out.as_upload(overwrite=True, source_globs="*.txt").register_on_complete("kept")
    assert (up.name, up.mode, out.mode) == (out.name, "upload", "mount")
    assert up.describe(workspace) == {
        "name": out.name,
        "mode": "upload",
        "datastore": "workspaceblobstore",
        "path": "results/{run-id}",
        "source": None,
        "overwrite": True,
        "source_globs": ["*.txt"],
        "registration": {"name": "kept", "description": None, "tags": {}},
    }
    plain = OutputFileDatasetConfig("o").describe(workspace)
    assert (plain["datastore"], plain["path"]) == (store.name, "dataset/{run-id}/{output-name}")
    with pytest.raises(DatasetValidationError, match="destination must be"):
        OutputFileDatasetConfig(destination="results")


def test_registering_datastores(workspace, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "e").mkdir()
    made = Datastore.register_local(workspace, "mine", tmp_path / "d")
    assert Datastore.register_local(workspace, "mine", tmp_path / "d").root == made.root
    with pytest.raises(DatastoreException, match="'mine' already exists with different settings"):
        Datastore.register_local(workspace, "mine", tmp_path / "e")
    Datastore.register_local(workspace, "mine", tmp_path / "e", overwrite=True).set_as_default()
    assert Datastore(workspace).root == Datastore(workspace, "mine").root == tmp_path / "e"
    assert workspace.get_default_datastore().name == "mine"
    Datastore.get(workspace, "mine").unregister()
    assert Datastore.get_default(workspace).name == "workspaceblobstore"


@pytest.mark.parametrize("name", ["a-b", "a/b", "../x", "", "a b", ".default"])
def test_names_that_cannot_be(workspace, tmp_path, name):
    with pytest.raises(DatastoreException, match="Invalid datastore name"):
        Datastore.register_local(workspace, name, tmp_path)
    with pytest.raises(DatastoreException, match="not found in workspace"):
        Datastore.get(workspace, name)


def test_what_cannot_be_registered_or_removed(workspace, tmp_path):
    with pytest.raises(DatastoreException, match="does not exist"):
        Datastore.register_local(workspace, "x", tmp_path / "none")
    with pytest.raises(DatastoreException, match="cannot be removed"):
        workspace.get_default_datastore().unregister()
    with pytest.raises(DatastoreException, match="'password' looks like a credential"):
        Datastore.register_fsspec(workspace, "x", "sftp", options={"password": "p"})
    with pytest.raises(DatastoreException, match="would be stored in plain text"):
        Datastore.register_s3(workspace, "x", "b", endpoint="https://me:pw@host")
    share = Datastore.register_azure_file_share(workspace, "share", "s", "account")
    with pytest.raises(DatastoreException, match="Mount the share"):
        share.upload_files([__file__])
    odd = Datastore.register_fsspec(workspace, "odd", "nonsense")
    with pytest.raises(DatastoreException, match="no driver for 'nonsense'"):
        list(odd.store.list())
