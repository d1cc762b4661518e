"""Services are replaced, stopped and started, with real processes."""

from __future__ import annotations

import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from service_bench import BROKEN, Caller, post

from scriptrun import Run, Webservice
from scriptrun.engines.local.engine import Local
from scriptrun.exceptions import WebserviceException
from scriptrun.registry import services as registry
from scriptrun.runtime import files, identity
from scriptrun.services import changes, finish, rollout, status
from scriptrun.spec import run_kinds
from scriptrun.testing.jobs import until


def versions(caller):
    return [answer["version"] for answer in caller.answers]


def await_version(callers, version):
    """Wait until the latest answers are all of that version."""
    until(lambda: all(versions(caller)[-1:] == [version] for caller in callers))


def live_runs(bench):
    return [run for run in Run.unfinished(bench.workspace) if not run.standing.is_final]


def test_requests_go_on_while_a_service_is_replaced(bench):
    service = bench.deploy()
    uri = service.scoring_uri
    callers = [Caller(uri) for _ in range(2)]
    for caller in callers:
        caller.start()
    first = service.current_run.id
    for version in "234":
        until(lambda: all(len(caller.answers) > 20 for caller in callers))
        bench.write(version=version)
        service.reload(wait=True)
        await_version(callers, version)
    for caller in callers:
        caller.stop()
    assert [caller.errors for caller in callers] == [[], []]
    assert service.scoring_uri == uri
    assert set(versions(callers[0])) == {"1", "2", "3", "4"}
    assert Run.get(bench.workspace, first).wait_for_completion(raise_on_error=False)
    assert Run.get(bench.workspace, first).status == "Canceled"


def test_the_old_one_goes_on_if_the_new_one_fails(bench):
    service = bench.deploy()
    run = service.current_run.id
    bench.write(BROKEN)
    failing = bench.deploy(overwrite=True, wait=False, tags={"of": "new"}, description="new")
    failing.add_tags({"more": "yes"})
    with pytest.raises(
        WebserviceException, match=r"does not fit[\s\S]*The previous run keeps serving"
    ) as raised:
        failing.wait_for_deployment()
    assert (service.error, service.tags, service.description) == (
        failing.error,
        {"more": "yes"},
        "",
    )
    assert "ValueError" in raised.value.logs
    assert service.health.state == "Healthy"
    assert "does not fit" in service.error
    assert service.run("1")["version"] == "1"
    assert service.current_run.id == run
    record = registry.get(bench.workspace, "digits")
    assert (record.run, record.next) == (run, None)
    assert len(live_runs(bench)) == 1


def test_overwriting_takes_the_new_request(bench):
    service = bench.deploy(workers=1)
    with pytest.raises(WebserviceException, match="already exists") as taken:
        bench.deploy()
    assert "overwrite=True" in str(taken.value)
    newer = bench.deploy(overwrite=True, workers=2, tags={"new": "yes"})
    assert newer.request.workers == 2
    assert Webservice(bench.workspace, "digits").tags == {"new": "yes"}
    assert newer.health.workers == 2
    assert newer.scoring_uri == service.scoring_uri


def test_a_replacement_is_finished_whoever_submitted_it(bench):
    service = bench.deploy()
    bench.write(version="2")
    service.reload()
    first = registry.get(bench.workspace, "digits").run

    def is_finished():
        record = registry.get(bench.workspace, "digits")  # only looks: the worker does it
        return record.next is None and record.run != first

    until(is_finished)
    assert service.run("1")["version"] == "2"
    finish.main(str(bench.workspace.root), "digits")  # nothing is left to do


