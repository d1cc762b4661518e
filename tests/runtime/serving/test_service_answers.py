"""What a client of a service gets, as v1's server answers."""

from __future__ import annotations

import json

import old_pythons
import pytest

from scriptrun.runtime.serving import access, service, swagger  # noqa: F401 - run in the server
from scriptrun.runtime.serving.http import messages

FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
RETURNS = """
import json

def init():
    global values
    values = {"dict": {"a": 1}, "list": [1, 2], "text": "text", "nothing": None, "number": 1.5,
              "bytes": b"b", "object": object(), "set": {1}, "tuple": (1, 2), "ä": "ä"}

def run(data):
    return values[json.loads(data)["what"]]
"""


def test_run_gets_the_body_as_text(serve):
    served = serve()
    assert served.post('{"data": "ä"}').json == '{"data": "ä"}'
    assert served.post(b"no json", Content_Type="text/csv").json == "no json"
    assert (
        served.post("ä".encode("latin-1"), Content_Type="text/plain; charset=latin-1").json == "ä"
    )
    assert served.post(b"").json == ""
    assert served.post(b"\xff\xfe").json == "\ufffd\ufffd", "what is no UTF-8 is replaced"


def test_a_get_brings_its_query_as_json(serve):
    served = serve()
    assert json.loads(served.request("GET", "/score?data=1&b=text&c=[1,2]").json) == {
        "data": 1, "b": "text", "c": [1, 2],
    }  # fmt: skip
    assert served.request("GET", "/score").json == "{}"
    assert served.request("HEAD", "/score").body == b""


def test_a_form_brings_no_text_and_a_note(serve):
    served = serve()
    for _ in range(2):
        answer = served.post("a=1", Content_Type="application/x-www-form-urlencoded")
        assert answer.json == ""
    assert served.log().count("send it with the header 'Content-Type: application/json'") == 1


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("dict", b'{"a": 1}'), ("list", b"[1, 2]"), ("text", b'"text"'), ("nothing", b"{}"),
        ("number", b"1.5"), ("tuple", b"[1, 2]"), ("\u00e4", b'"\\u00e4"'),
    ],
)  # fmt: skip
def test_what_run_returns_is_json(what, expected, returning):
    answer = returning.post(json.dumps({"what": what}))
    assert (answer.status, answer.body) == (200, expected)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-ms-run-function-failed"] == "False"
    assert float(answer.headers["x-ms-run-fn-exec-ms"]) >= 0


@pytest.fixture
def returning(serve):
    return serve(RETURNS)


def test_what_json_cannot_write_and_exceptions_are_a_500(returning):
    for what in ("bytes", "object", "set", "missing"):
        answer = returning.post(json.dumps({"what": what}))
        assert (answer.status, answer.json) == (500, {"message": FAILED})
        assert answer.headers["x-ms-run-function-failed"] == "True"
    log = returning.log()
    assert "KeyError: 'missing'" in log
    assert 'score.py", line' in log
    assert "serving/service.py" not in log.partition("KeyError")[0].rpartition("Traceback")[2]


def test_a_request_has_an_id(serve):
    served = serve()
    first, second = served.post("1").headers, served.post("2").headers
    assert first["x-request-id"] == first["x-ms-request-id"] != second["x-request-id"]
    assert served.post("3", x_request_id="mine").headers["x-request-id"] == "mine"
    assert first["x-ms-server-version"].startswith("scriptrun")
    assert len(messages.new_id()) == len("00000000-0000-0000-0000-000000000000")


def test_routes(serve):
    served = serve()
    root = served.request("GET", "/")
    assert (root.status, root.body) == (200, b"Healthy")
    assert root.headers["content-type"].startswith("text/plain")
    missing = served.request("GET", "/nothing")
    assert missing.status == 404
    assert "/score" in missing.json["message"]
    wrong = served.request("DELETE", "/score")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST, GET, HEAD, OPTIONS")
    assert served.request("OPTIONS", "/score").headers["allow"] == "POST, GET, HEAD, OPTIONS"
    assert served.request("POST", "/", "x").status == 405


