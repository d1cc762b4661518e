"""A run's folder that goes while the run waits, runs or is waited for: nobody waits for ever."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from commands import command, ended, start

from scriptrun import RandomParameterSampling, choice
from scriptrun.core.run import Run
from scriptrun.engines.local.engine import Local
from scriptrun.queue import tickets
from scriptrun.runs.status import RunMissing
from scriptrun.runtime import processes
from scriptrun.store import paths
from scriptrun.testing import jobs
from scriptrun.testing.jobs import Bench, until, wait

sys.path.insert(0, os.path.join(os.path.dirname(__file__), os.pardir, "sweeps"))
from tuning import Tuner

pytestmark = [pytest.mark.faults]

REMOVES_ITSELF = """
import os, shutil
print("removing", flush=True)
shutil.rmtree(os.environ["SCRIPTRUN_RUN_FOLDER"], ignore_errors=True)
"""


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local(max_runs=1))


def removed(folder):
    """Remove a folder into which a process may still write."""

    def is_gone():
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    until(is_gone)


def no_process_is_left(bench):
    names = (processes.RUNNER, processes.GUARD, processes.LAUNCHER, processes.SWEEP)
    return not [pid for pid in jobs.living(str(bench.root)) if processes.program_name(pid) in names]


def test_following_a_run_whose_folder_goes_ends(bench, gate, gated_run):
    run = gated_run
    follower = start(bench, "logs", run.id, "-f")
    assert follower.stdout.readline() == "began\n"
    removed(run.path)
    code, _, err = ended(follower)
    assert code == 1 and "no longer exists" in err and str(run.path) in err
    with pytest.raises(RunMissing):
        run.wait_for_completion()
    code, _, err = command(bench, "show", run.id)
    assert code == 2 and "not found" in err
    gate.touch()
    until(lambda: no_process_is_left(bench))
    assert not os.path.lexists(run.path / "job.json")
    until(lambda: not list(Path(paths.processes_folder()).glob(f"{run.id}.*")))
    assert wait(bench.submit("pass")) == "Completed"


def test_a_script_that_removes_its_own_folder_ends(bench):
    (bench.root / "job.py").write_text(REMOVES_ITSELF)
    code, _, err = command(bench, "run", "job.py")
    assert code == 1 and "no longer exists" in err
    until(lambda: no_process_is_left(bench))
    assert wait(bench.submit("pass")) == "Completed"


def test_waiting_runs_whose_folders_go_leave_the_queue(bench, gate, gated_run):
    waiting = [bench.submit("pass") for _ in range(3)]
    follower = start(bench, "logs", waiting[0].id, "-f")
    for run in waiting[:2]:
        removed(run.path)
    code, _, err = ended(follower)
    assert code in (1, 2) and ("no longer exists" in err or "not found" in err)
    with pytest.raises(RunMissing):
        waiting[1].wait_for_completion()
    gate.touch()
    assert wait(waiting[2]) == "Completed"
    until(lambda: no_process_is_left(bench))
    assert tickets.names(tickets.queue_of(bench.workspace.id)) == []


def test_all_runs_go_at_once_as_by_git_clean(bench, gate, gated_run):
    runs = [gated_run, *(bench.submit("pass") for _ in range(2))]
    removed(bench.workspace.directory)
    for run in runs:
        with pytest.raises(RunMissing):
            run.wait_for_completion()
    gate.touch()
    until(lambda: no_process_is_left(bench))
    assert not (bench.workspace.directory / "runs").exists()


def test_a_sweep_whose_folder_goes_ends_its_driver(tmp_path):
    tuner, gate = Tuner(tmp_path), tmp_path / "gate"
    sweep = tuner.submit("--gate", gate, max_total_runs=6)
    until(lambda: [*tuner.workspace.runs_folder.glob("*/*_*/attempts/1/node-0.start.json")])
    removed(sweep.path)
    with pytest.raises(RunMissing):
        sweep.wait_for_completion()
    gate.touch()
    until(
        lambda: (
            not [
                pid
                for pid in jobs.living(str(tmp_path))
                if processes.program_name(pid) == processes.SWEEP
            ]
        )
    )
    assert not sweep.path.exists()


def test_a_run_of_a_sweep_whose_folder_goes_has_failed_and_is_not_run_again(tmp_path):
    tuner, gate = Tuner(tmp_path), tmp_path / "gate"
    sweep = tuner.submit(
        "--gate",
        gate,
        "--mark",
        tmp_path / "ran",
        max_total_runs=3,
        max_concurrent_runs=1,
        hyperparameter_sampling=RandomParameterSampling({"x": choice(1.0, 2.0, 3.0)}, {"seed": 1}),
    )
    first = tuner.workspace.runs_folder / sweep.job.created[:10] / f"{sweep.id}_0"
    until(lambda: (tmp_path / "ran").exists())
    removed(Run.get(tuner.workspace, first.name).path)
    gate.touch()
    assert wait(sweep) == "Completed"
    ends = {child.number: child for child in sweep.children_rows()}
    assert ends[0].state == "Failed" and "no longer exists" in ends[0].reason
    assert [ends[n].state for n in (1, 2)] == ["Completed"] * 2
    assert (tmp_path / "ran").read_text().split() == [f"{sweep.id}_{n}" for n in range(3)]
