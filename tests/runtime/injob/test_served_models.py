"""An entry script finds the models that its service was deployed with, without a workspace."""

from __future__ import annotations

import json
import os

import pytest

from scriptrun.runtime.injob import served_models
from scriptrun.runtime.injob.errors import UserErrorException
from scriptrun.runtime.serving import order as service_order


@pytest.fixture(autouse=True)
def no_service(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("AZUREML_MODEL_DIR", "SCRIPTRUN_RUN_FOLDER"):
        monkeypatch.delenv(name, raising=False)


def lay_out(root, *paths):
    for path in paths:
        file = root / served_models.FOLDER / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)


def serve(root, monkeypatch, *paths):
    """The folder of a service's run with models at NAME/VERSION/PATH."""
    root.mkdir(parents=True, exist_ok=True)
    lay_out(root, *paths)
    models = [
        {"name": name, "version": int(version), "path": f"azureml-models/{name}/{version}/{file}"}
        for name, version, file in (path.split("/")[:3] for path in paths)
    ]
    order = service_order.ServiceOrder(name="s", models=models)
    (root / service_order.FILE).write_text(json.dumps(order.to_json()))
    monkeypatch.setenv("SCRIPTRUN_RUN_FOLDER", str(root))
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(root / served_models.FOLDER))


def test_its_constants_are_those_of_the_order():
    assert (served_models.FOLDER, served_models.ORDER) == (service_order.MODELS, service_order.FILE)


def test_models_of_a_service_by_name_and_version(tmp_path, monkeypatch):
    run = tmp_path / "run"
    serve(run, monkeypatch, "digits/2/model.pkl", "digits/10/model.pkl", "words/1/words.txt")
    path = served_models.path_of("digits")
    assert path == str(run / "azureml-models/digits/10/model.pkl") and os.path.isabs(path)
    assert served_models.path_of("digits", 2) == str(run / "azureml-models/digits/2/model.pkl")
    assert served_models.path_of("digits", "2") == served_models.path_of("digits", 2)


def test_a_model_that_the_service_does_not_have(tmp_path, monkeypatch):
    serve(tmp_path / "run", monkeypatch, "digits/2/m.pkl", "digits/10/m.pkl", "words/1/w.txt")
    with pytest.raises(UserErrorException) as raised:
        served_models.path_of("digit")
    assert type(raised.value).__name__ == "ModelNotFoundException"
    assert "'digit' is not among the models of this service" in str(raised.value)
    assert "digits (version 2, 10), words (version 1)" in str(raised.value)
    for version in (3, "latest"):
        with pytest.raises(UserErrorException, match=f"'digits', version {version}"):
            served_models.path_of("digits", version)


def test_a_service_without_models_says_what_to_do(tmp_path, monkeypatch):
    serve(tmp_path / "run", monkeypatch)
    with pytest.raises(UserErrorException, match=r"deployed without models: give Model\.deploy"):
        served_models.path_of("digits")


@pytest.mark.parametrize("folder", ["app/azureml-models", "app/azureml-models/digits/3"])
def test_models_in_an_image_lie_below_its_variable(tmp_path, monkeypatch, folder):
    lay_out(tmp_path / "app", "digits/3/model.pkl")
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(tmp_path / folder))
    expected = tmp_path / "app/azureml-models/digits/3/model.pkl"
    assert served_models.path_of("digits") == str(expected)


def test_models_beside_the_script_of_a_file_a_folder_and_several_files(tmp_path):
    lay_out(tmp_path, "one/1/m.pkl", "deep/1/saved/a", "deep/1/saved/b", "many/1/a", "many/1/b")
    models = tmp_path / "azureml-models"
    assert served_models.path_of("one") == str(models / "one/1/m.pkl")
    assert served_models.path_of("deep") == str(models / "deep/1/saved")
    assert served_models.path_of("many", 1) == str(models / "many/1")
    assert served_models.path_of("other") is served_models.path_of("one", 2) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"models": null}'])
def test_a_run_without_a_usable_order_serves_no_models(tmp_path, monkeypatch, text):
    (tmp_path / service_order.FILE).write_text(text)
    monkeypatch.setenv("SCRIPTRUN_RUN_FOLDER", str(tmp_path))
    assert served_models.path_of("digits") is None


def test_an_entry_script_gets_its_models_and_names_without_scriptrun(job, python, monkeypatch):
    serve(job.folder, monkeypatch, "digits/2/model.pkl")
    front = job.runtime / "scriptrun" / "runtime" / "fronts" / "azureml_front.py"
    (job.runtime / "azureml").mkdir()
    (job.runtime / "azureml" / "__init__.py").write_text(front.read_text("utf-8"), "utf-8")
    out = job.run(
        python,
        """
import os
from azureml.core import Run
from azureml.core.model import Model
from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse
from azureml.exceptions import ModelNotFoundException, WebserviceException
from azureml.monitoring import ModelDataCollector
import scriptrun
path = Model.get_model_path('digits')
assert path == Model.get_model_path(model_name='digits', version=2) == scriptrun.Model.get_model_path('digits')
print(os.path.relpath(path, os.environ['AZUREML_MODEL_DIR']))
try: Model.get_model_path('nothing')
except ModelNotFoundException as error: print('digits (version 2)' in str(error))
try: Model(None, 'digits')
except NotImplementedError as error: print("Add scriptrun to the environment" in str(error))
Run.get_context().log('started', 1)
assert AMLResponse('text', 201).status_code == 201 and AMLRequest.__name__ == 'AMLRequest'
assert rawhttp(lambda request: request)(5) == 5
ModelDataCollector('digits', designation='inputs', feature_names=['a', 'b']).collect([[1, 2]])
""",
        AZUREML_MODEL_DIR=str(job.folder / "azureml-models"),
    )  # fmt: skip
    assert out.splitlines() == ["digits/2/model.pkl", "True", "True"]
    (table,) = (job.folder / "work" / "outputs" / "modeldata" / "digits" / "inputs").iterdir()
    header, row = table.read_text().splitlines()
    assert header == "time,correlation_id,a,b" and row.endswith(",,1,2")
