"""What may happen to a Slurm cluster while a run is on it; the cluster is real, and so are deaths."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from scriptrun import Run
from scriptrun.engines.slurm import Slurm
from scriptrun.testing.jobs import Bench, log_of, until, wait

pytestmark = [pytest.mark.slurm, pytest.mark.faults]

GATED = """
import os, sys, time
print("began", os.environ.get("SLURMD_NODENAME", ""), flush=True)
while not os.path.exists(sys.argv[1]): time.sleep(0.02)
print("went on")
"""


@pytest.fixture
def bench(tmp_path, slurm):
    return Bench(tmp_path / "work space, with 'quotes'", Slurm(partition="main", cpus=1))


def begun(bench, slurm, code=GATED, **how):
    """A run whose script has begun, the gate that it waits for, and its job in Slurm."""
    gate = bench.root / "the gate"
    run = bench.submit(code, [str(gate)], **how)
    until(lambda: run.get_status() == "Running" and "began" in log_of(run))
    (job,) = slurm.jobs()
    return run, gate, job


def test_slurmd_is_killed_and_comes_back(bench, slurm):
    run, gate, _ = begun(bench, slurm)
    node = slurm.run("squeue", "-h", "-o", "%N").strip()
    slurm.kill_slurmd(node)
    assert run.get_status() == "Running"
    slurm.start_slurmd(node)
    gate.touch()
    assert wait(run) == "Completed"
    assert "went on" in log_of(run)


def test_the_controller_is_killed_while_a_run_goes_on(bench, slurm):
    run, gate, _ = begun(bench, slurm)
    slurm.await_saved(time.time())
    slurm.kill_controller()
    assert run.get_status() == "Running"  # nobody answers: nothing is known, and nothing has failed
    gate.touch()
    assert wait(run) == "Completed"  # the run's own result needs no Slurm
    slurm.start_controller()
    assert run.get_status() == "Completed"


def test_scancel_from_outside_is_a_cancel(bench, slurm):
    run, _, job = begun(bench, slurm)
    slurm.run("scancel", job)
    assert wait(run) == "Canceled"
    assert "scancel" in run.standing.reason


def test_a_node_that_drains_lets_its_run_end_and_gets_no_other(bench, slurm):
    run, gate, _ = begun(bench, slurm)
    node = slurm.run("squeue", "-h", "-o", "%N").strip()
    slurm.drain(node)
    other = Bench(
        bench.root.with_name("other"), bench.target.replace(extra=(f"--nodelist={node}",))
    )
    waits = other.submit("print('hello')")
    until(lambda: "PENDING" in slurm.jobs().values())
    assert waits.get_status() == "Queued"
    until(lambda: waits.standing.reason, "nothing says why it waits")
    gate.touch()
    assert wait(run) == "Completed"
    slurm.resume(node)
    assert wait(waits) == "Completed"


def test_a_full_disk_ends_the_run_and_says_so(slurm, small_disk):
    disk = small_disk("6m")
    bench = Bench(disk, Slurm(partition="main", cpus=1))
    fill = "print('began', flush=True)\nwith open('outputs/big', 'wb') as f:\n    while True: f.write(bytes(1 << 16)); f.flush()"
    run = bench.submit(fill)
    assert wait(run) == "Failed"
    assert "exit code 1" in run.standing.reason
    assert (run.path / "attempts" / "1" / "result.json").exists()


def test_the_submitter_is_killed(bench, slurm):
    import json

    gate = bench.root / "the gate"
    order = bench.order(GATED, [str(gate)], linger=100)
    process = subprocess.Popen(
        [sys.executable, "-c", "from scriptrun.testing import jobs; jobs.main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    process.stdin.write(json.dumps(order))
    process.stdin.close()
    run = Run.get(bench.workspace, process.stdout.readline().strip())
    process.kill()
    process.wait()
    process.stdout.close()
    gate.touch()
    assert wait(run) == "Completed"


@pytest.mark.slow
def test_a_node_dies_truly_and_the_run_is_started_again(slurm_hosts, tmp_path):
    bench = Bench(tmp_path, Slurm(partition="main", cpus=1))
    run, gate, job = begun(bench, slurm_hosts)
    node = slurm_hosts.run("squeue", "-h", "-o", "%N").strip()
    slurm_hosts.kill_node(node)
    slurm_hosts.down(node)  # as Slurm itself finds after its SlurmdTimeout
    until(lambda: slurm_hosts.jobs().get(job) == "PENDING")
    until(lambda: run.get_status() == "Queued", "the run does not say that it waits")
    slurm_hosts.release(job)
    until(lambda: log_of(run).count("began") == 2)
    gate.touch()
    assert wait(run) == "Completed"
    assert sorted(os.listdir(run.path / "attempts")) == ["1", "2"]


@pytest.mark.slow
def test_a_node_dies_truly_and_nothing_is_started_again(slurm_hosts, tmp_path):
    bench = Bench(tmp_path, Slurm(partition="main", cpus=1, requeue=False))
    run, _, _ = begun(bench, slurm_hosts)
    node = slurm_hosts.run("squeue", "-h", "-o", "%N").strip()
    slurm_hosts.kill_node(node)
    slurm_hosts.down(node)
    assert wait(run) == "Failed"
    assert "a node of it was lost" in run.standing.reason
    assert node in run.standing.reason


SAVES = """
import os, signal, sys, time
place = os.environ["SCRIPTRUN_CHECKPOINT_DIR"]
saved = os.path.exists(place + "/saved")
signal.signal(signal.SIGTERM, lambda *_: (open(place + "/saved", "w").close(), sys.exit(0)))
print("began", "again" if saved else "anew", flush=True)
while not saved:
    time.sleep(0.02)
"""


def test_a_preempted_run_saves_and_goes_on(tmp_path, slurm):
    bench = Bench(
        tmp_path, Slurm(partition="scavenge", memory="64M", extra=("--nodelist=n1", "--exclusive"))
    )
    run, _, job = begun(bench, slurm, SAVES)
    other = slurm.run(
        *("sbatch", "--parsable", "--partition=main", "--nodelist=n1", "--exclusive"),
        *("--mem=64M", "-o", "/dev/null", "--wrap", "sleep 1"),
    ).strip()
    until(lambda: slurm.jobs().get(job) == "PENDING", "it was not preempted")
    until(lambda: run.get_status() == "Queued", "the run does not say that it waits")
    until(lambda: other not in slurm.jobs(), "the other job did not end")
    slurm.release(job)
    assert wait(run) == "Completed"
    assert log_of(run) == "began anew\nbegan again\n"
    assert run.get_details()["attempts"] == 2
    assert any("Slurm started the job again" in each for each in run.get_details()["notes"])
