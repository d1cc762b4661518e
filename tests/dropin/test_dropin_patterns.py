"""What public code for the SDK v1 does beside its documented names, in few words of our own."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from scriptrun import Model, ScriptRunConfig
from scriptrun.core import experiment
from scriptrun.data.datasets.tabular import TabularDatasetFactory
from scriptrun.dropin import finder
from scriptrun.dropin.azureml.compute import AmlCompute, ComputeTarget
from scriptrun.dropin.azureml.dataset import Dataset, FileEncoding, PromoteHeadersBehavior
from scriptrun.dropin.azureml.estimators import Estimator
from scriptrun.dropin.azureml.experiment import Experiment
from scriptrun.dropin.azureml.workspace import Workspace
from scriptrun.exceptions import ComputeTargetException
from scriptrun.registry import compute_targets


@pytest.fixture(autouse=True)
def enabled():
    finder.enable()


@pytest.fixture
def ws(tmp_path):
    return Workspace.create("ws", path=tmp_path)


def test_names_of_the_sdks_own_modules_that_people_import():
    agent = importlib.import_module("azureml._base_sdk_common").user_agent
    agent.append("my-tool", "0.1")
    constants = importlib.import_module("azureml._restclient.constants")
    assert constants.RunStatus.COMPLETED == "Completed"
    assert "Queued" in constants.RunStatus.get_running_statuses()
    assert "Failed" in constants.RunStatus.get_terminal_statuses()
    errors = importlib.import_module("azureml.exceptions._azureml_exception")
    public = importlib.import_module("azureml.exceptions")
    assert errors.UserErrorException is public.UserErrorException
    from azureml.core import get_run
    from azureml.train.hyperdrive.run import HyperDriveRun, PrimaryMetricGoal

    assert callable(get_run) and HyperDriveRun and PrimaryMetricGoal.MAXIMIZE


def test_a_machine_that_was_attached_is_the_compute_target_of_its_name(ws):
    kinds = importlib.import_module("azureml.core.compute")
    with pytest.raises(ComputeTargetException):
        kinds.RemoteCompute(workspace=ws, name="vm")
    with pytest.raises(NotImplementedError, match="scriptrun compute add"):
        kinds.RemoteCompute.attach_configuration(address="x")
    compute_targets.set_alias(ws, "vm", "local")
    assert kinds.RemoteCompute(ws, "vm").name == "vm"


def test_other_private_names_can_be_imported_and_say_what_to_do():
    watcher = importlib.import_module("azureml._run_impl.run_watcher").RunWatcher
    with pytest.raises(NotImplementedError, match="private to Microsoft's package"):
        watcher()


def test_a_login_is_tried_before_it_is_used():
    logins = importlib.import_module("azureml.core.authentication")
    token = logins.AzureCliAuthentication().get_token("https://management.azure.com/.default")
    assert token.token == "" and token.expires_on > 2**31
    assert logins.InteractiveLoginAuthentication(force=True).get_authentication_header() == {}


def test_the_sizes_of_machines_are_listed_with_their_gpus(ws):
    config = AmlCompute.provisioning_configuration(vm_size="Standard_NC6", max_nodes=3)
    cluster = ComputeTarget.create(ws, "gpu", config)
    sizes = AmlCompute.supported_vmsizes(ws)
    found = [each for each in sizes if each["name"].upper() == cluster.vm_size.upper()]
    assert [each["gpus"] for each in found] == [1]
    assert all(each["vCPUs"] > 0 for each in sizes)
    scale = cluster.serialize()["properties"]["properties"]["scaleSettings"]
    assert scale["maxNodeCount"] == 3


def test_what_notebooks_print_of_clusters_and_datastores(ws):
    config = AmlCompute.provisioning_configuration(vm_size="STANDARD_D2_V2", max_nodes=4)
    cluster = ComputeTarget.create(ws, "cpu", config)
    assert cluster.status.serialize() == cluster.get_status().serialize()
    store = ws.get_default_datastore()
    facts = (store.datastore_type, store.account_name, store.container_name)
    assert all(isinstance(each, str) and each for each in facts)


def test_an_interactive_run_has_its_folder_of_outputs(ws, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "old.txt").write_text("of before")
    with Experiment(ws, "e").start_logging() as run:
        for name in ("one.txt", "two.txt"):
            (tmp_path / "outputs" / name).write_text(name)
        run.upload_file("outputs/one.txt", "outputs/one.txt")
    assert run.get_file_names() == ["outputs/one.txt", "outputs/two.txt"]
    other = Experiment(ws, "e").start_logging(outputs="elsewhere", snapshot_directory=None)
    (tmp_path / "elsewhere" / "three.txt").write_text("3")
    other.complete()
    assert other.get_file_names() == ["outputs/three.txt"]
    none = Experiment(ws, "e").start_logging(outputs=False)
    (tmp_path / "outputs" / "four.txt").write_text("4")
    none.complete()
    assert none.get_file_names() == []


def test_a_whole_datastore_is_an_argument(ws, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("import os, sys\nprint(os.listdir(sys.argv[2]))\n")
    store = ws.get_default_datastore()
    store.upload_files([str(tmp_path / "src" / "train.py")], target_path="code")
    with pytest.warns(DeprecationWarning):
        estimator = Estimator(
            str(tmp_path / "src"),
            compute_target="local",
            entry_script="train.py",
            user_managed=True,
            script_params={"--data": store},
        )
    run = Experiment(ws, "old").submit(estimator)
    run.wait_for_completion()
    assert "['code']" in (run.path / "user_logs" / "std_log.txt").read_text()


def test_a_run_configuration_that_names_its_data_in_words(ws, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("import os, sys\nprint(os.listdir(sys.argv[2]))\n")
    store = ws.get_default_datastore()
    store.upload_files([str(tmp_path / "src" / "train.py")], target_path="code")
    store.upload_files([str(tmp_path / "src" / "train.py")], target_path="code/deep")
    made = Dataset.File.from_files((store, "code")).register(ws, "code")
    written = importlib.import_module("azureml.core.runconfig")
    words = ["--data", "DatasetConsumptionConfig:mine", "DatasetConsumptionConfig:theirs"]
    config = ScriptRunConfig(str(tmp_path / "src"), "train.py", words)
    location = written.DataLocation(dataset=written.Dataset(dataset_id=made.id))
    config.run_config.data = {"mine": written.Data(location, mechanism="mount")}
    whole = importlib.import_module("azureml.core.script_run_config")
    run_config = whole.get_run_config_from_script_run(config)
    assert (run_config.script, run_config.arguments) == ("train.py", words)
    run = Experiment(ws, "old").submit(config)
    run.wait_for_completion()
    log = (run.path / "user_logs" / "std_log.txt").read_text()
    assert "'train.py'" in log and "'deep'" in log
    assert run.job.arguments[2] == words[2]  # no data of that name


def test_old_limits_are_raised_and_missing_models_are_caught(ws, monkeypatch):
    client = importlib.import_module("azureml._restclient.snapshots_client")
    monkeypatch.setattr(client, "SNAPSHOT_MAX_SIZE_BYTES", 2_000_000_000)
    errors = importlib.import_module("azureml.exceptions")
    with pytest.raises(errors.WebserviceException):
        Model(ws, "nothing")
    assert issubclass(errors.NeverHeardOfException, Exception)
    with pytest.raises(ImportError):
        exec("from azureml.core import nothing_like_it")
    assert {"id", "name", "location", "workspaceid", "friendlyName"} <= set(ws.get_details())


def test_headers_and_encodings_by_their_old_words(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"x;y\n1;{name}\u00e9\n", "cp1252")
    table = TabularDatasetFactory.from_delimited_files(
        str(tmp_path / "*.csv"),
        separator=";",
        header=PromoteHeadersBehavior.ALL_FILES_HAVE_SAME_HEADERS,
        encoding=FileEncoding.WINDOWS1252,
    )
    assert table.to_pandas_dataframe()["y"].tolist() == ["a\u00e9", "b\u00e9"]
    plain = TabularDatasetFactory.from_delimited_files(
        str(tmp_path / "a.csv"),
        separator=";",
        header=PromoteHeadersBehavior.NO_HEADERS,
        encoding=FileEncoding.ISO88591,
    )
    assert plain.to_pandas_dataframe().shape == (2, 2)


OLD_WORDS = """
import collections, inspect, time
import numpy as np
assert np.float is float and np.NaN != np.NaN and np.product([2, 3]) == 6 == np.asscalar(np.int64(6))
assert issubclass(dict, collections.Mapping) and time.clock() >= 0
assert inspect.getargspec(lambda a: 0)[0] == ["a"]
print("all found")
"""
OLD_FRAMES = """
import numpy as np, pandas as pd
frame = pd.DataFrame({"a": [1]}).append({"a": 2}, ignore_index=True)
assert [name for name, _ in frame.iteritems()] == ["a"] and pd.np is np
assert frame.a.append(frame.a).tolist() == [1, 2, 1, 2] and frame.applymap(str).a[1] == "2"
rows = frame.append(other=[{"a": 3}, {"a": 4}], ignore_index=True)
assert rows.a.tolist() == [1, 2, 3, 4] and rows.append(other=[frame, frame]).shape == (8, 1)
assert list(frame.append(other=pd.DataFrame({"B": [1], "A": [2]}), sort=True)) == ["A", "B", "a"]
named = frame.append(pd.Series({"a": 5}, name="last"))
assert named.index.tolist() == [0, 1, "last"] and named.a.tolist() == [1, 2, 5]
assert frame.a.append(to_append=[frame.a], ignore_index=True).index.tolist() == [0, 1, 2, 3]
"""


def test_names_that_went_from_packages_are_found_by_old_codes_jobs_alone(ws, tmp_path, monkeypatch):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(OLD_WORDS)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text("print('mine, too')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "own"))
    config = ScriptRunConfig(str(tmp_path / "src"), "train.py")
    run = Experiment(ws, "old").submit(config)
    run.wait_for_completion()
    assert "mine, too\nall found" in (run.path / "user_logs" / "std_log.txt").read_text()
    (tmp_path / "src" / "new.py").write_text("import time; time.clock()")
    new = experiment.Experiment(ws, "new").submit(ScriptRunConfig(str(tmp_path / "src"), "new.py"))
    assert new.wait_for_completion(raise_on_error=False)["status"] == "Failed"
    exec(OLD_WORDS + OLD_FRAMES, {})  # here, too


def test_settings_by_their_older_and_private_names():
    with pytest.warns(DeprecationWarning):
        estimator = Estimator("src", compute_target="local", entry_script="train.py")
    estimator._estimator_config.environment.python.interpreter_path = "/opt/python"
    estimator.run_config.prepare_environment = True
    python = estimator.to_script_run_config().run_config.environment.python
    assert python.interpreter_path == "/opt/python"


def test_an_estimator_is_submitted_as_a_child(ws, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("print(1)")
    with pytest.warns(DeprecationWarning):
        estimator = Estimator(
            str(tmp_path / "src"),
            compute_target="cluster",
            entry_script="train.py",
            user_managed=True,
        )
    parent = Experiment(ws, "old").start_logging(outputs=str(tmp_path / "outputs"))
    child = parent.submit_child(estimator, tags={"a": "b"})
    child.wait_for_completion()
    parent.complete()
    assert (child.parent.id, child.get_tags()) == (parent.id, {"a": "b"})
    assert child.job.environment.pins == "auto"


def test_what_mlflow_logs_in_a_notebook_is_a_run_of_its_experiment(ws):
    """mlflow itself is not here: the files are those that its file store leaves."""
    store = Path(ws.get_mlflow_tracking_uri().removeprefix("file://"))
    for status, name in ((3, "done"), (1, "running"), (4, "failed")):
        place = store / "77" / name
        for folder in ("metrics", "tags", "artifacts/model", "params"):
            (place / folder).mkdir(parents=True)
        (place / "meta.yaml").write_text(f"run_name: {name}\nstatus: {status}\nstart_time: 5\n")
        (place / "metrics" / "loss").write_text("1700000000000 0.5 0\n1700000001000 0.25 1\n")
        (place / "tags" / "team").write_text("red")
        (place / "tags" / "mlflow.user").write_text("me")
        (place / "artifacts" / "model" / "m.txt").write_text("x")
    (store / "77" / "meta.yaml").write_text("name: notebook\n")
    experiment = ws.experiments["notebook"]
    for _ in range(2):
        found = {run.display_name: run for run in experiment.get_runs()}
        assert {name: run.get_status() for name, run in found.items()} == {
            "done": "Completed",
            "failed": "Failed",
        }
    done = found["done"]
    assert done.get_metrics() == {"loss": [0.5, 0.25]} and done.get_tags() == {"team": "red"}
    assert done.get_file_names() == ["model/m.txt"]
