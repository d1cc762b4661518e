"""What the commands for runs say of a service's run."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from service_runs import healthy, submit_service

from scriptrun.engines.local.engine import Local
from scriptrun.testing.jobs import Bench, wait


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("services"), Local())


@pytest.fixture
def service(bench, own_places):
    run = submit_service(bench, models=[{"name": "net", "version": 3}], workers=2)
    healthy(run)
    yield run
    run.cancel()
    wait(run)


def command(bench, *words):
    done = subprocess.run(
        [sys.executable, "-m", "scriptrun", *words],
        cwd=bench.root,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    return done.returncode, done.stdout, done.stderr


def test_show_says_what_it_serves_and_where(bench, service):
    code, out, _ = command(bench, "show", service.id, "--times")
    facts = dict(line.split(None, 1) for line in out.splitlines() if len(line.split(None, 1)) == 2)
    assert code == 0 and facts["service"] == "echo" and facts["models"] == "net:3"
    assert facts["address"] == f"http://127.0.0.1:{healthy(service)['port']}"
    assert "entry script  job.py" in out and "2 of 2 workers" in facts["server"]
    assert "serving" in out and "running the script" not in out and "command" not in facts
    document = json.loads(command(bench, "show", service.id, "--json")[1])
    assert (document["kind"], document["service"]["models"]) == ("service", ["net:3"])
    assert document["service"]["workers"] == {"running": 2, "requested": 2}


def test_lists_have_it_and_queries_find_it(bench, service):
    script = bench.run("pass")
    rows = json.loads(command(bench, "list", "--json", "kind=service")[1])["runs"]
    assert {row["kind"] for row in rows} == {"service"} and service.id in {
        row["id"] for row in rows
    }
    rows = json.loads(command(bench, "list", "--json", "kind!=service")[1])["runs"]
    assert script.id in {row["id"] for row in rows} and service.id not in {
        row["id"] for row in rows
    }
    assert service.id in command(bench, "list")[1]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["rerun"], 2, "scriptrun service restart echo"),
        (["export", "--to", "docker"], 2, "Model.package"),
        (["wait", "--timeout", "1s"], 124, "runs until it is stopped"),
        (["archive"], 2, "is active"),
    ],
    ids=str,
)
def test_what_does_not_fit_a_service_says_what_to_use(bench, service, words, code, sentence):
    found, _, err = command(bench, words[0], service.id, *words[1:])
    assert (found, "Traceback" in err) == (code, False) and sentence in err, err


def test_a_shell_has_its_models(bench, service):
    (service.path / "azureml-models").mkdir(exist_ok=True)
    words = ["shell", service.id, "--", sys.executable, "-c", "import os; print(os.listdir())"]
    code, out, _ = command(bench, *words)
    assert code == 0 and "job.py" in out


def test_cancel_stops_it_and_wait_returns(bench, own_places):
    run = submit_service(bench)
    healthy(run)
    assert command(bench, "cancel", run.id)[0] == 0
    code, out, err = command(bench, "wait", run.id)
    assert code == 1 and out.startswith("Canceled") and "until it is stopped" not in err
    code, out, _ = command(bench, "show", run.id)
    assert "address" not in out and "server" not in out
