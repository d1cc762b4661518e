"""Records damaged while their runs live or are waited for: the evidence decides, and all ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys

import damage
import pytest
from commands import command, ended, start

from scriptrun.core.run import Run
from scriptrun.engines.local.engine import Local
from scriptrun.runtime import files
from scriptrun.sweeps import driver as sweep_driver
from scriptrun.sweeps import ensure_driver
from scriptrun.testing.jobs import Bench, until, wait
from scriptrun.tracking import run_folder

sys.path.insert(0, os.path.join(os.path.dirname(__file__), os.pardir, "sweeps"))
from tuning import Tuner, driver_of

pytestmark = [pytest.mark.faults]

#: a few of those that tests/faults/test_damage_matrix.py tries
KINDS = ["empty", "garbage", "an empty object", "wrong fields"]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local(max_runs=2))


def result_of(run):
    return run.path / "attempts" / "1" / "result.json"


@pytest.mark.parametrize("kind", [*KINDS, "a folder", "a loop"])
def test_a_result_that_cannot_be_read_is_none_and_the_nodes_result_counts(bench, kind):
    run = bench.run("print('done')")
    damage.apply(kind, result_of(run))
    code, out, _ = command(bench, "logs", run.id, "-f")
    assert code == 0 and "done" in out
    wait(run)
    status = run.standing
    assert status.state == "Completed"
    assert status.reason == "attempts/1/result.json was damaged; the result is that of its node"
    assert run.wait_for_completion()["status"] == "Completed"
    assert [*result_of(run).parent.glob("result.json.damaged-*")], "the damaged one is kept"
    assert "already finished: Completed" in command(bench, "cancel", run.id)[1]


def test_a_run_whose_results_are_all_damaged_has_failed(bench, gate, gated_run):
    gate.touch()
    wait(gated_run)
    for name in ("result.json", "node-0.json"):
        damage.apply("half", result_of(gated_run).with_name(name))
    run = Run.get(bench.workspace, gated_run.id)
    until(lambda: run.get_status() == "Failed")  # its launcher may still live
    status = run.standing
    assert "is gone" in status.reason and "attempts/1/result.json was damaged" in status.reason


def test_a_failure_stays_one_when_its_result_is_damaged(bench):
    run = bench.run("raise SystemExit(3)")
    damage.apply("empty", result_of(run))
    assert wait(run) == "Failed"
    status = run.standing
    assert status.exit_code == 3
    assert "exited with code 3" in status.reason and "was damaged" in status.reason


@pytest.mark.parametrize("kind", ["empty", "garbage", "a folder"])
def test_a_launcher_puts_a_damaged_result_aside(gated_run, gate, kind):
    result_of(gated_run).write_text("{}")
    damage.apply(kind, result_of(gated_run))
    assert gated_run.get_status() == "Running"
    gate.touch()
    assert wait(gated_run) == "Completed"
    assert files.read_object(result_of(gated_run))["state"] == "Completed"


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_claim_does_not_end_a_run_that_lives(bench, gated_run, gate, kind):
    damage.apply(kind, result_of(gated_run).with_name("node-0.start.json"))
    assert gated_run.get_status() == "Running"
    code, out, _ = command(bench, "cancel", gated_run.id)
    assert code == 0 and "cancel" in out
    assert wait(gated_run) == "Canceled"


def test_a_run_whose_claim_and_launcher_are_gone_has_failed(bench, gated_run):
    start_file = result_of(gated_run).with_name("node-0.start.json")
    owner = json.loads(start_file.read_text())
    launcher = launcher_of(gated_run)
    damage.apply("half", start_file)
    os.kill(owner["pid"], signal.SIGKILL)
    os.kill(launcher, signal.SIGKILL)
    assert wait(gated_run) == "Failed"
    reason = gated_run.standing.reason
    assert "is gone" in reason and "node-0.start.json" in reason


def launcher_of(run):
    lines = (run.path / "events" / "node-0.jsonl").read_text().splitlines()
    began = [event for event in map(json.loads, lines) if event["kind"] == "began"]
    return began[0]["launcher"]["pid"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_whose_job_is_damaged_is_followed_to_its_end(bench, gated_run, gate, kind):
    other = bench.run("pass")
    damage.apply(kind, gated_run.path / "job.json")
    code, out, _ = command(bench, "list")
    assert code == 0 and gated_run.id in out and other.id in out
    rows = {row["id"]: row for row in json.loads(command(bench, "list", "--json")[1])["runs"]}
    assert rows[gated_run.id]["state"] == "Running"
    assert str(gated_run.path / "job.json") in rows[gated_run.id]["reason"]
    follower = start(bench, "logs", gated_run.id, "-f")
    gate.touch()
    code, out, err = ended(follower)
    assert code == 0 and "began" in out and str(gated_run.path / "job.json") in err
    code, _, err = command(bench, "rerun", gated_run.id, "-d")
    assert code == 2 and str(gated_run.path / "job.json") in err


def test_a_run_whose_job_is_damaged_can_be_canceled(bench, gated_run):
    damage.apply("garbage", gated_run.path / "job.json")
    code, out, _ = command(bench, "cancel", gated_run.id)
    assert code == 0 and "cancel" in out
    until(lambda: run_folder.read_result(gated_run.path))
    assert run_folder.read_result(gated_run.path)["state"] == "Canceled"


@pytest.mark.parametrize("kind", ["empty", "garbage", "a list", "a folder", "a loop"])
def test_a_request_to_cancel_counts_however_damaged(gated_run, kind):
    request = gated_run.path / "cancel.json"
    request.write_text("{}")
    damage.apply(kind, request)
    assert wait(gated_run) == "Canceled"


@pytest.mark.parametrize("name", ["attempts", "attempts/1"])
@pytest.mark.parametrize("kind", ["a file", "a loop", "gone"])
def test_a_run_whose_attempts_are_gone_ends(bench, name, kind):
    run = bench.run("print('done')")
    if kind == "gone":
        shutil.rmtree(run.path / name)
    else:
        damage.apply(kind, run.path / name)
    code, out, _ = command(bench, "logs", run.id, "-f")
    assert code == 1 and "done" in out
    assert Run.get(bench.workspace, run.id).get_status() == "Failed"


# sweeps


def without_driver(sweep):
    """Kill the sweep's driver once it drives."""
    for pid in until(lambda: driver_of(sweep)):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not driver_of(sweep))


