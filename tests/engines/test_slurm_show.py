"""What is shown of a run on a real Slurm: its job, its nodes, what it waits for, why it failed."""

from __future__ import annotations

import subprocess

import pytest

from scriptrun import Experiment, ScriptRunConfig
from scriptrun.engines.slurm.engine import Slurm
from scriptrun.runs import wait as wait_for_runs
from scriptrun.submission.check import Origin
from scriptrun.testing.jobs import Bench, log_of, until, wait

pytestmark = pytest.mark.slurm

GATED = "import os, sys, time\nprint('began', flush=True)\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.05)"
RANK_FAILS = """
import os, time
if os.environ["RANK"] == "1":
    raise ValueError("of the second rank")
time.sleep(3600)
"""


def squeue(fmt):
    done = subprocess.run(
        ["squeue", "--noheader", "--array", f"--format={fmt}"], capture_output=True, text=True
    )
    return done.stdout.split()


@pytest.fixture
def bench(tmp_path, slurm):
    return Bench(tmp_path / "w", Slurm(partition="main", cpus=1, memory="64M"))


def submit(bench, name, *arguments, code=GATED, count=1):
    config = ScriptRunConfig(
        bench.source(code), "job.py", list(arguments), compute_target=bench.target
    )
    config.run_config.node_count = count
    return Experiment(bench.workspace, bench.experiment).submit(
        config, origin=Origin(display_name=name)
    )


def test_the_job_s_name_its_id_and_its_node(bench, slurm, tmp_path):
    go = str(tmp_path / "go")
    run = submit(bench, "the first, with lr=0.1", go)
    until(lambda: "began" in log_of(run))
    assert squeue("%j") == ["the_first_with_lr=0.1"]
    details = run.get_details()
    assert details["jobIds"] == squeue("%i") and details["nodes"] == squeue("%N")
    run.cancel()
    assert wait(run) == "Canceled"
    until(lambda: not squeue("%i"))


def test_a_pending_run_says_slurms_reason_in_words(bench, slurm, tmp_path):
    go = str(tmp_path / "go")
    whole = Bench(tmp_path / "whole", Slurm(partition="main", extra=("--exclusive",)))
    runs = [submit(whole, f"run {n}", go) for n in range(3)]
    until(lambda: all("began" in log_of(run) for run in runs))
    waiting = submit(whole, "last", go)
    job = waiting.get_details()["jobIds"][0]
    said = f"pending in Slurm (job {job}): Resources: waiting for resources to become available"
    until(lambda: waiting.standing.reason.startswith(said), lambda: waiting.standing)
    assert waiting.get_details()["reason"].startswith(said)
    waiting.cancel()
    assert wait(waiting) == "Canceled"
    (tmp_path / "go").touch()
    assert [wait(run) for run in runs] == ["Completed"] * 3


def test_why_a_run_failed(bench, slurm):
    run = submit(bench, "fails", code="int('x')")
    assert wait(run) == "Failed"
    assert run.standing.reason == "ValueError: invalid literal for int() with base 10: 'x'"


def test_which_rank_failed_first(tmp_path, slurm):
    bench = Bench(tmp_path / "w", Slurm(partition="main", cpus=1, memory="64M"))
    run = bench.run(RANK_FAILS, pytorch=[2, 2])
    first, second = run.get_details()["nodes"]
    assert {first, second} < set(slurm.names)
    assert run.standing.reason == f"rank 1 (node 1: {second}): ValueError: of the second rank"


def test_which_mpi_rank_failed_first(tmp_path, slurm):
    bench = Bench(tmp_path / "w", Slurm(partition="main", cpus=1, memory="64M", mpi="pmi2"))
    run = bench.run(RANK_FAILS, mpi=[1, 2])
    first, second = run.get_details()["nodes"]
    assert {first, second} < set(slurm.names)
    assert run.standing.reason == f"rank 1 (node 1: {second}): ValueError: of the second rank"


def test_several_runs_are_waited_for_and_say_where_their_time_went(bench, slurm, tmp_path):
    first, second = (submit(bench, name, str(tmp_path / name)) for name in ("one", "two"))
    until(lambda: "began" in log_of(first))
    (tmp_path / "one").touch()
    ends = wait_for_runs.until_ended([first, second])
    assert next(ends)[0].id == first.id
    until(lambda: "began" in log_of(second))
    second.cancel()
    run, status = next(ends)
    assert (run.id, status.state) == (second.id, "Canceled")
    assert list(ends) == []
    (times,) = first.get_details()["times"]
    assert times["state"] == "Completed"
    assert list(times["seconds"]) == ["submitting", "queued", "snapshot", "script", "finalizing"]