def test_a_newer_deployment_replaces_one_that_starts(bench):
    service = bench.deploy()
    bench.write("import time\ndef init():\n    time.sleep(600)\n\ndef run(data):\n    return 1\n")
    slow = bench.deploy(overwrite=True, wait=False)
    slow_run = slow.newest_run
    assert slow.health.state == "Transitioning"
    assert post(service.scoring_uri, 1)["version"] == "1"
    bench.write("def init():\n    pass\n\ndef run(data):\n    return 'new'\n")
    newer = bench.deploy(overwrite=True)
    assert newer.run("1") == "new"
    with pytest.raises(WebserviceException, match="replaced by a newer one"):
        slow.wait_for_deployment(timeout_sec=60)
    slow_run.wait_for_completion(raise_on_error=False)
    assert slow_run.status == "Canceled"
    until(lambda: len(live_runs(bench)) == 1)


def test_of_two_deployments_at_once_one_wins(bench):
    def deploy(_):
        try:
            return bench.deploy("one", wait=False).newest_run.id
        except WebserviceException as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(deploy, range(4)))
    won = [answer for answer in answers if answer.startswith("services_")]
    assert len(won) == 1
    assert sum("already exists" in answer for answer in answers) == 3
    assert [run.id for run in live_runs(bench)] == won


def test_deployments_at_once_that_may_replace_each_other_all_succeed(bench, monkeypatch):
    redeploy, times = changes.redeploy, itertools.count()

    def in_between(workspace, request, record=None):
        turn = next(times)
        if turn == 0:  # another process deploys it after the look at its record
            redeploy(workspace, request)
        elif turn == 1:  # and removes it again
            rollout.remove(workspace, "one")
        redeploy(workspace, request, record)

    monkeypatch.setattr(changes, "redeploy", in_between)
    service = bench.deploy("one", overwrite=True)
    assert service.health.state == "Healthy"
    until(lambda: len(live_runs(bench)) == 1)


def test_a_stopped_service_starts_again_as_it_was(bench):
    service = bench.deploy(models=(), auth="key")
    keys, port = service.get_keys(), service.port
    bench.write(version="2")
    service.stop()
    assert service.state == "stopped"
    assert live_runs(bench) == []
    assert service.start()
    assert not service.start()
    service.wait_for_deployment(timeout_sec=120)
    assert service.run("1")["version"] == "1"
    assert (service.get_keys(), service.port) == (keys, port)
    service.reload(wait=True)
    assert service.run("1")["version"] == "2"


def test_a_service_whose_run_is_gone_starts_from_its_request(bench):
    service = bench.deploy()
    service.stop()
    run = service.current_run
    import shutil

    shutil.rmtree(run.path)
    assert service.state == "stopped"
    bench.write(version="2")
    service.start()
    service.wait_for_deployment(timeout_sec=120)
    assert service.run("1")["version"] == "2"


def test_a_killed_service_has_failed(bench):
    service = bench.deploy(restarts=0)
    run = service.current_run
    state = files.read_object(str(run.path / "service_state.json"))
    os.kill(state["pid"], signal.SIGKILL)
    until(lambda: service.state == "failed")
    assert run.status == "Failed"
    assert service.error
    assert bench.workspace.webservices["digits"].health.state == "Failed"
    service.start()
    service.wait_for_deployment(timeout_sec=120)
    assert service.error is None


def test_a_service_that_does_not_answer_is_unhealthy(bench, monkeypatch):
    monkeypatch.setattr(status, "_PROBE_SECONDS", 0.2)
    service = bench.deploy()
    path = service.current_run.path / "service_state.json"
    state = files.read_object(str(path))
    files.write_atomic(str(path), files.to_json({**state, "port": 1}))
    assert service.health.state == "Unhealthy"
    assert "port 1 does not answer" in service.health.reason
    assert service.state == service.STATE_UNKNOWN
    files.write_atomic(str(path), files.to_json({**state, "state": "unhealthy", "reason": "sad"}))
    assert (service.health.state, service.health.reason) == ("Unhealthy", "sad")


