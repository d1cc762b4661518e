"""kill -9 of a sweep's driver at random moments: no point runs twice, and none is forgotten.

FAULT_ROUNDS bounds how many kills there are; FAULT_SEED repeats those of a failed test.
"""

from __future__ import annotations

import collections
import contextlib
import os
import random
import secrets
import signal
import sys
import time
from pathlib import Path

import pytest

from scriptrun.sweeps.journal import Journal

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sweeps"))
from tuning import SCRIPT, Tuner, driver_of, ended, until

from scriptrun import BayesianParameterSampling, RandomParameterSampling, choice, uniform
from scriptrun.engines.slurm.engine import Slurm

pytestmark = [pytest.mark.faults, pytest.mark.slow]

KILLS = max(4, int(os.environ.get("FAULT_ROUNDS", "20")) // 4)
SPACE = {"x": uniform(0, 1), "n": choice(*range(9))}


@pytest.fixture
def chance(request):
    seed = os.environ.get("FAULT_SEED") or str(secrets.randbelow(10**9))
    print(f"to repeat: FAULT_SEED={seed} pytest '{request.node.nodeid}'")
    return random.Random(f"{seed}-{request.node.name}")


def something_new(folder, pattern):
    """Wait until there is another file of the pattern, a second at the most."""
    before, last = set(folder.glob(pattern)), time.monotonic() + 1
    while set(folder.glob(pattern)) <= before and time.monotonic() < last:
        time.sleep(0.001)


def killed_again_and_again(tuner, way, moment, most=KILLS, far=None):
    """A sweep that ends, though its driver is killed whenever ``moment`` has passed.

    ``far``: a folder that runs behind ssh see.
    """
    runs = 3 * most if far is None else most
    mark = (far or tuner.root) / "ran"
    job = tuner.job("--mark", str(mark))
    if far:
        job.run_config.environment.python.interpreter_path = "/usr/bin/python3"
    sweep = tuner.submit(
        job=job,
        hyperparameter_sampling=way(SPACE, {"seed": 5}),
        max_total_runs=runs,
        max_concurrent_runs=3,
    )
    kills = 0
    while kills < most and not sweep.standing.is_final:
        moment()
        for pid in driver_of(sweep):
            os.kill(pid, signal.SIGKILL)
            kills += 1
    assert ended(sweep).state == "Completed"
    times = collections.Counter(mark.read_text().split())
    assert times == {f"{sweep.id}_{number}": 1 for number in range(runs)}
    journal = Journal(sweep.path).read().children
    assert all(each.state == "Completed" and each.best is not None for each in journal.values())
    return sweep


@pytest.mark.parametrize("way", [RandomParameterSampling, BayesianParameterSampling])
def test_a_killed_driver_loses_nothing(tmp_path, chance, way):
    tuner = Tuner(tmp_path)
    sweep = killed_again_and_again(tuner, way, lambda: time.sleep(chance.uniform(0, 0.6)))
    if way is RandomParameterSampling:
        runs = len(sweep.get_hyperparameters())
        whole = tuner.run(hyperparameter_sampling=way(SPACE, {"seed": 5}), max_total_runs=runs)
        points = [list(each.get_hyperparameters().values()) for each in (sweep, whole)]
        assert points[0] == points[1]


@pytest.mark.slurm
def test_a_driver_killed_while_it_hands_an_array_to_slurm_loses_nothing(tmp_path, chance, slurm):
    tuner = Tuner(tmp_path, Slurm(partition="main", cpus=1, memory="64M"))

    def moment():
        something_new(tuner.workspace.directory, "slurm/*/job.sh")
        time.sleep(chance.uniform(0, 0.05))

    killed_again_and_again(tuner, RandomParameterSampling, moment)
    slurm.clear()


@pytest.mark.slurm
def test_a_driver_killed_while_it_hands_runs_over_ssh_loses_nothing(login, chance):
    root = login.cluster.directory / "shared"
    place = login.laptop / "kills"
    place.mkdir()
    tuner = Tuner(place, Slurm(name="far", ssh="login", root=str(root), python="/usr/bin/python3"))

    def moment():
        something_new(tuner.workspace.runs_folder, "*/*_*")
        time.sleep(chance.uniform(0, 0.3))

    killed_again_and_again(
        tuner, RandomParameterSampling, moment, most=max(3, KILLS // 2), far=root
    )


def working_in(folder):
    """The processes that stand somewhere in the folder: the runs' scripts."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{name}/cwd").startswith(str(folder)):
                found.append(int(name))
    return found


def test_a_full_disk_lets_a_sweep_wait(tmp_path, small_disk):
    tuner, gate = Tuner(small_disk("12m")), tmp_path / "gate"
    wait = f"while not os.path.exists({str(gate)!r}):\n    time.sleep(0.05)\n"
    tuner.script(SCRIPT + wait)
    sweep = tuner.submit(max_total_runs=6)
    until(lambda: working_in(tuner.root))
    ballast = tuner.root / "ballast"
    with open(ballast, "wb", buffering=0) as handle, contextlib.suppress(OSError):
        while True:
            handle.write(b"\0" * 65536)
    gate.touch()
    (driver,) = driver_of(sweep)
    until(lambda: not working_in(tuner.root))  # on a full disk no other can begin
    assert driver_of(sweep) == [driver] and not sweep.standing.is_final
    ballast.unlink()
    status = ended(sweep)
    assert status.state in ("Completed", "Failed"), status
    states = collections.Counter(each.get_status() for each in sweep.get_children())
    assert sum(states.values()) == 6 or status.state == "Failed"
    assert set(states) <= {"Completed", "Failed"}, states
