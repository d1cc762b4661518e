"""Tickets, the runner, and how a run stands when its files are silent."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys

import pytest

from scriptrun import Experiment, Run
from scriptrun.engines.local.engine import Local
from scriptrun.queue import runner as queue_runner
from scriptrun.queue import tickets, workers
from scriptrun.runtime import files
from scriptrun.store import detached
from scriptrun.store.locks import flocks
from scriptrun.testing import jobs
from scriptrun.testing.jobs import PATIENCE, Bench, log_of, until, wait


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local(max_runs=1))


def queue(bench):
    return tickets.queue_of(bench.workspace.id)


def test_tickets_are_taken_in_the_order_of_their_writing(tmp_path):
    names = [f"run_{number}" for number in (3, 1, 2)]
    written = [tickets.write(tmp_path, tmp_path / name, {}) for name in names]
    assert tickets.waiting(tmp_path) == [each.path for each in written]
    assert [tickets.run_id_of(path) for path in tickets.waiting(tmp_path)] == names
    assert tickets.find(tmp_path, "run_1") == written[1].path
    assert tickets.find(tmp_path, "run_") is None
    tickets.drop(written[1].path)
    tickets.drop(written[1].path)
    assert tickets.read(written[1].path) is None
    assert len(tickets.waiting(tmp_path)) == 2


def test_a_ticket_is_written_though_its_folder_was_removed(tmp_path):
    ticket = tickets.write(tmp_path / "gone" / "queue", tmp_path / "run", {})
    assert tickets.waiting(tmp_path / "gone" / "queue") == [ticket.path]


def test_a_ticket_keeps_odd_variables_and_is_private(tmp_path):
    environ = {"TOKEN": "s3cr3t", "ODD": "\udcff\n漢", "": "x"}
    ticket = tickets.write(tmp_path, tmp_path / "run", environ)
    assert tickets.read(ticket.path).environ == environ
    assert stat.S_IMODE(ticket.path.stat().st_mode) == 0o600


def test_a_half_written_ticket_is_none(tmp_path):
    (tmp_path / "1-a.json").write_text('{"folder": ')
    (tmp_path / "2-b.json.abc.tmp").write_text("{}")
    assert [path.name for path in tickets.waiting(tmp_path)] == ["1-a.json"]
    assert tickets.read(tmp_path / "1-a.json") is None


def test_the_submitters_variables_reach_a_run_that_waited_and_nothing_else(
    bench, gated_run, tmp_path, monkeypatch
):
    monkeypatch.setenv("SECRET_OF_MINE", "s3cr3t-value")
    run = bench.submit("import os; print(os.environ['SECRET_OF_MINE'])")
    monkeypatch.setenv("SECRET_OF_MINE", "changed later")
    (tmp_path / "gate").touch()
    assert (wait(run), log_of(run)) == ("Completed", "s3cr3t-value\n")
    shutil.rmtree(run.path / "user_logs")
    written = jobs.tree(bench.workspace.directory)
    assert not [name for name, content in written.items() if b"s3cr3t-value" in content]


def test_one_runner_a_workspace_which_exits_when_idle(bench, gated_run, tmp_path):
    run = bench.submit("print('later')")
    until(lambda: has_runner(bench))
    for _ in range(5):
        workers.ensure_runner(bench.workspace)
    command = workers.runner(bench.workspace).command
    assert subprocess.run(command, timeout=PATIENCE).returncode == 0, "a second one leaves at once"
    until(lambda: len(runners(bench)) == 1)
    (tmp_path / "gate").touch()
    assert wait(run) == "Completed"
    until(lambda: not runners(bench), "the runner has nothing to do and stays")


def free_lock(bench):
    """The runner's lock, where no runner holds it."""
    return flocks.try_flock(workers.runner(bench.workspace).lock_path)


def has_runner(bench):
    """Whether one holds the lock; one that came to it in this moment has gone: there is another."""
    lock = free_lock(bench)
    if lock is None:
        return True
    lock.release()
    workers.ensure_runner(bench.workspace)
    return False