def test_runs_of_services_are_recorded_as_such(bench):
    service = bench.deploy(tags={"a": "b"})
    run = service.current_run
    assert run.job.kind == run_kinds.SERVICE
    assert (run.experiment.name, run.display_name) == ("services", "digits")
    assert run.get_tags() == {"a": "b"}
    assert run.get_properties()["scriptrun.service"] == "digits"


DEPLOY = """
import sys
from scriptrun import Workspace
from scriptrun.services import deploy
from scriptrun.services.request import ServiceRequest

root, source, overwrite = sys.argv[1:]
request = ServiceRequest("digits", source_directory=source, entry_script="score.py", auth="key")
deploy.deploy(Workspace(root), request, overwrite=overwrite == "yes")
"""


def start_deployment(bench, overwrite):
    arguments = [str(bench.workspace.root), str(bench.source), overwrite]
    return subprocess.Popen([sys.executable, "-c", DEPLOY, *arguments])


def duration(bench):
    began = time.monotonic()
    assert start_deployment(bench, "yes").wait() == 0
    return time.monotonic() - began


@pytest.mark.parametrize("seed", range(10))
def test_a_killed_deployment_leaves_no_service_that_nobody_sees(bench, seed):
    print("seed", seed)
    random_moments = random.Random(seed)
    whole = duration(bench)
    Webservice(bench.workspace, "digits").delete()
    is_update = seed % 2 == 1
    if is_update:
        bench.deploy(auth="key")
    process = start_deployment(bench, "yes")
    time.sleep(whole * random_moments.uniform(0.4, 1.1))
    process.kill()
    process.wait()

    def is_settled():
        services = bench.workspace.webservices
        return all(each.health.state in ("Healthy", "Failed") for each in services.values()) and (
            all(rollout.advance(bench.workspace, name).next is None for name in services)
        )

    until(is_settled)
    names = list(bench.workspace.webservices)
    assert names in ([["digits"]] if is_update else [[], ["digits"]])
    serving = [Webservice(bench.workspace, name).current_run.id for name in names]
    until(lambda: [run.id for run in live_runs(bench)] == serving)
    for name in names:
        assert Webservice(bench.workspace, name).run("1")["version"] == "1"
    bench.deploy(overwrite=True)
    Webservice(bench.workspace, "digits").delete()
    assert live_runs(bench) == []


GATED = """
import json, os, time

def init():
    pass

def run(data):
    gate = json.loads(data)
    print('begins', gate, flush=True)
    while not os.path.exists(gate):
        time.sleep(0.02)
    return 'done'
"""


def hold(bench, service, pool, name):
    """Begin a request that is answered once the file that is returned exists."""
    gate = bench.tmp_path / name
    answer = pool.submit(post, service.scoring_uri, str(gate))
    until(lambda: f"begins {gate}" in service.get_logs())
    return gate, answer


def test_a_request_that_is_being_answered_is_finished(bench):
    bench.write(GATED)
    service = bench.deploy(variables={"AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC": "0.1"})
    with ThreadPoolExecutor(1) as pool:
        run = service.current_run
        gate, answer = hold(bench, service, pool, "reload")
        service.reload(wait=True)
        assert not answer.done()
        assert not run.standing.is_final
        gate.touch()
        assert answer.result(60) == "done"
    with ThreadPoolExecutor(2) as pool:
        path = service.current_run.path
        gate, answer = hold(bench, service, pool, "delete")
        deletion = pool.submit(service.delete)
        until(lambda: (path / "cancel.json").exists())
        gate.touch()
        assert answer.result(60) == "done"
        deletion.result(120)


def test_a_cancellation_that_failed_is_repeated(bench, monkeypatch):
    bench.write(GATED)
    service, calls = bench.deploy(), []

    def cancel(engine, folder):
        calls.append(folder)
        if len(calls) == 1:
            raise WebserviceException("The cluster does not answer.")

    monkeypatch.setattr(Local, "cancel", cancel)
    with ThreadPoolExecutor(1) as pool:
        gate, answer = hold(bench, service, pool, "gate")
        with pytest.raises(WebserviceException, match="does not answer"):
            service.stop()
        rollout.cancel(bench.workspace, service.run_id)
        assert len(calls) == 2
        gate.touch()
        assert answer.result(60) == "done"
    service.stop()


