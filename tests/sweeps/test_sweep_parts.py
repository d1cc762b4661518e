"""A sweep's parts by themselves: refused ones, its driver's first and last steps, its points."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from scriptrun import HyperDriveRun, Run
from scriptrun.queue import tickets
from scriptrun.spec.errors import RunConfigurationException, UserErrorException
from scriptrun.store.locks import flocks
from scriptrun.submission.submit import PendingRun
from scriptrun.sweeps import active_runs, driver, ensure_driver, hyperdrive_run, record, submit
from scriptrun.sweeps.journal import ChildRun, Journal
from scriptrun.sweeps.launch import RunStarter
from scriptrun.testing.jobs import PATIENCE
from scriptrun.tracking import run_folder


@pytest.fixture
def folder(tuner):
    """A sweep that is written down and that nobody drives."""
    return written(tuner)


def written(tuner, **settings):
    workspace = tuner.workspace
    config = tuner.config("--mark", "m", custom_run_id="kept", **settings)
    found = submit.check(config, workspace, "tune")
    held = flocks.try_flock(ensure_driver.flock_path(workspace.id, "kept"))
    with held:
        folder = submit.submit(found, workspace)
    return folder


def reasons(tuner, **settings):
    with pytest.raises(RunConfigurationException) as caught:
        submit.check(tuner.config(**settings), tuner.workspace, "tune")
    return str(caught.value)


@pytest.mark.parametrize("run_id", ["", "-x", "a/b", "a" * 201, ".hidden", "ü b"])
def test_a_sweeps_id_is_a_files_name(tuner, run_id):
    assert "custom_run_id" in reasons(tuner, custom_run_id=run_id)


def test_all_that_is_wrong_with_a_sweep_is_said_at_once(tuner):
    said = reasons(tuner, custom_run_id="a b", resume_from=["x"], resume_child_runs=[object()] * 9)
    for words in ("custom_run_id", "expects sweeps", "expects child runs", "cannot resume 9 runs"):
        assert words in said
    assert not any(tuner.workspace.runs_folder.glob("*/*"))


def test_what_is_wrong_with_its_job_is_said_too(tuner):
    job = tuner.job()
    job.script = "none.py"
    assert "none.py" in reasons(tuner, job=job)


def test_a_sweep_is_written_down_before_it_is_driven(tuner, folder):
    run = Run.get(tuner.workspace, "kept")
    assert isinstance(run, HyperDriveRun) and run.get_status() == "Queued"
    assert ensure_driver.ticket_path(tuner.workspace.id, "kept").exists()
    assert (run.journal().children, run.get_hyperparameters(), run.get_metrics()) == ({}, {}, {})
    assert (run.get_best_run_by_primary_metric(), list(run.get_children())) == (None, [])
    assert run.get_diagnostics() == "" and run.limits.max_total_runs == 4
    assert run.hyperdrive_config.max_concurrent_runs == 2
    assert "already exists" in reasons(tuner, custom_run_id="kept")
    run.cancel()


def test_limits_that_nothing_could_follow_are_refused_and_change_nothing(tuner, folder):
    run = Run.get(tuner.workspace, "kept")
    with pytest.raises(UserErrorException, match="No limits"):
        run.extend()
    for wrong in ({"max_total_runs": 0}, {"max_concurrent_runs": -1}):
        with pytest.raises(UserErrorException, match="limits"):
            run.extend(**wrong)
    assert run.limits.max_total_runs == 4
    run.extend(max_total_runs=6)
    assert (run.limits.max_total_runs, run.limits.max_concurrent_runs) == (6, 2)
    run.cancel()


def test_a_run_that_is_no_sweep_is_not_opened_as_one(tuner):
    run = tuner.experiment.start_logging()
    run.complete()
    with pytest.raises(UserErrorException, match="is not a sweep"):
        hyperdrive_run.HyperDriveRun(tuner.experiment, run.id)


def drive(tuner, run_id):
    script = f"import sys; from {driver.__name__} import main; main(*sys.argv[1:])"
    argv = [sys.executable, "-c", script, str(tuner.workspace.root), run_id]
    return subprocess.run(argv, timeout=PATIENCE, capture_output=True, text=True)


def test_a_driver_leaves_what_is_not_its_own(tuner):
    assert drive(tuner, "none").returncode == 0
    before = written(tuner)
    with flocks.try_flock(ensure_driver.flock_path(tuner.workspace.id, "kept")):
        assert drive(tuner, "kept").returncode == 0
    assert run_folder.read_result(before) is None
    assert ensure_driver.ticket_path(tuner.workspace.id, "kept").exists()
    Run.get(tuner.workspace, "kept").cancel()


@pytest.mark.parametrize("had_begun", [True, False])
def test_a_driver_that_breaks_again_and_again_ends_its_sweep(tuner, folder, had_begun):
    if had_begun:
        (folder / "attempts" / "1").mkdir(parents=True)
    value = json.loads((folder / record.FILE).read_text())
    value["child"]["target"] = {"name": "far", "kind": "Nowhere", "options": {}}
    (folder / record.FILE).write_text(json.dumps(value))
    for _ in range(driver.MAX_CRASHES):
        assert run_folder.read_result(folder) is None
        assert drive(tuner, "kept").returncode == 0
    value = run_folder.read_result(folder)
    assert value["state"] == "Failed" and f"crashed {driver.MAX_CRASHES} times" in value["reason"]
    assert not ensure_driver.ticket_path(tuner.workspace.id, "kept").exists()


def test_a_sweep_whose_record_is_damaged_ends_at_once(tuner, folder):
    (folder / record.FILE).write_text('{"cut')
    assert drive(tuner, "kept").returncode == 0
    value = run_folder.read_result(folder)
    assert value["state"] == "Failed" and str(folder / record.FILE) in value["reason"]


def test_a_drivers_log_takes_any_words_and_no_disk_stops_it(tmp_path):
    driver.Log(tmp_path).say("odd \udcff words")
    driver.Log(tmp_path).say("more")
    lines = (tmp_path / record.LOG).read_bytes().decode().splitlines()
    assert [line.partition(" ")[2] for line in lines] == ["odd ? words", "more"]
    (tmp_path / "file").write_text("")
    driver.Log(tmp_path / "file").say("nowhere")


def flight_of(tuner, folder):
    journal = Journal(folder).read()
    for number in range(2):
        point = {"parameters": {"--x": 0.5}, "created": "2024-05-01T10:00:00.000000Z"}
        journal.add(ChildRun(number=number, id=f"kept_{number}", **point))
    launching = RunStarter(tuner.workspace, "kept", journal, forks=True)
    log = driver.Log(folder)
    sweep = record.read(folder)
    return active_runs.ActiveRuns(tuner.workspace, sweep, journal, launching, log), launching


def test_points_without_a_run_end_at_once_when_all_shall(tuner, folder):
    flight, _ = flight_of(tuner, folder)
    assert flight.lacks_any() and flight.begun() == set() and flight.waiting_count() == 0
    assert [child.number for child in flight.unsubmitted()] == [0, 1]
    assert active_runs.MIN_PAUSE <= flight.pause() <= active_runs.MAX_PAUSE
    flight.stop_all("enough")
    assert flight.live == {} and not flight.lacks_any()
    told = Journal(folder).read().children.values()
    assert {(child.state, child.reason) for child in told} == {("Canceled", "enough")}
    Run.get(tuner.workspace, "kept").cancel()


def test_a_run_is_stopped_with_the_reason_that_its_end_will_give(tuner):
    run = tuner.experiment.start_logging()
    active_runs.stop(tuner.workspace, run.path, run.job, "not worth it")
    assert json.loads((run.path / "cancel.json").read_text())["reason"] == "not worth it"
    assert json.loads((run.path / "cancel.json").read_text())["pid"] == os.getpid()


def test_what_is_parked_and_has_ended_is_not_started(tuner, folder):
    _, launching = flight_of(tuner, folder)
    launching.start_parked()
    run = tuner.experiment.start_logging()
    run.complete()
    assert run_folder.read_result(run.path) is not None
    queue = tickets.queue_of(tuner.workspace.id)
    ticket = tickets.write(queue, run.path, {})
    ready = object()
    launching.parked[0] = PendingRun(run.job, run.path, ready, ticket)
    launching.start_parked()
    assert (launching.parked, launching.guards) == ({}, {})
    tickets.drop(ticket.path)
    Run.get(tuner.workspace, "kept").cancel()


def test_a_run_that_another_host_left_waiting_waits_here_once(tuner, folder):
    flight, launching = flight_of(tuner, folder)
    begun = flight.live[0].folder(tuner.workspace.runs_folder)
    (begun / "attempts" / "1").mkdir(parents=True)
    launching.requeue_locally(flight.live[0])
    assert tickets.find(tickets.queue_of(tuner.workspace.id), "kept_0") is None
    assert os.listdir(begun) == ["attempts"]
    Run.get(tuner.workspace, "kept").cancel()