@pytest.mark.parametrize("kind", ["empty", "half", "an empty object", "wrong fields", "a folder"])
def test_a_sweep_whose_record_is_damaged_fails_at_once(tmp_path, kind):
    tuner = Tuner(tmp_path)
    sweep = tuner.submit("--gate", tmp_path / "gate")
    without_driver(sweep)
    shutil.rmtree(sweep.path / "attempts", ignore_errors=True)  # as before its first poll
    damage.apply(kind, sweep.path / "sweep.json")
    assert wait(sweep) == "Failed"
    assert str(sweep.path / "sweep.json") in sweep.standing.reason
    (tmp_path / "gate").touch()


def test_a_driver_that_crashes_before_its_first_poll_ends_the_sweep(tmp_path):
    tuner = Tuner(tmp_path)
    sweep = tuner.submit("--gate", tmp_path / "gate")
    without_driver(sweep)
    shutil.rmtree(sweep.path / "attempts", ignore_errors=True)
    for number in range(sweep_driver.MAX_CRASHES):
        try:
            raise RuntimeError(f"crash {number}")
        except RuntimeError as error:
            has_ended = sweep_driver._record_crash(sweep.path, error)
    assert has_ended
    status = run_folder.read_result(sweep.path)
    assert status["state"] == "Failed" and "crashed 3 times" in status["reason"]
    (tmp_path / "gate").touch()


@pytest.mark.parametrize(
    "record", ["attempts/1/begun.json", "limits/1.json", "driver/owner.json", "driver", "ticket"]
)
@pytest.mark.parametrize("kind", ["empty", "wrong fields"])
def test_a_sweep_goes_on_without_a_damaged_record(tmp_path, record, kind):
    tuner, gate = Tuner(tmp_path), tmp_path / "gate"
    sweep = tuner.submit("--gate", gate, max_total_runs=3)
    until(lambda: [*tuner.workspace.runs_folder.glob("*/*_*/attempts/1/node-0.start.json")])
    sweep.extend(max_total_runs=4)
    without_driver(sweep)
    path = sweep.path / record
    if record == "ticket":
        path = ensure_driver.ticket_path(tuner.workspace.id, sweep.id)
    if record == "driver":
        damage.apply("a file", path)
    elif record == "driver/owner.json":
        path.write_text("{}")  # its host is unknown: it counts as lost after five minutes
        assert sweep.get_status() == "Running"
        damage.remove(path.parent)
    else:
        damage.apply(kind, path)
    gate.touch()
    assert wait(sweep) == "Completed"
    expected = 3 if record == "limits/1.json" else 4
    assert len(sweep.get_hyperparameters()) == expected


def test_a_run_of_a_sweep_whose_job_is_damaged_counts_by_its_result(tmp_path):
    tuner, gate = Tuner(tmp_path), tmp_path / "gate"
    sweep = tuner.submit("--gate", gate, max_total_runs=2)
    (job,) = until(lambda: [*tuner.workspace.runs_folder.glob("*/*_0/job.json")])
    until(lambda: [*job.parent.glob("user_logs/*")])  # the launcher has read the job
    without_driver(sweep)
    damage.apply("half", job)
    gate.touch()
    assert wait(sweep) == "Completed"
    assert [child.state for child in sweep.children_rows()] == ["Completed"] * 2
