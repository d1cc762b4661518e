from __future__ import annotations

import json
import os

import pytest

from scriptrun.engines import launchers
from scriptrun.engines.base import ALIVE, ENDED, UNKNOWN, WAITING
from scriptrun.engines.local.engine import Local
from scriptrun.runtime import files, identity
from scriptrun.runtime.order import LaunchOrder
from scriptrun.spec.job import Distribution, JobSpec
from scriptrun.store import paths
from scriptrun.store.locks import silence
from scriptrun.testing.jobs import Bench, until


def claimed(folder, owner, attempt=1):
    place = folder / "attempts" / str(attempt)
    place.mkdir(parents=True)
    files.publish(str(place / "node-0.start.json"), files.to_json(owner))
    return place


def look(folder):
    return Local().poll([folder])[0]


def test_a_run_that_nobody_claimed_waits(tmp_path):
    assert look(tmp_path).state == WAITING
    (tmp_path / "attempts" / "1").mkdir(parents=True)
    assert look(tmp_path).state == WAITING


def test_a_run_is_judged_by_who_runs_it(tmp_path):
    claimed(tmp_path, identity.identify())
    assert look(tmp_path).state == ALIVE


@pytest.mark.parametrize(
    "change", [{"start": "1"}, {"pid": 2**22 + 1}, {"boot": "another boot"}], ids=str
)
def test_a_pid_that_was_used_again_is_no_life(tmp_path, change):
    claimed(tmp_path, {**identity.identify(), **change})
    view = look(tmp_path)
    assert view.state == ENDED
    assert ("rebooted" in view.evidence) == ("boot" in change)


def test_a_zombie_does_not_live(tmp_path):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    owner = {**identity.identify(), "pid": pid}
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    claimed(tmp_path, owner)
    assert look(tmp_path).state == ENDED
    os.waitpid(pid, 0)


def test_another_host_is_judged_by_its_heartbeat_alone(tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(silence.time, "monotonic", lambda: now[0])
    place = claimed(tmp_path, {**identity.identify(), "host": "another-host", "pid": 1})
    (place / "node-0.beat").write_text("1")
    assert look(tmp_path).state == UNKNOWN
    now[0] += launchers.HEARTBEAT_TIMEOUT - 1
    assert look(tmp_path).state == UNKNOWN
    (place / "node-0.beat").write_text("2")
    assert look(tmp_path).state == UNKNOWN
    now[0] += launchers.HEARTBEAT_TIMEOUT - 1
    assert look(tmp_path).state == UNKNOWN
    now[0] += 2
    view = look(tmp_path)
    assert view.state == ENDED
    assert "another-host" in view.evidence


def test_the_newest_attempt_is_looked_at(tmp_path):
    claimed(tmp_path, {**identity.identify(), "start": "1"}, 9)
    claimed(tmp_path, identity.identify(), 10)
    assert look(tmp_path).state == ALIVE


def job(**changes):
    return JobSpec(id="a_1", experiment="e", workspace="w", created="2026-01-01", **changes)


def test_every_reason_against_a_job_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # where no mpirun is
    reasons = Local(max_runs=0).check(job(distribution=Distribution(kind="mpi", nodes=2)))
    assert len(reasons) == 2
    assert not Local(max_runs=1).check(job())


def test_render_quotes_what_a_shell_would_read(tmp_path):
    text = Local().render(job(script="my script.py", arguments=("a b", "$HOME", "")), tmp_path)
    assert "'my script.py' 'a b' '$HOME' ''" in text


def test_a_child_that_left_everything_is_found_by_its_variables(tmp_path):
    """What both keepers' deaths leave behind is ended by the next look, wherever it has gone."""
    from scriptrun.runtime import process_record, processes

    code = (
        "import os, sys, time\nif os.fork() == 0:\n os.setsid()\n if os.fork(): os._exit(0)\n"
        " open(sys.argv[1], 'w').close()\n time.sleep(3600)\nos._exit(0)"
    )
    left = tmp_path / "left"
    bench = Bench(tmp_path, Local())
    folder = str(tmp_path / "a run")
    os.mkdir(folder)
    environ = {**os.environ, "SCRIPTRUN_RUN_FOLDER": folder}
    import subprocess
    import sys

    subprocess.run([sys.executable, "-c", code, left], env=environ, cwd=bench.root)
    until(left.exists)  # it has forked twice
    until(lambda: len(processes.pids_of_run(folder)) == 1, "the first is not gone")
    assert processes.pids_of_run(str(tmp_path / "a run elsewhere")) == []
    launchers.clear(tmp_path / "a run")
    assert len(processes.pids_of_run(folder)) == 1, "nothing private names it"
    order = LaunchOrder(
        folder=folder, workspace="", store="", runtime="", processes=str(paths.processes_folder())
    )
    process_record.begin(order, identity.identify())
    launchers.clear(tmp_path / "a run")
    assert len(processes.pids_of_run(folder)) == 1, "its guard, this process, is alive"
    (record,) = paths.processes_folder().iterdir()
    facts = json.loads(record.read_text())
    record.write_text(json.dumps({**facts, "pid": 2**22 + 1, "start": "0"}) + "\n")
    launchers.clear(tmp_path / "a run")
    assert not record.exists()
    until(lambda: processes.pids_of_run(folder) == [], "it lives on")
