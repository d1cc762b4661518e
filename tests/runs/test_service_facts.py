"""What is shown of a service's run: its order, and what its server reports while it runs."""

from __future__ import annotations

import json

import pytest
from service_runs import create_service, run_of

from scriptrun.engines.local.engine import Local
from scriptrun.history import compare
from scriptrun.runs import service_facts
from scriptrun.runtime.serving import order as service_order
from scriptrun.runtime.serving import state as service_state
from scriptrun.spec import states
from scriptrun.spec.job import JobSpec
from scriptrun.spec.run_kinds import SERVICE
from scriptrun.testing.jobs import Bench
from scriptrun.tracking.run_state import RunState

JOB = JobSpec("echo_1", "e", "w", "2024-05-01T10:00:00Z", kind=SERVICE, display_name="echo")
RUNNING = RunState(states.RUNNING)
MODELS = [{"name": "digits", "version": 3}, {"name": "scaler.pkl", "version": None}]


@pytest.fixture
def folder(tmp_path):
    order = service_order.ServiceOrder(
        name="echo", entry_script="score.py", models=MODELS, workers=2, auth="key"
    )
    (tmp_path / service_order.FILE).write_text(json.dumps(order.to_json()))
    return str(tmp_path)


def report(folder, state=service_state.HEALTHY, **facts):
    given = {"host": "127.0.0.1", "port": 8890, "node": "n1", "workers": 2, "restarts": 0}
    service_state.write(folder, state, **{**given, **facts})


def test_what_it_serves_is_known_before_the_server_reports(folder):
    facts = service_facts.read(folder, JOB, RunState(states.QUEUED))
    assert (facts.name, facts.entry_script, facts.models) == (
        "echo",
        "score.py",
        ("digits:3", "scaler.pkl"),
    )
    assert (facts.url, facts.state, service_facts.server_line(facts)) == ("", "", "")


def test_its_address_and_workers_while_it_runs(folder):
    report(folder)
    facts = service_facts.read(folder, JOB, RUNNING)
    assert facts.url == "http://127.0.0.1:8890"
    assert service_facts.server_line(facts) == "healthy, 2 of 2 workers"
    assert facts.as_dict()["workers"] == {"running": 2, "requested": 2}


@pytest.mark.parametrize("state", [states.CANCELED, states.FAILED, states.QUEUED])
def test_a_report_of_a_server_that_is_gone_is_not_believed(folder, state):
    report(folder)
    facts = service_facts.read(folder, JOB, RunState(state))
    assert (facts.url, facts.state, facts.as_dict()["node"]) == ("", "", None)


def test_a_server_with_problems_says_which(folder):
    report(folder, service_state.UNHEALTHY, workers=1, restarts=2, reason="a worker died\n(oom)")
    line = service_facts.server_line(service_facts.read(folder, JOB, RUNNING))
    assert line.startswith("unhealthy: a worker died") and "\n" not in line
    assert line.endswith("1 of 2 workers, 2 of 3 restarts used")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://n1:8890"),
        ("::1", "http://[::1]:8890"),
        ("10.0.0.7", "http://10.0.0.7:8890"),
    ],
)
def test_the_address_is_one_that_a_client_can_use(folder, host, url):
    report(folder, host=host)
    assert service_facts.read(folder, JOB, RUNNING).url == url


def test_a_loopback_address_of_another_machine_is_said_to_be_one(folder):
    report(folder)
    facts = service_facts.read(folder, JOB, RUNNING)
    assert service_facts.server_line(facts, "laptop").endswith("reachable on n1 only")
    assert "reachable" not in service_facts.server_line(facts, "n1")
    report(folder, host="0.0.0.0")
    facts = service_facts.read(folder, JOB, RUNNING)
    assert "reachable" not in service_facts.server_line(facts, "laptop")


@pytest.mark.parametrize("content", [None, "{", '{"schema": 99}', "[]"])
def test_a_missing_or_newer_order_breaks_nothing(tmp_path, content):
    if content is not None:
        (tmp_path / service_order.FILE).write_text(content)
    facts = service_facts.read(str(tmp_path), JOB, RUNNING)
    assert (facts.name, facts.models, facts.url) == ("echo", (), "")


def test_how_it_answers_is_compared(tmp_path):
    bench = Bench(tmp_path, Local())
    runs = [
        run_of(bench, create_service(bench, workers=workers, models=MODELS[:workers]))
        for workers in (1, 2)
    ]
    found = compare.compare(*runs).job
    assert found == {"workers": (1, 2), "models": ("digits:3", "digits:3, scaler.pkl")}
    script = bench.run("pass")
    assert compare.compare(runs[0], script).job["workers"] == (1, None)
    for run in runs:
        run.cancel()