def test_a_replacement_is_finished_once_the_engine_answers(bench, monkeypatch):
    old, service, calls = bench.deploy("old"), bench.deploy(), []

    def cancel(engine, folder):
        calls.append(folder)
        if len(calls) == 1:
            raise WebserviceException("The cluster does not answer.")

    monkeypatch.setattr(Local, "cancel", cancel)
    registry.change(
        bench.workspace, "digits", lambda found: found.replace(retired=[old.current_run.id])
    )
    finish.main(str(bench.workspace.root), "digits")
    assert calls
    assert registry.get(bench.workspace, "digits").retired == []
    assert old.current_run.status == "Canceled"
    assert service.run("1")["version"] == "1"


def test_a_service_that_was_asked_to_end_is_stopped(bench):
    service = bench.deploy()
    run = service.current_run
    os.kill(files.read_object(str(run.path / "service_state.json"))["pid"], signal.SIGTERM)
    assert run.wait_for_completion()["status"] == "Completed"
    assert service.health.state == "Stopped"


def test_another_port_is_no_secret(bench):
    service = bench.deploy()
    port = service.port
    service.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.warns(UserWarning, match=f"had port {port}, which is taken") as caught:
            service.start()
    assert [warning.filename for warning in caught] == [__file__]
    service.wait_for_deployment(timeout_sec=120)
    assert service.port != port


def test_a_service_is_deleted_while_it_is_deployed(bench):
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            bench.deploy(overwrite=True, wait=False)
            deployments = [pool.submit(bench.deploy, overwrite=True, wait=False) for _ in range(2)]
            Webservice(bench.workspace, "digits").delete()
            for deployment in deployments:
                deployment.exception(60)
            names = list(bench.workspace.webservices)
            for name in names:
                Webservice(bench.workspace, name).delete()
            until(lambda: live_runs(bench) == [], seconds=60)


def test_of_two_starts_at_once_one_starts_the_service(bench, monkeypatch):
    service = bench.deploy()
    service.stop()
    prepare_again = rollout.again

    def in_between(*arguments):
        prepared = prepare_again(*arguments)
        monkeypatch.setattr(rollout, "again", prepare_again)
        assert rollout.start(bench.workspace, "digits")  # another process is quicker
        Webservice(bench.workspace, "digits").wait_for_deployment(timeout_sec=120)
        return prepared

    monkeypatch.setattr(rollout, "again", in_between)
    assert not service.start()
    assert service.run("1")["version"] == "1"
    assert len(live_runs(bench)) == 1


def test_a_deployment_that_could_not_be_undone_is_forgotten(bench):
    service = bench.deploy()
    run = service.current_run.id

    def leave(record):  # as of a full disk, in this process
        return record.replace(next="services_gone", next_request={}, by=identity.identify())

    registry.change(bench.workspace, "digits", leave)
    bench.write(version="2")
    service.reload(wait=True)
    assert service.run("1")["version"] == "2"
    assert service.current_run.id != run
    registry.change(bench.workspace, "digits", leave)
    service.delete()
    assert bench.workspace.webservices == {}


def test_waiting_for_another_deployment_ends(bench, monkeypatch):
    monkeypatch.setattr(rollout, "_SUBMISSION_SECONDS", 0.3)
    service = bench.deploy()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        by = identity.identify(other.pid)
        registry.change(
            bench.workspace, "digits", lambda found: found.replace(next="services_gone", by=by)
        )
        for change in (service.reload, service.stop):
            with pytest.raises(WebserviceException, match=f"by process {other.pid} on"):
                change()
        other.communicate(b"\n")
    service.stop()
    assert service.health.state == "Stopped"
