"""What may happen to a Slurm cluster while a run is on it; the cluster is real, and so are deaths."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from scriptrun import Run
from scriptrun.diagnostics import target
from scriptrun.engines.slurm.engine import Slurm
from scriptrun.runtime import files, identity
from scriptrun.submission import check, submit
from scriptrun.testing import jobs
from scriptrun.testing.jobs import PATIENCE, TIME_TO_SAVE, Bench, kill, log_of, until, wait
from scriptrun.tracking import events, run_folder

pytestmark = [pytest.mark.slurm, pytest.mark.faults]

GATED = """
import os, sys, time
print("began", os.environ.get("SLURMD_NODENAME", ""), flush=True)
while not os.path.exists(sys.argv[1]): time.sleep(0.02)
print("went on")
"""

SAVING = """
import os, signal, sys, time
def sleeps_in_here(seconds): time.sleep(seconds)
mine = "outputs/saved" + os.environ.get("RANK", "")
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), open(mine, "w").close(), sys.exit(0)))
print("began", flush=True)
sleeps_in_here(3600)
"""

#: a job of one process; of two on two nodes; of two of MPI's, which srun starts
SHAPES = ({}, {"pytorch": [2, 2]}, {"mpi": [1, 2]})


def job_of(run):
    """The run's job in Slurm."""
    return files.read_json(str(run.path / "slurm" / "1" / "job.json"))["job"]


@pytest.fixture
def bench(tmp_path, slurm):
    return Bench(tmp_path / "work space, with 'quotes'", Slurm(partition="main", cpus=1))


def logs_of(run):
    """What the script has written, or each rank of it."""
    return [path.read_text() for path in sorted(run.path.glob("user_logs/std_log*.txt"))]


def saved_of(run):
    """The names of what the script has saved."""
    return sorted(path.name for path in (run.path / "outputs").iterdir())


def stacks_of(run):
    """What py-spy has said of the run's processes."""
    path = run.path / "system_logs" / "stacks.txt"
    return path.read_text() if path.exists() else ""


def begun(bench, slurm, code=GATED, **how):
    """A run whose script has begun, the gate that it waits for, and its job in Slurm."""
    gate = bench.root / "the gate"
    run = bench.submit(code, [str(gate)], variables=TIME_TO_SAVE, **how)
    ranks = 2 if {"pytorch", "mpi"} & {*how} else 1
    until(lambda: sum("began" in each for each in logs_of(run)) == ranks)
    assert run.get_status() == "Running"
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
    asked = check.check(jobs._config(bench.order("print('late')")), bench.workspace, "late")
    slurm.await_saved()
    slurm.kill_controller()
    assert run.get_status() == "Running"  # nobody answers: nothing is known, and nothing has failed
    late = Run.get(bench.workspace, submit.submit(asked, bench.workspace).name)
    looked = list(target.target_checks(bench.workspace, bench.target))
    assert [each.verdict for each in looked] == ["bad"]
    assert "the controller does not respond" in looked[0].message
    gate.touch()
    assert wait(run) == "Completed"  # the run's own result needs no Slurm
    assert late.get_status() == "Queued"
    slurm.start_controller()
    assert run.get_status() == "Completed"
    assert wait(late) == "Completed"  # though its submitter, which gave up, lives on


@pytest.mark.parametrize("who", ["script", "launcher"])
def test_a_kill_on_one_node_ends_the_others_and_is_named(bench, slurm, who):
    run = bench.submit(GATED, [str(bench.root / "never")], pytorch=[2, 2])

    def begun_on(node):
        seen = (each for each in events.read(run.path) if each["kind"] == "began")
        return next((each for each in seen if each["node"] == node), None)

    until(lambda: begun_on(0) and begun_on(1))
    kill(begun_on(1)[who]["pid"])
    assert wait(run) == "Failed"
    words = {"script": r"rank 1 \(node 1: n[123]\) was", "launcher": "the launcher of node 1 was"}
    assert re.search(f"{words[who]} killed by SIGKILL", run.standing.reason)
    until(lambda: not identity.is_alive(begun_on(0)["script"]), "rank 0 lives on")


@pytest.mark.parametrize("shape", SHAPES[:2], ids=["alone", "pytorch"])
def test_scancel_from_outside_is_a_cancel_and_lets_it_save(bench, slurm, shape):
    run, _, job = begun(bench, slurm, SAVING, **shape)
    slurm.run("scancel", job)
    assert wait(run) == "Canceled"
    assert run.standing.reason == "canceled in Slurm (scancel)"
    assert saved_of(run) == (["saved0", "saved1"] if shape else ["saved"])


