"""Models of the real libraries, saved and served in an environment that scriptrun builds."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import scriptrun
from scriptrun import Environment, Workspace

PACKAGES = (
    "scikit-learn",
    "pandas",
    "xgboost-cpu",
    "lightgbm",
    "onnxruntime",
    "skl2onnx",
    "mlflow-skinny",
)
#: saves models that say whether the first of three columns is positive
SAVE = """
import joblib, lightgbm, mlflow.pyfunc, mlflow.sklearn, numpy, pandas, xgboost
from mlflow.models import infer_signature
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

X = numpy.random.default_rng(0).normal(size=(200, 3))
y = (X[:, 0] > 0).astype(int)
table = pandas.DataFrame(X, columns=list("abc"))
joblib.dump(LogisticRegression().fit(X, y), "plain.joblib")
joblib.dump(LogisticRegression().fit(table, y), "named.pkl")
classifier = xgboost.XGBClassifier(n_estimators=5).fit(table, y)
classifier.save_model("classifier.json")
classifier.get_booster().save_model("booster.ubj")
lightgbm.train({"verbose": -1, "objective": "binary"}, lightgbm.Dataset(table, y), 20).save_model("trees.txt")
small = X.astype("float32")
model = to_onnx(LogisticRegression().fit(small, y), small[:1], options={"zipmap": False})
with open("model.onnx", "wb") as file:
    file.write(model.SerializeToString())
mlflow.sklearn.save_model(
    LogisticRegression().fit(table, y), "flow", signature=infer_signature(table, y),
    serialization_format="cloudpickle", pip_requirements=["scikit-learn"],
)
class Broken(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        raise mlflow.exceptions.MlflowException("the registry is gone")
mlflow.pyfunc.save_model("broken", python_model=Broken(), pip_requirements=[])
"""
ASK = """
import json, sys
from scriptrun.runtime.serving import model_loader
from scriptrun.runtime.serving.errors import BadRequest
from scriptrun.runtime.serving.order import ServiceOrder

answer = model_loader.load(ServiceOrder(models=[{"path": sys.argv[1]}]), "")
found = []
for request in json.loads(sys.argv[2]):
    try:
        found.append(answer(json.dumps(request))["predictions"])
    except BadRequest as problem:
        found.append("400 " + problem.message)
    except Exception as problem:
        found.append("500 " + str(problem))
print(json.dumps(found))
"""
ROWS = [[3, 0, 0], [-3, 0, 0]]
RECORDS = [{"c": 0, "a": 3, "b": 0}, {"c": 0, "a": -3, "b": 0}]
#: mistakes of callers, which no model answers
WRONG = ([[1, 2]], [[1, 2, 3], [1]], [["x", "y", "z"]], [[{}, 1, 2]], [])

pytestmark = [pytest.mark.network, pytest.mark.slow]


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory):
    """The environment's interpreter, and the folder with the models."""
    folder = tmp_path_factory.mktemp("saved")
    environment = Environment("models")
    for package in PACKAGES:
        environment.python.conda_dependencies.add_pip_package(package)
    workspace = Workspace.create("w", path=str(folder / "w"))
    python = environment.build(workspace).python
    subprocess.run([python, "-c", SAVE], cwd=folder, check=True)
    return python, folder


def ask(saved_models, name: str, *requests: object) -> list:
    python, folder = saved_models
    source = str(Path(scriptrun.__file__).parents[1])
    done = subprocess.run(
        [python, "-c", ASK, name, json.dumps(requests)],
        cwd=folder, env={**os.environ, "PYTHONPATH": source}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "name",
    [
        "plain.joblib",
        "named.pkl",
        "classifier.json",
        "booster.ubj",
        "trees.txt",
        "model.onnx",
        "flow",
    ],
)
def test_rows_are_answered_and_mistakes_refused(saved_models, name):
    right, *wrong = ask(saved_models, name, {"data": ROWS}, *({"data": rows} for rows in WRONG))
    values = right["label"] if name == "model.onnx" else right
    assert [value > 0.5 for value in values] == [True, False]
    assert all(isinstance(each, str) and each.startswith("400 ") for each in wrong), wrong


@pytest.mark.parametrize(
    "name", ["named.pkl", "classifier.json", "booster.ubj", "trees.txt", "flow"]
)
def test_columns_are_found_by_name_in_any_order(saved_models, name):
    right, lacking = ask(saved_models, name, {"dataframe_records": RECORDS}, {"data": [{"a": 1}]})
    assert [value > 0.5 for value in right] == [True, False]
    assert "lacks the columns b, c" in lacking


@pytest.mark.parametrize("name", ["plain.joblib", "classifier.json"])
def test_probabilities_on_request(saved_models, name):
    (values,) = ask(saved_models, name, {"data": ROWS, "method": "predict_proba"})
    assert [row[1] > 0.5 for row in values] == [True, False]


@pytest.mark.parametrize("name", ["classifier.json", "booster.ubj", "trees.txt"])
def test_null_is_a_missing_number_where_the_model_knows_such(saved_models, name):
    by_row, by_name = ask(
        saved_models, name, {"data": [[3, None, 0]]}, {"data": [{"a": 3, "b": None, "c": 0}]}
    )
    assert by_row == by_name
    assert by_row[0] > 0.5


def test_null_is_refused_where_the_model_does_not(saved_models):
    (found,) = ask(saved_models, "plain.joblib", {"data": [[3, None, 0]]})
    assert found.startswith("400 ")
    assert "NaN" in found


def test_a_models_own_error_is_not_the_callers(saved_models):
    assert ask(saved_models, "broken", {"data": ROWS}) == ["500 the registry is gone"]
