"""Parts of services that need no server."""

from __future__ import annotations

import http.server
import io
import json
import threading

import pytest
from service_bench import served

from scriptrun import AciWebservice, AksWebservice, Environment, Webservice, Workspace
from scriptrun.config.services.inference_config import InferenceConfig
from scriptrun.exceptions import UserErrorException, WebserviceException
from scriptrun.registry import services as registry
from scriptrun.registry.services import ServiceRecord
from scriptrun.runtime.serving import state as server_state
from scriptrun.services import changes, client, deploy, details, logs, sdk_request, status
from scriptrun.services import request as requests
from scriptrun.services.request import ServedModel, ServiceRequest
from scriptrun.spec import states
from scriptrun.testing.jobs import wait
from scriptrun.tracking.run_state import RunState


def test_a_request_survives_its_record():
    environment = Environment("mine")
    environment.python.conda_dependencies.add_pip_package("numpy")
    request = ServiceRequest(
        "x",
        models=(ServedModel("a", 1), ServedModel("b", path="/b", framework="Onnx")),
        environment=environment,
        allowed_hosts=("h",),
        keys=("primary-key", "two"),
        compute_target="gpu",
        settings={"cpu_cores": 1},
        tags={"a": "b"},
    )
    value = json.loads(json.dumps(request.to_json()))
    assert "primary-key" not in json.dumps(value)
    assert ServiceRequest.from_json(value) == request.replace(keys=None)
    assert ServiceRequest.from_json({**value, "unknown": 1}) == request.replace(keys=None)
    record = ServiceRecord("x", value, tags={"c": "d"}, description="now")
    assert requests.of_record(record).tags == {"c": "d"}
    assert requests.of_record(record).description == "now"