def test_a_forged_handle_ends_no_other_job(bench, tmp_path):
    """The run's folder names the job; the job's own name says whose it is."""
    gate = tmp_path / "gate"
    other = bench.submit(GATED, [str(gate)])
    until(lambda: "began" in log_of(other))
    forged = bench.run("pass")
    handle = forged.path / "slurm" / "1" / "job.json"
    facts = {**files.read_json(str(handle)), "job": job_of(other)}
    handle.write_bytes(files.to_json(facts))
    engine = Slurm(partition="main", cpus=1)
    engine.clean(forged.path)
    engine.cancel(forged.path)
    gate.touch()
    assert wait(other) == "Completed"


def test_ranks_that_srun_has_started_save_when_the_run_is_canceled(tmp_path, slurm):
    """srun itself would kill them at once."""
    bench = Bench(tmp_path, Slurm(partition="main", memory="64M", mpi="pmi2"))
    run, _, _ = begun(bench, slurm, SAVING, **SHAPES[2])
    run.cancel()
    assert wait(run) == "Canceled"
    assert saved_of(run) == ["saved0", "saved1"]


@pytest.mark.slow
def test_what_slurm_allows_is_told_in_words(tmp_path, slurm):
    """All runs wait for the same look of Slurm, which it takes every 30 seconds.

    It warns those that end within half a minute and their ``warn``: not before they are told to end
    that soon, when their scripts have begun.
    """
    much = "print('began', flush=True)\nhold = bytearray(500 << 20)\nimport time; time.sleep(3600)"
    target, save = Slurm(partition="main", memory="64M"), {"variables": TIME_TO_SAVE}
    long = target.replace(time="60")
    soon = long.replace(warn=600)
    warned = Bench(tmp_path / "1", soon).submit(SAVES, **save)
    late = Bench(tmp_path / "2", long).submit(SAVING, **SHAPES[1], **save)
    large = Bench(tmp_path / "3", target).submit(much)
    hangs = Bench(tmp_path / "4", soon.replace(requeue=False)).submit(SAVING, **SHAPES[1], **save)
    ends = Bench(tmp_path / "5", target.replace(time="1", mpi="pmi2")).submit(SAVING, **SHAPES[2])
    until(lambda: len(logs_of(late)) == 2 and all(logs_of(late)))
    until(lambda: log_of(warned) and len(logs_of(hangs)) == 2 and all(logs_of(hangs)))
    for run, when in ((late, "now+1"), (warned, "now+600"), (hangs, "now+600")):
        slurm.run("scontrol", "update", f"jobid={job_of(run)}", f"EndTime={when}")
    assert wait(large) == "Failed"
    assert "out of memory: exceeded its memory limit" in large.standing.reason
    assert wait(late) == "Failed"
    assert late.standing.reason == "exceeded its time limit in Slurm"
    assert saved_of(late) == ["saved0", "saved1"]
    assert wait(hangs) == "Failed"
    assert hangs.standing.reason == "reached its time limit in Slurm"
    assert stacks_of(hangs).count("sleeps_in_here") == 2
    assert saved_of(hangs) == ["saved0", "saved1"]
    assert are_looked_at(ends, tmp_path / "5")
    until(lambda: warned.get_status() == "Queued", "it was not started again")
    slurm.run("scontrol", "update", f"jobid={job_of(warned)}", "TimeLimit=60")  # no other warning
    slurm.release(job_of(warned), lambda: "again" in log_of(warned))
    assert wait(warned) == "Completed"
    assert log_of(warned) == "began anew\nbegan again\n"


def are_looked_at(run, place):
    """Whether there are the stacks of both ranks of a run whose time limit in Slurm is near.

    Where a loaded machine has not begun it by then, it is tried again with more time.
    """
    for minutes in (2, 4, None):
        until(
            lambda run=run: stacks_of(run).count("sleeps_in_here") == 2 or run.standing.is_final,
            seconds=2 * PATIENCE,
        )
        if stacks_of(run).count("sleeps_in_here") == 2:
            run.cancel()
            return True
        if minutes:
            target = Slurm(partition="main", memory="64M", mpi="pmi2", time=str(minutes))
            run = Bench(place, target).submit(SAVING, **SHAPES[2])
    return False


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


FILLS = """
import os, time
print("began", flush=True)
if os.environ.get("RANK") == "0":
    time.sleep(3600)
others = os.environ["SCRIPTRUN_RUN_FOLDER"] + "/user_logs/std_log_process_0.txt"
while "RANK" in os.environ and not (os.path.exists(others) and os.path.getsize(others)):
    time.sleep(0.02)
with open("outputs/big", "wb") as big:
    while True:
        big.write(bytes(1 << 12))
        big.flush()
"""