def runners(bench, booting=False):
    """The processes that have the runner's name; with ``booting`` those too that are to take it."""
    found = []
    for pid in jobs.living(str(bench.root)):
        try:
            with open(f"/proc/{pid}/comm") as handle, open(f"/proc/{pid}/cmdline") as words:
                name, begins = handle.read().strip(), "queue import runner" in words.read()
                if name == "scriptrun-queue" or (booting and begins and name.startswith("python")):
                    found.append(pid)
        except OSError:
            pass
    return found


def kill_runners(bench):
    for pid in runners(bench, booting=True):
        jobs.kill(pid)


def end_runners(bench):
    """Kill every runner, and wait until none is left and nobody holds their lock."""

    def ended():
        kill_runners(bench)
        lock = None if runners(bench, booting=True) else free_lock(bench)
        if lock is not None:
            lock.release()
        return lock is not None

    until(ended)


def test_looking_starts_a_runner_where_none_lives(bench, gated_run, tmp_path):
    run = bench.submit("print('later')")
    end_runners(bench)
    ticket = tickets.find(queue(bench), run.id)  # a fresh one is its submitter's to start
    written = int(ticket.name[:20]) - 60 * 10**9
    ticket.rename(ticket.with_name(f"{written:020d}{ticket.name[20:]}"))
    assert run.get_status() == "Queued"
    until(lambda: run.get_status() == "Queued" and runners(bench), "nobody saw to it")
    (tmp_path / "gate").touch()
    assert wait(run) == "Completed"


def test_the_end_of_a_run_starts_a_runner_where_none_lives(bench, gated_run, tmp_path):
    """The guard wakes it, with the places of the one who submitted."""
    run = bench.submit("print('later')")
    end_runners(bench)
    (tmp_path / "gate").touch()
    until(lambda: (run.path / "attempts" / "1" / "result.json").exists(), "nobody woke a runner")
    assert log_of(run) == "later\n"


def test_listing_many_that_wait_starts_one_runner(bench, gated_run, tmp_path, monkeypatch):
    source = bench.source("print('later')")
    runs = [bench.submit(source=source) for _ in range(10)]
    end_runners(bench)
    started = []
    with monkeypatch.context() as spied:
        begin = detached.start
        spied.setattr(detached, "start", lambda *how: started.append(how) or begin(*how))
        spied.setattr(workers, "RUNNER_BOOT", PATIENCE)
        assert len(list(Run.list(gated_run.experiment))) == 11
    assert len(started) <= 1
    (tmp_path / "gate").touch()
    assert {wait(run) for run in runs} == {"Completed"}


def test_a_ticket_whose_run_was_never_published_is_dropped(bench):
    folder = bench.workspace.runs_folder / "2026-01-01" / "half_1"
    folder.mkdir(parents=True)
    ticket = tickets.write(queue(bench), folder, {})
    value = json.loads(ticket.path.read_text())
    value["submitter"]["start"] = "1"  # the submitter has gone
    files.write_atomic(str(ticket.path), files.to_json(value))
    assert bench.run("print('next')").get_status() == "Completed"
    workers.ensure_runner(bench.workspace)
    until(lambda: not tickets.waiting(queue(bench)))
    assert not folder.exists()


def test_a_run_whose_ticket_is_gone_is_lost(bench, gated_run, tmp_path):
    code = "import sys; from scriptrun import Workspace; from scriptrun.testing import jobs; jobs.main()"
    order = bench.order("print('never')")
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(order), capture_output=True, text=True
    )
    run = Run.get(bench.workspace, done.stdout.strip())
    kill_runners(bench)
    tickets.drop(tickets.find(queue(bench), run.id))
    assert run.get_status() == "Failed"
    assert "queue entry" in run.standing.reason
    (tmp_path / "gate").touch()
    assert wait(gated_run) == "Completed"


def test_another_users_queue_is_not_judged(bench, gated_run, tmp_path, monkeypatch):
    """Somebody else looks at the workspace with a runtime directory of his own."""
    order = bench.order("print('later')")
    run = Run.get(bench.workspace, bench.elsewhere(order).strip())
    mine = os.environ["SCRIPTRUN_RUNTIME"]
    monkeypatch.setenv("SCRIPTRUN_RUNTIME", str(tmp_path / "his-runtime"))
    assert run.get_status() == "Queued"
    assert [each.get_status() for each in Run.list(run.experiment)] == ["Queued", "Running"]
    monkeypatch.setenv("SCRIPTRUN_RUNTIME", mine)
    (tmp_path / "gate").touch()
    assert wait(run) == "Completed"


