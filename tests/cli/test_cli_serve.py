"""The words of ``scriptrun serve`` become a request, and wrong ones are refused at once."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from scriptrun.cli import help as cli_help
from scriptrun.cli.options import service as service_options
from scriptrun.cli.service import follow, view
from scriptrun.core.model import Model
from scriptrun.services.request import ServedModel
from scriptrun.services.webservice import Webservice
from scriptrun.testing.jobs import until


@pytest.fixture
def parsed(workspace, tmp_path):
    (tmp_path / "score.py").write_text("def init(): pass\ndef run(data): return data\n")
    (tmp_path / "model.pkl").write_bytes(b"m")
    Model.register(workspace, "model.pkl", "digits")

    def parse(*words):
        parser = dict(cli_help.parsers("serve"))["serve"]
        return service_options.parse(parser.parse(list(words)), workspace)

    return parse


def test_a_model_and_its_settings(parsed):
    request = parsed(
        *("digits", "--entry", "score.py", "--port", "8000", "--workers", "2", "--timeout", "0"),
        *("--key", "--max-body", "1MB", "--env", "A=1", "--allow-origin", "https://a.example"),
    )
    assert (request.name, request.models) == ("digits", (ServedModel("digits", 1),))
    assert (request.port, request.workers, request.timeout_seconds) == (8000, 2, None)
    assert (request.auth, request.body_limit, request.variables) == ("key", 10**6, {"A": "1"})
    assert request.allowed_origins == ("https://a.example",)
    assert request.interpreter


@pytest.mark.parametrize(
    ("words", "name", "is_path"),
    [
        (["./model.pkl"], "model", True),
        (["model.pkl"], "model", True),
        (["digits:1"], "digits", False),
        (["--entry", "score.py"], "score", None),
        (["./model.pkl", "-n", "other"], "other", True),
    ],
)
def test_the_name_comes_from_what_is_served(parsed, words, name, is_path):
    request = parsed(*words)
    assert request.name == name
    if is_path is not None:
        assert (request.models[0].path is not None) == is_path


def test_the_source_directory_holds_the_script(parsed, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "score.py").write_text("")
    for entry in ("score.py", "src/score.py"):
        request = parsed("--entry", entry, "--source", "src")
        assert (request.source_directory, request.entry_script) == ("src", "score.py")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Nothing to serve."),
        (["digit"], "Did you mean 'digits'?"),
        (["digits:2"], "has no version 2"),
        (["digits:x"], "Invalid model version 'x'."),
        (["./no.pkl"], "does not exist"),
        (["digits", "--source", "."], "--source requires --entry."),
        (["digits", "--max-body", "much"], "Invalid size"),
        (["digits", "--test", "no.json"], "Cannot read the request 'no.json'"),
        (["digits", "--test", "model.pkl", "--port", "1"], "--test and --port"),
        (["digits", "--env", "NOT_SET_HERE"], "is not set"),
        (["digits", "--port", "x"], "expected a number"),
        (["digits", "--entry", "scor.py"], "did you mean 'score.py'?"),
        (
            ["digits", "--entry", "score.py", "--port", "99999"],
            "--port must be 1 to 65535, not 99999",
        ),
        (
            ["digits", "--port", "0", "--timeout", "nan"],
            "not 0; --timeout must be 0 to 1000000000, not nan",
        ),
        (["digits", "--timeout", "inf"], "--timeout must be 0 to 1000000000, not inf"),
        (
            ["digits", "--entry", "score.py", "--workers", "0"],
            "--workers must be at least 1, not 0",
        ),
    ],
)
def test_wrong_words_are_refused(parsed, types, words, message):
    assert message in types("serve", *words, code=2)


def test_requests_are_text(parsed, types, tmp_path):
    (tmp_path / "picture").write_bytes(b"\xff\xfe")
    assert "is not text in UTF-8" in types("serve", "digits", "--test", "picture", code=2)


@pytest.mark.parametrize("verb", ["show", "test", "keys", "reload", "start", "stop", "remove"])
def test_an_unknown_service_is_named(types, verb):
    words = ["no"] + (["-"] if verb == "test" else [])
    assert "Service 'no' not found" in types("service", verb, *words, code=2)


def test_other_words_lead_to_services(types):
    assert "`scriptrun serve`" in types("deploy", code=2)
    assert "`scriptrun service test`" in types("service", "predict", "x", code=2)
    assert "No services." in types("services")


def test_models_have_names_or_paths():
    assert view.model_name(ServedModel("digits", 3)) == "digits:3"
    assert view.model_name(ServedModel("m.pkl", path="/m.pkl")) == "/m.pkl"


class _Answering:
    name, scoring_uri, auth_enabled = "digits", "http://127.0.0.1:1/score", False


def test_what_to_type_next():
    service = _Answering()
    assert "curl --json @sample.json http://127.0.0.1:1/score" in follow.ready_text(service)
    service.auth_enabled = True
    assert "service keys digits --primary" in follow.ready_text(service)


@pytest.mark.parametrize("words", [["--detach"], []], ids=["detached", "followed"])
def test_ctrl_c_while_it_starts_names_the_way_back(words, tmp_path, workspace):
    began = tmp_path / "began"
    script = f"import time\ndef init():\n    open({str(began)!r}, 'w').close(); time.sleep(600)\n"
    (tmp_path / "slow.py").write_text(script + "def run(data): pass\n")
    serve = [sys.executable, "-m", "scriptrun", "serve", "--entry", "slow.py", *words]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(serve, cwd=tmp_path, text=True, **streams)
    try:
        until(lambda: began.exists() or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        assert process.returncode == 130
        assert "Service 'slow' keeps running." in err
        assert "scriptrun service stop slow" in err and "scriptrun cancel" not in err
    finally:
        process.kill()
        Webservice(workspace, "slow").delete()