@pytest.fixture
def answers():
    """A server that answers with the status and the text that the path holds."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(int(self.path.split("/")[1]))
            self.end_headers()
            if self.path.endswith("/echo"):
                kind, key = self.headers["Content-Type"], self.headers["Authorization"]
                body = json.dumps([body.decode(), kind, key]).encode()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_requests_carry_json_and_the_key(answers, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    kind = "application/json"
    file = io.BytesIO(b"[1]")
    for data, text in (("[1]", "[1]"), (b"[1]", "[1]"), ({"a": 1}, '{"a": 1}'), (file, "[1]")):
        answer = client.call("x", f"{answers}/200/echo", data, "k", 5)
        assert answer == [text, kind, "Bearer k"]
    assert client.call("x", f"{answers}/200/echo", "1", None, None) == ["1", kind, None]
    assert client.call("x", f"{answers}/200/text", "no JSON", None, 5) == "no JSON"


def test_other_answers_are_errors_with_status_and_text(answers):
    with pytest.raises(WebserviceException, match="status 502: the text") as error:
        client.call("x", f"{answers}/502/text", "the text", None, 5)
    assert error.value.status_code == 502
    with pytest.raises(WebserviceException, match="cannot be sent: Object of type set is not JSON"):
        client.call("x", f"{answers}/200/echo", {1}, None, 5)
    with pytest.raises(WebserviceException, match="'x' does not answer at"):
        client.call("x", "http://127.0.0.1:1/score", "1", None, 5)


def test_the_state_is_that_of_the_run_first():
    def running(run_state, **facts):
        return status._running(RunState(run_state), facts)

    healthy = {"state": server_state.HEALTHY, "host": "127.0.0.1", "port": 5}
    assert running(states.RUNNING, **healthy).state == "Healthy"
    assert running(states.RUNNING, **healthy).url == "http://127.0.0.1:5"
    assert running(states.PREPARING, **healthy).state == "Transitioning"
    assert running(states.RUNNING).state == "Transitioning"
    assert running(states.RUNNING).url is None
    stopping = running(states.RUNNING, **{**healthy, "state": server_state.STOPPING})
    assert (stopping.state, stopping.reason) == ("Transitioning", "it is stopping")
    ended = [
        status._ended(RunState(state, "why"), healthy).state
        for state in (states.COMPLETED, states.FAILED, states.CANCELED)
    ]
    assert ended == ["Stopped", "Failed", "Stopped"]
    assert status.ServiceState("Healthy", host="::1", port=5).url == "http://[::1]:5"
    assert status._reachable_host({"host": "0.0.0.0", "node": "elsewhere"}) == "elsewhere"


def test_a_missing_run_is_a_stopped_service(tmp_path):
    workspace = Workspace.create("w", path=tmp_path)
    found = status.of_run(workspace, "nothing")
    assert (found.state, found.reason) == ("Stopped", "its run nothing was removed")
    assert not status.listens(workspace, "nothing")
    assert logs.last_lines(workspace, "nothing") == ""


def test_filters_of_lists():
    request = {"models": [{"name": "a", "version": 2}]}
    record = ServiceRecord("x", request, compute_type="ACI", tags={"t": "1"})
    assert details.Wanted("ACI", "a", "a:2", ["t"], None).fits(record)
    for wanted in (
        details.Wanted("AKS"),
        details.Wanted(model_name="b"),
        details.Wanted(model_id="a:1"),
        details.Wanted(tags={"t": "2"}),
        details.Wanted(properties=["p"]),
    ):
        assert not wanted.fits(record)


def test_settings_of_v1_become_those_of_the_service():
    config = AksWebservice.deploy_configuration(
        num_replicas=3, scoring_timeout_ms=1500, gpu_cores=1, primary_key="p", cpu_cores=2
    )
    request = sdk_request.with_deployment(ServiceRequest("x"), config)
    assert (request.workers, request.timeout_seconds, request.gpus) == (3, 1.5, 1)
    assert request.auth == "key"
    assert request.keys[0] == "p"
    assert len(request.keys[1]) == 64
    assert request.settings == {"cpu_cores": 2}
    aci = sdk_request.with_deployment(ServiceRequest("x"), AciWebservice.deploy_configuration())
    assert (aci.auth, aci.keys, aci.workers) == ("none", None, 1)
    image = InferenceConfig("score.py", enable_gpu=True, base_image="mine")
    assert sdk_request.with_inference(request, image).settings == {
        "cpu_cores": 2,
        "enable_gpu": True,
        "base_image": "mine",
    }


def test_updates_say_what_needs_a_new_run():
    before = ServiceRequest("x", properties={"a": "1"})
    metadata = {"tags": {"t": 1}, "properties": {"b": "2"}, "description": "d", "memory_gb": 2}
    after = changes._with_settings(before, dict(metadata))
    assert after.properties == {"a": "1", "b": "2"}
    assert after.settings == {"memory_gb": 2}
    assert not changes._needs_run(before, after)
    for given in ({"num_replicas": 2}, {"scoring_timeout_ms": 5}, {"auth_enabled": True}):
        assert changes._needs_run(before, changes._with_settings(before, dict(given)))
    assert changes.settings({"self": 1, "image": 2, "tags": {}, "description": None}) == {
        "tags": {}
    }


def test_records_are_made_once_and_changed_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    workspace = Workspace.create("w", path=tmp_path)
    record = ServiceRecord("x", {}, run="r1")
    assert registry.create(workspace, record)
    assert not registry.create(workspace, record.replace(run="r2"))
    assert registry.read(workspace, "x") == record
    assert registry.read(workspace, "../x") is None
    changed = registry.change(workspace, "x", lambda found: found.replace(next="r3"))
    assert changed.updated
    assert changed.newest == "r3"
    assert registry.change(workspace, "x", lambda _: None) == changed
    with pytest.raises(registry.ServiceMissing, match="'y' not found"):
        registry.get(workspace, "y")
    registry.store_keys(workspace, changed, "r3", ("a", "b"))
    registry.store_keys(workspace, changed, "r1", ("c", "d"))
    assert registry.keys(workspace, "x", "r3") == ("a", "b")
    assert registry.keys(workspace, "x", "r1") == ("c", "d")
    registry.remove(workspace, "x", "other")
    assert registry.names(workspace) == ["x"]
    registry.remove(workspace, "x")
    assert registry.names(workspace) == []
    assert registry.keys(workspace, "x", "r3") is None


def test_a_damaged_record_is_named(tmp_path, capsys):
    workspace = Workspace.create("w", path=tmp_path)
    registry.create(workspace, ServiceRecord("good", {"models": []}, run="r"))
    (workspace.directory / "services" / "bad.json").write_text("{")
    with pytest.raises(UserErrorException, match=r"bad\.json is damaged"):
        Webservice(workspace, "bad")
    assert [record.name for record in registry.all_records(workspace)] == ["good"]
    assert list(workspace.webservices) == ["good"]
    assert "skipped" in capsys.readouterr().err


def test_one_request_can_be_tried_without_a_service(bench):
    model = bench.model()
    run = deploy.run_test(bench.workspace, bench.request(models=(served(model),), test="[7]"))
    assert wait(run) == "Completed"
    assert json.loads((run.path / "outputs" / "response.json").read_text())["data"] == [7]
    assert bench.workspace.webservices == {}


def test_errors_have_the_arguments_of_v1():
    error = WebserviceException("it failed", 503, "the log")
    assert (error.message, error.status_code, error.logs) == ("it failed", 503, "the log")
    assert WebserviceException(exception_message="m").message == "m"
    inner = ValueError("x")
    assert WebserviceException("m", inner).inner_exception is inner
    assert WebserviceException("m", hint="do that").hint == "do that"
