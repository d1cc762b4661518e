"""Entry scripts with the decorators of inference_schema, the real package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import uv

from scriptrun.runtime.serving import input_schema, state, swagger

SCRIPT = """
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

def init():
    pass

@input_schema('data', StandardPythonParameterType([1.0]))
@input_schema('GlobalParameters', StandardPythonParameterType(2.0), optional=True)
@output_schema(StandardPythonParameterType([1.0]))
def run(data, GlobalParameters=3.0):
    return [value * GlobalParameters for value in data]
"""


#: a type of parameters as people write their own
SAMPLES = """
from inference_schema.parameter_types.abstract_parameter_type import AbstractParameterType

class Any(AbstractParameterType):
    def deserialize_input(self, value):
        return value
    def input_to_swagger(self):
        return {'type': 'object', 'example': self.sample_input}
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> str:
    """A Python with inference_schema."""
    place = tmp_path_factory.mktemp("schema") / "venv"
    tool = uv.find_uv_bin()
    subprocess.run([tool, "venv", "-q", "--python", sys.executable, str(place)], check=True)
    python = str(Path(place, "bin", "python"))
    install = [tool, "pip", "install", "-q", "--python", python, "inference-schema"]
    subprocess.run(install, check=True)
    return python


@pytest.fixture
def served(new_service, python):
    return new_service(SCRIPT).start(python).until_state("healthy")


def test_arguments_come_from_the_body(served):
    assert served.post('{"data": [1, 2]}').json == [3.0, 6.0]
    assert served.post('{"data": [1], "GlobalParameters": 5.0}').json == [5.0]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{}", "A value is not provided for the 'data' parameter."),
        ('{"data": [1], "more": 2}', "unknown parameter 'more'; run() takes: data, Glob"),
        ("[1]", "must be a JSON object with: data, GlobalParameters"),
        ("nothing", "The body is not valid JSON"),
        ("[" * 200_000, "The body is not valid JSON"),
    ],
)
def test_wrong_bodies(body, message, served):
    answer = served.post(body)
    assert answer.status == 400
    assert message in answer.json["message"]


def test_a_wrong_shape_is_an_exception_of_run(served):
    answer = served.post('{"data": "text"}')
    assert answer.status == 500
    assert answer.headers["x-ms-run-function-failed"] == "True"


def test_swagger_has_the_samples(served):
    two = served.request("GET", "/swagger.json").json["definitions"]
    three = served.request("GET", "/swagger.json?version=3").json["components"]["schemas"]
    for schemas in (two, three):
        assert schemas["ServiceInput"]["properties"]["data"]["type"] == "array"
        assert schemas["ServiceInput"]["example"]["data"] == [1.0]
        assert schemas["ServiceOutput"]["example"] == [1.0]
    assert state.read(str(served.folder))["state"] == "healthy"


@pytest.mark.parametrize(
    ("sample", "status"), [("datetime.date(2020, 1, 2)", 200), ("{(1, 2): 3}", 500)]
)
def test_samples_that_json_does_not_have(sample, status, new_service, python):
    script = SCRIPT.replace("StandardPythonParameterType(2.0)", f"Any({sample})")
    served = new_service("import datetime\n" + SAMPLES + script).start(python)
    before = served.until_state("healthy").workers()
    answer = served.request("GET", "/swagger.json")
    assert answer.status == status
    assert ("2020-01-02" if status == 200 else "log says why").encode() in answer.body
    assert ("TypeError" in served.log()) == (status == 500)
    assert served.post('{"data": [1, 2]}').json == [3.0, 6.0]
    assert served.workers() == before


def test_scripts_without_decorators_have_none():
    assert input_schema.of(lambda data: data) is None
    described = swagger.describe("x", None, 2, "localhost", needs_key=True)
    assert described["securityDefinitions"]["Bearer"]["in"] == "header"
    assert swagger.describe("x", None, 3, "localhost", True)["paths"]["/score"]["post"]["security"]
