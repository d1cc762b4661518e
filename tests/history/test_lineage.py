"""The way back from a model: run, snapshot, lock, datasets; and where a part of it is gone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from scriptrun import Dataset, Experiment, Model, ScriptRunConfig, Workspace
from scriptrun.history import lineage
from scriptrun.registry import services
from scriptrun.registry.services import ServiceRecord

TRAIN = "open('outputs/model.txt', 'w').write('weights')\n"


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "train.py").write_text(TRAIN)
    (tmp_path / "digits.csv").write_text("a,b\n1,2\n")
    return Workspace.create("kin", path=tmp_path)


@pytest.fixture
def model(workspace, tmp_path):
    data = Dataset.File.from_files(str(tmp_path / "digits.csv")).register(workspace, "digits")
    config = ScriptRunConfig(
        str(tmp_path / "source"), "train.py", ["--data", data.as_named_input("d").as_download()]
    )
    run = Experiment(workspace, "kin").submit(config)
    run.wait_for_completion()
    return run.register_model("net", "outputs/model.txt", datasets=[("training", data)])


def test_everything_that_decided_the_model_is_named(workspace, model):
    found = lineage.model_lineage(model)
    run = found["run"]
    assert run["id"] == model.run_id and run["state"] == "Completed"
    assert run["snapshot"] == {"digest": model.run.job.snapshot, "kept": True}
    assert len(run["environment"]["lock"]) == 64 and run["environment"]["python"]
    assert run["script"] == "train.py" and "--data" in run["arguments"]
    (data,) = run["datasets"]
    assert (data["input"], data["name"], data["version"]) == ("d", "digits", 1)
    assert found["datasets"]["training"][0]["name"] == "digits"
    assert found["model"]["files"][0]["path"] == "model.txt"
    json.dumps(found)


def test_the_command_tells_it(workspace, model):
    command = [sys.executable, "-m", "scriptrun", "lineage", "net"]
    done = subprocess.run(command, cwd=workspace.root, capture_output=True, text=True, check=True)
    for words in (model.run_id, model.run.job.snapshot, "digits:1", "Python 3", "train.py"):
        assert words in done.stdout, done.stdout
    done = subprocess.run([*command, "--json"], cwd=workspace.root, capture_output=True, text=True)
    assert json.loads(done.stdout)["run"]["id"] == model.run_id


def test_parts_that_are_gone_are_said_to_be(workspace, model):
    shutil.rmtree(workspace.snapshots_folder)
    assert lineage.model_lineage(model)["run"]["snapshot"]["kept"] is False
    shutil.rmtree(model.run.path)
    assert lineage.model_lineage(model)["run"] == {"id": model.run_id, "gone": True}
    command = [sys.executable, "-m", "scriptrun", "lineage", "net:1"]
    done = subprocess.run(command, cwd=workspace.root, capture_output=True, text=True)
    assert "missing from the workspace" in done.stdout and done.returncode == 0


def test_a_model_of_a_path_has_no_run(workspace, tmp_path):
    made = Model.register(workspace, str(tmp_path / "digits.csv"), "plain")
    assert lineage.model_lineage(made)["run"] is None


def test_the_services_of_a_model_are_named(workspace, model):
    request = {"name": "digits", "models": [{"name": "net", "version": 1}]}
    services.create(workspace, ServiceRecord("digits", request, run=model.run_id))
    services.create(workspace, ServiceRecord("gone", request, run="removed_1"))
    assert lineage.model_lineage(model)["services"] == [
        {"name": "digits", "run": model.run_id, "state": "Completed"},
        {"name": "gone", "run": "removed_1", "state": None},
    ]
    command = [sys.executable, "-m", "scriptrun", "lineage", "net"]
    done = subprocess.run(command, cwd=workspace.root, capture_output=True, text=True, check=True)
    assert f"digits (run {model.run_id}, Completed)" in done.stdout
    assert "gone (run removed_1, missing)" in done.stdout
