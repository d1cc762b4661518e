"""A service as a job of a real Slurm: its address, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import urllib.error

import pytest
from service_runs import ECHO, GATED, RAISES, call, healthy, submit_service

from scriptrun.engines.slurm.engine import Slurm
from scriptrun.registry import compute_targets
from scriptrun.runs import service_facts
from scriptrun.runtime.serving import state as service_state
from scriptrun.services import deploy
from scriptrun.services.request import ServiceRequest
from scriptrun.testing import jobs
from scriptrun.testing.jobs import PATIENCE, Bench, log_of, until, wait

pytestmark = pytest.mark.slurm


@pytest.fixture
def bench(tmp_path, slurm):
    return Bench(tmp_path / "w", Slurm(partition="main"))


@pytest.fixture
def services():
    started = []
    yield started
    for run in started:
        if not run.standing.is_final:
            run.cancel()
            wait(run)


def job_state(run):
    done = subprocess.run(
        ["squeue", "-h", "-o", "%T", "-j", run.get_details()["jobIds"][-1]],
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_its_address_is_known_and_answers(bench, services):
    run = submit_service(bench)
    services.append(run)
    assert call(run, "hello") == {"body": "hello"}
    until(lambda: run.get_status() == "Running", "the poll of the cluster is cached")
    facts = service_facts.of_run(run)
    details = run.get_details()
    assert facts.url.startswith("http://127.0.0.1:") and facts.state == "healthy"
    assert details["service"]["node"] and details["jobIds"]


def test_a_canceled_one_answers_what_it_accepted(bench, services, tmp_path):
    gate, answers = tmp_path / "gate", []
    run = submit_service(bench, GATED, job={"grace_seconds": PATIENCE})
    services.append(run)
    body = json.dumps({"gate": str(gate)})
    client = threading.Thread(target=lambda: answers.append(call(run, body)))
    client.start()
    until(lambda: "accepted" in log_of(run))
    run.cancel()
    gate.touch()
    client.join(PATIENCE)
    assert answers == ["answered"] and wait(run) == "Canceled"


def test_one_that_slurm_cancels_is_canceled(bench, services):
    run = submit_service(bench)
    services.append(run)
    healthy(run)
    subprocess.run(["scancel", run.get_details()["jobIds"][-1]], check=True)
    assert wait(run) == "Canceled"
    assert "script" not in run.standing.reason


def test_one_whose_init_raises_has_failed_with_the_exception(bench):
    run = submit_service(bench, RAISES)
    assert wait(run) == "Failed"
    assert "ValueError: no weights" in run.standing.reason


def test_one_whose_launcher_is_killed_has_failed(bench, services):
    run = submit_service(bench)
    services.append(run)
    server = healthy(run)["pid"]
    (launcher,) = {
        event["launcher"]["pid"]
        for line in (run.path / "events" / "node-0.jsonl").read_text().splitlines()
        if (event := json.loads(line))["kind"] == "began"
    }
    os.kill(launcher, signal.SIGKILL)
    assert wait(run) == "Failed"
    until(lambda: server not in jobs.living("entry.py"))


def test_one_that_is_requeued_serves_again_at_its_new_address(tmp_path, slurm, services):
    bench = Bench(tmp_path / "w", Slurm(partition="main", requeue=True))
    run = submit_service(bench)
    services.append(run)
    first = healthy(run)
    job_id = run.get_details()["jobIds"][-1]
    subprocess.run(["scontrol", "requeue", job_id], check=True)
    until(lambda: job_state(run) == "PENDING", lambda: job_state(run))
    assert service_facts.of_run(run).url == "", "the server before is gone"
    slurm.release(job_id, lambda: pid_of(run) != first["pid"])
    assert healthy(run)["pid"] != first["pid"]
    assert call(run, "again") == {"body": "again"}
    assert run.get_details()["attempts"] == 2


def test_a_deployed_one_has_its_keys_and_no_file_of_the_workspace_has_them(
    bench, services, tmp_path, monkeypatch
):
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    compute_targets.put(bench.workspace, Slurm(name="cluster", partition="main"))
    request = ServiceRequest(
        "guarded",
        source_directory=str(bench.source(ECHO)),
        entry_script="job.py",
        compute_target="cluster",
        auth="key",
    )
    service = deploy.deploy(bench.workspace, request)
    services.append(service.current_run)
    service.wait_for_deployment()
    key = service.get_keys()[0]
    assert service.run('"hello"') == {"body": '"hello"'}
    with pytest.raises(urllib.error.HTTPError, match="401"):
        call(service.current_run)
    written = jobs.tree(bench.workspace.directory)
    assert not [name for name, content in written.items() if key.encode() in content]


def pid_of(run):
    return (service_state.read(str(run.path)) or {}).get("pid")
