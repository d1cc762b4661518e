"""The cluster that other tests rely on does what its methods say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scriptrun.testing.jobs import living, until

pytestmark = pytest.mark.slurm
CI = Path(__file__).resolve().parents[2] / "ci" / "slurm"


def test_nodes_run_jobs_with_gpus_of_their_own(slurm):
    said = slurm.run("srun", "-N2", "--gres=gpu:1", "sh", "-c", "echo $SLURMD_NODENAME")
    assert sorted(said.split()) == ["n1", "n2"]


def test_a_controller_that_was_killed_knows_its_jobs(slurm, tmp_path):
    job = slurm.run("sbatch", "--parsable", "-o", tmp_path / "o", "--wrap", "sleep 3600").strip()
    until(lambda: slurm.jobs().get(job) == "RUNNING")
    slurm.await_saved()
    slurm.kill_controller()
    slurm.start_controller()
    assert job in slurm.jobs()
    until(lambda: slurm.jobs().get(job) == "RUNNING")


def test_a_node_that_dies_takes_its_jobs_along(slurm, tmp_path):
    mark = f"sleep 3600.{int.from_bytes(os.urandom(6))}"
    argv = ("--parsable", "-w", "n2", "-o", tmp_path / "o", "--wrap", f"setsid {mark}")
    job = slurm.run("sbatch", *argv).strip()
    mark = mark.replace(" ", "\0")
    until(lambda: slurm.jobs().get(job) == "RUNNING" and living(mark))
    slurm.kill_node("n2")
    assert not living(mark)
    slurm.down("n2")
    until(lambda: slurm.jobs().get(job) == "PENDING")
    slurm.start_slurmd("n2")
    slurm.release(job, lambda: living(mark))


def test_it_ends_with_whoever_started_it(tmp_path):
    place = tmp_path / "cluster"
    argv = [sys.executable, str(CI / "serve"), str(place), "--nodes", "1"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert "SLURM_CONF" in process.stdout.readline()
    assert living(str(place))
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    until(lambda: not living(str(place)), "the daemons live on")
