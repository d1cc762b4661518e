"""However a service ends, its run says so, and nothing of it stays alive."""

from __future__ import annotations

import json
import os
import signal
import threading

import pytest
from service_runs import GATED, RAISES, call, healthy, servers_of, submit_service

from scriptrun.engines.local.engine import Local
from scriptrun.runs import failed_log, service_facts
from scriptrun.testing.jobs import PATIENCE, Bench, log_of, until, wait


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local(max_runs=1))


@pytest.fixture
def service(bench):
    """A service that answers; stopped when the test is over."""
    run = submit_service(bench)
    healthy(run)
    yield run
    stop(run)


def stop(run):
    if not run.standing.is_final:
        run.cancel()
        wait(run)


def keepers(run):
    """The pids of the run's guard and launcher."""
    claim = json.loads((run.path / "attempts" / "1" / "node-0.start.json").read_text())
    lines = (run.path / "events" / "node-0.jsonl").read_text().splitlines()
    began = next(each for each in map(json.loads, lines) if each["kind"] == "began")
    return claim["pid"], began["launcher"]["pid"]


def test_a_canceled_service_answers_what_it_accepted(bench, tmp_path):
    gate, answers = tmp_path / "gate", []
    run = submit_service(bench, GATED, job={"grace_seconds": PATIENCE})
    try:
        body = json.dumps({"gate": str(gate)})
        client = threading.Thread(target=lambda: answers.append(call(run, body)))
        client.start()
        until(lambda: "accepted" in log_of(run))
        run.cancel()
        assert not run.standing.is_final
        gate.touch()
        client.join(PATIENCE)
        assert answers == ["answered"]
        assert wait(run) == "Canceled"
    finally:
        gate.touch()
        stop(run)
    assert not servers_of(run)


def test_a_service_whose_server_is_killed_has_failed(service):
    os.kill(healthy(service)["pid"], signal.SIGKILL)
    assert wait(service) == "Failed"
    assert "the server was killed by SIGKILL" in service.standing.reason
    until(lambda: not servers_of(service))
    facts = service_facts.of_run(service)
    assert (facts.url, facts.state) == ("", "")


def test_a_service_whose_launcher_is_killed_has_failed(service):
    _, launcher = keepers(service)
    os.kill(launcher, signal.SIGKILL)
    assert wait(service) == "Failed"
    until(lambda: not servers_of(service))


def test_a_service_whose_guard_and_launcher_are_killed_has_failed(service):
    for pid in keepers(service):
        os.kill(pid, signal.SIGKILL)
    assert wait(service) == "Failed"
    until(lambda: not servers_of(service))


def test_a_service_does_not_survive_a_reboot(service):
    guard, launcher = keepers(service)
    os.kill(guard, signal.SIGKILL)
    os.kill(launcher, signal.SIGKILL)
    path = service.path / "attempts" / "1" / "node-0.start.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "boot": "an earlier one"}))
    assert wait(service) == "Failed"
    assert "rebooted" in service.standing.reason
    assert service_facts.of_run(service).url == ""


def test_the_reason_is_the_exception_of_init(bench):
    run = submit_service(bench, RAISES)
    assert wait(run) == "Failed"
    assert "ValueError: no weights" in run.standing.reason
    assert "no weights" in failed_log.read(run).text
    assert run.get_details()["service"]["state"] is None


def test_the_reason_is_the_servers_own_sentence(bench, service):
    port = healthy(service)["port"]
    other = submit_service(bench, name="other", port=port)
    assert wait(other) == "Failed"
    assert str(port) in other.standing.reason and "Traceback" not in other.standing.reason


def test_a_service_that_exceeds_its_time_limit_has_failed(bench):
    limit = 1
    while True:
        run = submit_service(bench, job={"max_run_duration_seconds": limit})
        assert wait(run) == "Failed"
        limit *= 3
        if "model loaded" in log_of(run) or limit > PATIENCE:
            break
    assert "the server was stopped: exceeded max_run_duration_seconds=" in run.standing.reason
    assert not servers_of(run)


def test_a_service_is_not_retried_and_logs_no_script(bench, service):
    os.kill(healthy(service)["pid"], signal.SIGKILL)
    assert wait(service) == "Failed"
    assert service.get_details()["attempts"] == 1
    assert "script" not in service.standing.reason
    assert "script" not in " ".join(service.get_details()["notes"])


def test_a_service_cannot_end_its_own_run_from_its_entry_script(bench):
    code = (
        "from scriptrun import Run\n"
        "def init():\n    Run.get_context().complete()\n"
        "def run(body):\n    return 'still here'\n"
    )
    run = submit_service(bench, code)
    try:
        assert call(run) == "still here"
        assert run.get_status() == "Running"
    finally:
        stop(run)
    assert wait(run) == "Canceled"