def test_a_full_disk_ends_the_run_and_says_so(slurm, small_disk):
    """Of MPI's ranks as well: the other one would wait for the rank that failed."""
    disk = small_disk("6m")
    bench = Bench(disk, Slurm(partition="main", cpus=1, mpi="pmi2"))
    for shape, who in (({}, "job.py"), (SHAPES[2], "job.py on rank 1")):
        run = bench.submit(FILLS, **shape)
        assert wait(run) == "Failed"
        assert run.standing.reason.startswith(
            f"the disk of {disk} is full (No space left on device)"
        )
        assert f"; {who} " in run.standing.reason
        assert run.standing.reason.endswith("exited with code 1")
        assert (run.path / "attempts" / "1" / "result.json").exists()
        for path in run.path.rglob("big"):
            path.unlink()


def test_the_submitter_is_killed(bench, slurm):
    import json

    gate = bench.root / "the gate"
    order = bench.order(GATED, [str(gate)], linger=3600)
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
    slurm_hosts.release(job, lambda: log_of(run).count("began") == 2)
    gate.touch()
    assert wait(run) == "Completed"
    first, last = run_folder.attempts(
        run.path
    )  # Slurm may have begun one on the dead node, in vain
    assert first == 1 and log_of(run).count("began") == 2
    assert not (run.path / "attempts" / "1" / "result.json").exists()
    assert (run.path / "attempts" / str(last) / "result.json").exists()


@pytest.mark.slow
def test_a_node_dies_truly_and_nothing_is_started_again(slurm_hosts, tmp_path):
    bench = Bench(tmp_path, Slurm(partition="main", cpus=1, requeue=False))
    run, _, _ = begun(bench, slurm_hosts)
    node = slurm_hosts.run("squeue", "-h", "-o", "%N").strip()
    slurm_hosts.kill_node(node)
    slurm_hosts.down(node)
    assert wait(run) == "Failed"
    assert "lost a node" in run.standing.reason
    assert node in run.standing.reason


SAVES = """
import os, signal, sys, time
mine = os.environ["SCRIPTRUN_CHECKPOINT_DIR"] + "/saved" + os.environ.get("RANK", "")
saved = os.path.exists(mine)
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), open(mine, "w").close(), sys.exit(0)))
print("began", "again" if saved else "anew", flush=True)
while not saved:
    time.sleep(0.02)
"""


@pytest.mark.parametrize("shape", SHAPES, ids=["alone", "pytorch", "mpi"])
def test_a_preempted_run_saves_and_goes_on(tmp_path, slurm, shape):
    """It is told at once: the partition's GraceTime is longer than anybody here waits."""
    extra = (f"--nodelist={'n1,n2' if shape else 'n1'}", "--exclusive")
    target = Slurm(partition="scavenge", memory="64M", mpi="pmi2", cpus=1, extra=extra)
    _is_preempted_and_goes_on(Bench(tmp_path, target), slurm, **shape)


@pytest.mark.slow
def test_the_ranks_of_an_mpirun_of_two_nodes_save_when_they_are_preempted(tmp_path, slurm_hosts):
    python = os.environ.get("SCRIPTRUN_TEST_MPI_PYTHON")
    if not python:
        pytest.skip("SCRIPTRUN_TEST_MPI_PYTHON names no interpreter that has mpi4py")
    target = Slurm(partition="scavenge", memory="512M", mpi="mpirun", extra=("--exclusive",))
    _is_preempted_and_goes_on(Bench(tmp_path, target), slurm_hosts, mpi=[1, 2], python=python)


def _is_preempted_and_goes_on(bench, slurm, **how):
    run, _, job = begun(bench, slurm, SAVES, **how)
    other = slurm.run(
        *("sbatch", "--parsable", "--partition=main", "--nodelist=n1", "--exclusive"),
        *("--mem=64M", "-o", "/dev/null", "--wrap", "sleep 1"),
    ).strip()
    until(lambda: slurm.jobs().get(job) == "PENDING", "it was not preempted")
    until(lambda: run.get_status() == "Queued", "the run does not say that it waits")
    until(lambda: other not in slurm.jobs(), "the other job did not end")
    slurm.release(job, lambda: all("began again" in each for each in logs_of(run)))
    assert wait(run) == "Completed"
    assert {*logs_of(run)} == {"began anew\nbegan again\n"}
    assert run.get_details()["attempts"] == 2
    assert any("requeued by Slurm" in each for each in run.get_details()["notes"])
