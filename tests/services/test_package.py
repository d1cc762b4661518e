"""A package: what it holds, and that its server needs neither a workspace nor scriptrun."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from scriptrun import Environment, Model
from scriptrun.runtime import files
from scriptrun.runtime.serving import order as service_order
from scriptrun.services import environment, package
from scriptrun.services.request import ServedModel, ServiceRequest
from scriptrun.spec.errors import UserErrorException

MLMODEL = "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n"


def packaged(bench) -> package.ModelPackage:
    own = Environment("own")
    own.python.user_managed_dependencies = True
    own.python.interpreter_path = sys.executable
    config = bench.config(environment=own, base_image="python:3.11")
    return Model.package(bench.workspace, [bench.model()], config)


def test_a_package_answers_without_a_workspace(bench, tmp_path):
    target = tmp_path / "package"
    packaged(bench).save(target)
    order = json.loads((target / service_order.FILE).read_text())
    assert (order["host"], order["port"]) == ("0.0.0.0", package.PORT)
    (target / "request.json").write_text('"hello"')
    files.write_atomic(
        str(target / service_order.FILE), files.to_json({**order, "test": "request.json"})
    )
    done = subprocess.run(
        [sys.executable, "-S", str(target / "server/scriptrun/runtime/serving/entry.py")],
        cwd=target / "source", capture_output=True, text=True,
        env={"PATH": os.defpath, "PYTHONPATH": str(target / "server"),
             "SCRIPTRUN_RUN_FOLDER": str(target)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer == {"version": "1", "model": "a model", "data": "hello"}


def test_the_texts_of_a_package(bench, tmp_path):
    made = packaged(bench)
    made.save(tmp_path / "package")
    dockerfile = (tmp_path / "package" / "Dockerfile").read_text()
    assert dockerfile.splitlines()[1] == "FROM python:3.11"
    assert made.location in (tmp_path / "package" / "README.md").read_text()
    assert made.serialize()["models"][0]["name"] == "digits"
    (tmp_path / "package" / "source" / "old.py").touch()
    made.save(tmp_path / "package")
    assert not (tmp_path / "package" / "source" / "old.py").exists(), "the package is replaced"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Dockerfile").touch()
    with pytest.raises(UserErrorException, match="not empty"):
        made.save(tmp_path / "other")


def test_the_environment_of_an_mlflow_model(bench, tmp_path):
    folder = tmp_path / "flow"
    folder.mkdir()
    (folder / "MLmodel").write_text(MLMODEL)
    (folder / "requirements.txt").write_text("scikit-learn==1.5.0\n")
    Model.register(bench.workspace, str(folder), "flow")
    for model in (ServedModel("flow"), ServedModel("local", path=str(folder))):
        found, note = environment.choose(bench.workspace, ServiceRequest("s", models=(model,)))
        assert found is not None
        assert "scikit-learn==1.5.0" in list(found.python.conda_dependencies.pip_packages)
        assert "requirements.txt of the MLflow model" in note


def test_a_model_of_nobody_leaves_the_interpreter(bench):
    bench.model()
    request = ServiceRequest("s", models=(ServedModel("digits"),))
    assert environment.choose(bench.workspace, request) == (None, "")