@pytest.mark.parametrize("version", ["", "?version=2", "?version=3"])
def test_swagger(version, serve):
    description = serve(auth="key").request(
        "GET", f"/swagger.json{version}", Authorization="Bearer x"
    )
    assert description.status == 401


def test_swagger_describes_the_service(serve):
    served = serve()
    two = served.request("GET", "/swagger.json").json
    three = served.request("GET", "/swagger.json?version=3").json
    assert two["swagger"] == "2.0"
    assert two["host"] == f"127.0.0.1:{served.port}"
    assert three["openapi"].startswith("3.")
    assert set(two["paths"]) == set(three["paths"]) == {"/", "/score"}
    assert served.request("GET", "/swagger.json?version=4").status == 404


def test_a_script_sets_the_response(serve):
    served = serve(
        "from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp\n"
        "from azureml_inference_server_http.api.aml_response import AMLResponse\n"
        "def init(): pass\n"
        "@rawhttp\n"
        "def run(request):\n"
        "    assert isinstance(request, AMLRequest)\n"
        "    if request.method == 'OPTIONS':\n"
        "        return AMLResponse('', 204, {'x-own': 'a\\r\\nInjected: b'})\n"
        "    body = request.get_data()\n"
        "    return AMLResponse({'size': len(body), 'path': request.full_path}, 201,\n"
        "                       {'x-own': 'yes'}, json_str=True)\n"
    )
    answer = served.post(b"\x00\xff\x00", Content_Type="application/octet-stream")
    assert (answer.status, answer.json) == (201, {"size": 3, "path": "/score?"})
    assert answer.headers["x-own"] == "yes"
    assert answer.headers["x-ms-run-function-failed"] == "False"
    assert served.request("OPTIONS", "/score").status == 500
    assert "is not valid" in served.log(), "a header cannot bring others along"


def test_a_flask_like_response_goes_out_as_it_is(serve):
    served = serve(
        "class Response:\n"
        "    status_code = 418\n"
        "    headers = {'Content-Type': 'text/x-tea', 'Content-Length': '999'}\n"
        "    def get_data(self): return b'tea'\n"
        "def init(): pass\n"
        "def run(data): return Response()\n"
    )
    answer = served.post("1")
    assert (answer.status, answer.body) == (418, b"tea")
    assert answer.headers["content-type"] == "text/x-tea"


@pytest.mark.parametrize("python", old_pythons.to_try(), ids=old_pythons.version_of)
def test_every_python_of_jobs_serves(python, new_service):
    served = new_service(RETURNS).start(python).until_state("healthy")
    assert served.post('{"what": "dict"}').json == {"a": 1}
    assert served.post('{"what": "object"}').status == 500
    assert served.stop() == 0
    assert "Traceback" not in served.log().rpartition("TypeError")[2]


@pytest.mark.parametrize("path", ["/swagger.json", "/score"])
def test_too_many_fields_of_a_query_end_no_worker(path, serve):
    served = serve(RETURNS)
    before = served.workers()
    answer = served.request("GET", f"{path}?{'&' * 1500}")
    assert (answer.status, "more than 1000 fields" in answer.json["message"]) == (400, True)
    assert served.workers() == before


@pytest.mark.parametrize("act", ["sys.stderr.close()", "sys.stderr = None"])
def test_a_script_that_gives_up_its_streams_is_still_answered_and_logged(act, serve):
    served = serve(
        "import sys\n"
        "def init(): pass\n"
        f"def run(data):\n    sys.stdout.close()\n    {act}\n    raise ValueError('why it fails')\n"
    )
    before = served.workers()
    assert served.post("1").status == 500
    assert served.post("1").status == 500
    assert served.workers() == before
    assert served.log().count("ValueError: why it fails") >= 1
    assert served.stop() == 0
    assert "FAILED" not in served.log() and "leave" not in served.log()
