"""What a model is, and what a request holds: decided without any library."""

from __future__ import annotations

import json
import pickle

import pytest

from scriptrun.runtime.serving import model_loader
from scriptrun.runtime.serving.errors import BadRequest, ServiceError
from scriptrun.runtime.serving.models import inputs, kinds, mlflow_files, outputs, pickled
from scriptrun.runtime.serving.order import ServiceOrder

ROWS = [[1, 2], [3, 4]]
RECORDS = [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
MLMODEL = """\
flavors:
  python_function:
    loader_module: mlflow.sklearn
  sklearn:
    pickled_model: {}
    serialization_format: {}
mlflow_version: 3.1.0
"""


class Doubling:
    """A model that needs no library."""

    def predict(self, rows):
        return [[2 * value for value in row] for row in rows.tolist()]


@pytest.mark.parametrize(
    ("name", "content", "framework", "kind"),
    [
        ("m.pkl", b"", None, kinds.PICKLE),
        ("m.joblib", b"", "Custom", kinds.PICKLE),
        ("m.bin", b"", "ScikitLearn", kinds.PICKLE),
        ("m.onnx", b"", None, kinds.ONNX),
        ("m.json", b'{"learner":{}}', None, kinds.XGBOOST),
        ("m.model", b"binf..", None, kinds.XGBOOST),
        ("m.ubj", b"", None, kinds.XGBOOST),
        ("m.txt", b"tree\nversion=v4\n", None, kinds.LIGHTGBM),
        ("m.bin", b"tree\nversion=v4\n", None, kinds.LIGHTGBM),
        ("m.pt", b"", "PyTorch", kinds.TORCHSCRIPT),
    ],
)
def test_a_file_is_what_its_framework_or_its_content_says(tmp_path, name, content, framework, kind):
    path = tmp_path / name
    path.write_bytes(content)
    assert kinds.detect(str(path), framework) == (kind, str(path))


@pytest.mark.parametrize(
    ("files", "framework", "said"),
    [
        ({"notes.txt": b"hello"}, None, "notes.txt"),
        ({"config.json": b"{}"}, None, "config.json"),
        ({"a.pkl": b"", "b.pkl": b""}, None, "several models"),
        ({"a.pkl": b"", "b.pkl": b""}, "ScikitLearn", "2 files"),
        ({"a.pkl": b""}, "Fortran", "Fortran"),
        ({}, None, "empty folder"),
    ],
)
def test_what_cannot_be_decided_is_listed_with_the_way_out(tmp_path, files, framework, said):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ServiceError, match="--entry") as caught:
        kinds.detect(str(tmp_path), framework)
    assert said in str(caught.value)


@pytest.mark.parametrize("key", ["data", "inputs", "instances", "input_data"])
@pytest.mark.parametrize(("values", "columns"), [(ROWS, None), (RECORDS, ["a", "b"])])
def test_rows_and_records_come_under_several_keys(key, values, columns):
    found = inputs.parse({key: values})
    assert (found.rows, found.columns, found.method) == (ROWS, columns, "predict")


def test_other_forms():
    assert inputs.parse(ROWS).rows == ROWS
    assert inputs.parse({"dataframe_records": RECORDS}).columns == ["a", "b"]
    split = {"columns": ["b", "a"], "index": [0], "data": [[1, 2]]}
    assert inputs.parse({"dataframe_split": split}).columns == ["b", "a"]
    assert inputs.parse({"inputs": {"x": ROWS}}).tensors == {"x": ROWS}
    assert inputs.parse({"data": ROWS, "method": "predict_proba"}).method == "predict_proba"


@pytest.mark.parametrize(
    ("request_value", "said"),
    [
        (5, "neither an object nor a list"),
        ({}, "it has nothing"),
        ({"rows": ROWS}, "it has rows"),
        ({"data": ROWS, "inputs": ROWS}, "it has data, inputs"),
        ({"data": []}, "no rows"),
        ({"data": "text"}, "no values"),
        ({"data": [{"a": 1}, [2]]}, "Some rows are objects"),
        ({"data": [{"a": 1}, {"b": 1}]}, "Row 1 has the columns b"),
        ({"data": ROWS, "method": 1}, "method"),
        ({"dataframe_split": {"columns": ["a"]}}, "dataframe_split needs"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": ROWS}}, "more than once"),
        ({"dataframe_split": {"columns": ["a"], "data": ROWS}}, "Row 0 has 2 values"),
        ({"dataframe_records": {"a": 1}}, "dataframe_records needs"),
    ],
)
def test_a_wrong_request_is_the_callers_mistake(request_value, said):
    with pytest.raises(BadRequest) as caught:
        inputs.parse(request_value)
    assert said in caught.value.message


def test_a_request_that_is_not_json():
    with pytest.raises(BadRequest, match="not JSON"):
        model_loader.answer(lambda given: given.rows, "{")


def test_predictions_are_json():
    values = {"a": (1.5, float("nan"), float("inf")), 2: {None}, "b": b"x"}
    found = outputs.as_json(values)
    assert json.dumps(found) == '{"a": [1.5, null, null], "2": [null], "b": "x"}'
    with pytest.raises(TypeError, match="object"):
        outputs.as_json(object())


def order(path) -> ServiceOrder:
    return ServiceOrder(models=[{"name": "m", "version": 1, "path": str(path)}])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "damaged: [^.]"),
        (b"hello there", "not a pickle"),
        (pickle.dumps({"a": 1}), "has no predict"),
        (b"cabsent_module\nModel\n.", "absent_module"),
    ],
)
def test_a_pickle_that_cannot_be_served(tmp_path, content, said):
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(ServiceError, match=said):
        model_loader.load(order(path), "")


def test_no_model():
    with pytest.raises(ServiceError, match="--entry"):
        model_loader.load(ServiceOrder(), "")


def test_a_model_has_only_the_methods_of_models():
    with pytest.raises(BadRequest, match="it has predict"):
        pickled.predict(Doubling(), inputs.parse({"data": ROWS, "method": "__init__"}))


def test_mlmodel_without_mlflow(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"")
    (tmp_path / "MLmodel").write_text(MLMODEL.format("model.pkl", "cloudpickle"))
    assert mlflow_files.native(str(tmp_path)) == ("scikitlearn", str(tmp_path / "model.pkl"))
    assert kinds.detect(str(tmp_path))[0] is kinds.MLFLOW


@pytest.mark.parametrize(
    ("file", "form"), [("../m.pkl", "pickle"), ("absent", "pickle"), ("m.pkl", "skops")]
)
def test_mlmodel_that_only_mlflow_can_load(tmp_path, file, form):
    folder = tmp_path / "model"
    folder.mkdir()
    for place in (tmp_path, folder):
        (place / "m.pkl").write_bytes(b"")
    (folder / "MLmodel").write_text(MLMODEL.format(file, form))
    with pytest.raises(ServiceError, match="mlflow-skinny"):
        mlflow_files.native(str(folder))