def test_a_launcher_that_keeps_dying_ends_the_run_after_three_tries(bench, tmp_path):
    """Each attempt is claimed by a process that has gone; the ticket is still there."""
    kill_runners(bench)
    first = bench.run("print('warm')")
    folder = bench.workspace.runs_folder / first.job.created[:10] / "dying_1"
    job = {**first.job.to_dict(), "id": "dying_1"}
    for attempt in (1, 2, 3):
        place = folder / "attempts" / str(attempt)
        place.mkdir(parents=True)
        owner = files.read_json(str(first.path / "attempts/1/node-0.start.json"))
        files.publish(str(place / "node-0.start.json"), files.to_json(owner))
    files.publish(str(folder / "job.json"), files.to_json(job))
    tickets.write(queue(bench), folder, dict(os.environ))
    workers.ensure_runner(bench.workspace)
    run = Run.get(bench.workspace, "dying_1")
    assert wait(run) == "Failed"
    assert "3 times" in run.standing.reason


def test_an_attempt_that_ended_before_its_script_is_followed_by_another(bench):
    first = bench.run("print('warm')")
    folder = bench.workspace.runs_folder / first.job.created[:10] / "again_1"
    (folder / "attempts" / "1").mkdir(parents=True)
    (folder / "work.1" / "half").mkdir(parents=True)
    owner = files.read_json(str(first.path / "attempts/1/node-0.start.json"))
    files.publish(str(folder / "attempts/1/node-0.start.json"), files.to_json(owner))
    job = {**first.job.to_dict(), "id": "again_1"}
    files.publish(str(folder / "job.json"), files.to_json(job))
    tickets.write(queue(bench), folder, dict(os.environ))
    workers.ensure_runner(bench.workspace)
    run = Run.get(bench.workspace, "again_1")
    assert (wait(run), log_of(run)) == ("Completed", "warm\n")
    assert not (folder / "work.1").exists()
    assert run.get_details()["attempts"] == 2


def test_many_are_submitted_or_none(bench, tmp_path):
    good = jobs._config(bench.order("print('good')"))
    bad = jobs._config(bench.order(source=bench.source("print('bad')", "other")))
    bad.script = "missing.py"
    experiment = Experiment(bench.workspace, "many")
    with pytest.raises(Exception, match=r"missing\.py"):
        experiment.submit_many([good, bad])
    assert list(experiment.get_runs()) == []
    runs = experiment.submit_many([good, good, good], tags={"sweep": "1"})
    assert [wait(run) for run in runs] == ["Completed"] * 3
    assert len({run.id for run in runs}) == 3
    assert all(run.get_tags() == {"sweep": "1"} for run in runs)


def delete(run):
    """Remove the run's folder; its environment may be written into it just then."""

    def deleted():
        shutil.rmtree(run.path, ignore_errors=True)
        return not run.path.exists()

    until(deleted)


def test_a_run_that_the_runner_knows_is_deleted(bench, gated_run, tmp_path):
    run = bench.submit("print('never')")
    end_runners(bench)
    lock = until(lambda: flocks.try_flock(workers.runner(bench.workspace).lock_path))
    with lock:
        living = queue_runner.Runner(bench.workspace, queue(bench), lock)
        (name,) = tickets.names(queue(bench))
        assert living._load(queue(bench) / name)
        delete(run)
        living._start_waiting([name])
    assert not tickets.names(queue(bench))
    assert not run.path.exists()
    (tmp_path / "gate").touch()


def test_a_run_that_is_deleted_while_it_waits(bench, gated_run, tmp_path):
    run, after = bench.submit("print('never')"), bench.submit("print('next')")
    delete(run)
    until(lambda: len(tickets.waiting(queue(bench))) == 1, "its ticket stays")
    (tmp_path / "gate").touch()
    assert wait(after) == "Completed"
    assert not run.path.exists()
