"""What a model is, and what a request holds: decided without any library."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

import scriptrun
from scriptrun.runtime.serving import model_loader
from scriptrun.runtime.serving.errors import BadRequest, ServiceError
from scriptrun.runtime.serving.models import (
    faults,
    inputs,
    kinds,
    mlflow_files,
    onnx,
    outputs,
    pickled,
    torchscript,
)
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


CUDA_ERROR = """The following operation failed in the TorchScript interpreter.
RuntimeError: CUDA error: {}
CUDA kernel errors might be asynchronously reported at some other API call."""
NO_MEMORY = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 400 bytes."


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


def raises(problem: Exception):
    def predict(given):
        raise problem

    return predict


@pytest.mark.parametrize(
    ("problem", "data"), [(ValueError("X has 2 features"), ROWS), (TypeError("not str"), [["x"]])]
)
def test_values_that_a_model_rejects_leave_a_traceback(capsys, problem, data):
    with pytest.raises(BadRequest, match=f"The model rejects the input: {problem}"):
        model_loader.answer(raises(problem), json.dumps({"data": data}))
    assert "in predict" in capsys.readouterr().err


@pytest.mark.parametrize(
    "problem",
    [
        KeyError("absent"),
        TypeError("unsupported operand"),
        ValueError("cudaErrorMemoryAllocation: out of memory"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "invalid"),
    ],
)
def test_a_models_own_error_is_not_the_callers(problem):
    with pytest.raises(type(problem)):
        model_loader.answer(raises(problem), json.dumps({"data": ROWS}))


def test_predictions_that_json_cannot_write_are_not_the_callers_mistake():
    with pytest.raises(TypeError, match="returned a object"):
        model_loader.answer(lambda given: object(), json.dumps({"data": ROWS}))


def test_a_request_that_is_nested_too_deeply_is_the_callers_mistake():
    with pytest.raises(BadRequest, match="too deeply"):
        model_loader.answer(lambda given: given.rows, "[" * 200_000 + "]" * 200_000)


@pytest.mark.parametrize(
    ("message", "is_own", "is_lasting"),
    [
        (CUDA_ERROR.format("device-side assert triggered"), True, True),
        ("CUDA out of memory. Tried to allocate 2.00 GiB.", True, False),
        (NO_MEMORY, True, False),
        ("mat1 and mat2 shapes cannot be multiplied (1x2 and 3x2)", False, False),
        ("index out of range in self", False, False),
    ],
)
def test_a_machine_that_fails_is_told_from_a_wrong_input(message, is_own, is_lasting):
    problem = RuntimeError(message)
    assert (faults.is_own(problem), faults.is_lasting(problem)) == (is_own, is_lasting)
    assert not torchscript.is_wrong_type(problem)


@pytest.mark.parametrize(
    "message",
    [
        "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long",
        "mat1 and mat2 must have the same dtype, but got Long and Float",
        "Input type (long int) and bias type (float) should be the same",
        "one_hot is only applicable to index tensor of type LongTensor.",
        "\"softmax_lastdim_kernel_impl\" not implemented for 'Long'",
    ],
)
def test_a_network_that_needs_another_type_is_recognized(message):
    assert torchscript.is_wrong_type(RuntimeError("in the code: dim\n" + message))
    assert not torchscript.is_wrong_type(RuntimeError(message + "\nRuntimeError: shapes differ"))


def test_a_worker_that_has_lost_its_gpu_ends(tmp_path):
    text = """
        import time
        from scriptrun.runtime.serving import model_loader
        def predict(given):
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        try:
            model_loader.answer(predict, '{"data": [[1]]}')
        except RuntimeError:
            print("answered with 500", flush=True)
        time.sleep(600)
    """
    source = str(Path(scriptrun.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        env={**os.environ, "PYTHONPATH": source}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "answered with 500\n")
    assert "lost its GPU" in done.stderr


class EPFail(Exception):
    """As ONNX Runtime names an error of an execution provider."""


class InvalidArgument(Exception):
    """As ONNX Runtime names an input of the wrong shape."""


class RaisingSession:
    """What ONNX Runtime's session has, for a model that always raises ``problem``."""

    def __init__(self, problem: Exception) -> None:
        self.problem = problem

    def get_inputs(self):
        return [SimpleNamespace(name="x", type="tensor(float)", shape=[None, 2])]

    def get_outputs(self):
        return [SimpleNamespace(name="y")]

    def run(self, names, feed):
        raise self.problem


@pytest.mark.parametrize(
    ("problem", "answered"),
    [
        (InvalidArgument("Got invalid dimensions"), BadRequest),
        (EPFail("the provider is gone"), EPFail),
        (InvalidArgument("CUDA failure 2: out of memory"), InvalidArgument),
    ],
)
def test_onnx_tells_a_wrong_input_from_a_machine_that_fails(problem, answered):
    pytest.importorskip("numpy", reason="numpy is not installed")
    with pytest.raises(answered):
        onnx._predict(RaisingSession(problem), inputs.parse({"data": ROWS}))


@pytest.mark.parametrize(
    ("rows", "kind", "values"),
    [
        ([[1, "a"], [2.5, "b"]], "O", [[1, "a"], [2.5, "b"]]),
        ([["1", "a"]], "U", [["1", "a"]]),
        ([[1, 2.5]], "f", [[1.0, 2.5]]),
    ],
)
def test_numbers_beside_text_stay_numbers(rows, kind, values):
    pytest.importorskip("numpy", reason="numpy is not installed")
    found = inputs.parse({"data": rows}).array()
    assert (found.dtype.kind, found.tolist()) == (kind, values)


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
        (b"not a pickle", r"is not a pickle, or it is damaged[^.]*\.$"),
        (b"cnot a module\nX\n.", r"is not a pickle, or it is damaged\.$"),
        (b"coperator\ngetitem\n(}I110\ntR.", r"is not a pickle, or it is damaged\.$"),
        (b"hello there", "not a pickle"),
        (pickle.dumps({"a": 1}), "has no predict"),
        (b"cabsent_module\nModel\n.", "absent_module"),
        (b"c__main__\nMissing\n.", r"Can't get attribute 'Missing'.*Serve"),
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
