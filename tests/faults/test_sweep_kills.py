"""kill -9 of a sweep's driver at random moments: no point runs twice, and none is forgotten.

FAULT_ROUNDS bounds how many kills there are; FAULT_SEED repeats those of a failed test.
"""

from __future__ import annotations

import collections
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
from tuning import Tuner, driver_of, ended

from scriptrun import BayesianParameterSampling, RandomParameterSampling, choice, uniform

pytestmark = [pytest.mark.faults, pytest.mark.slow]

KILLS = max(4, int(os.environ.get("FAULT_ROUNDS", "20")) // 4)
SPACE = {"x": uniform(0, 1), "n": choice(*range(9))}


@pytest.mark.parametrize("way", [RandomParameterSampling, BayesianParameterSampling])
def test_a_killed_driver_loses_nothing(tmp_path, request, way):
    seed = os.environ.get("FAULT_SEED") or str(secrets.randbelow(10**9))
    print(f"to repeat: FAULT_SEED={seed} pytest '{request.node.nodeid}'")
    chance = random.Random(f"{seed}-{way.__name__}")
    tuner, mark = Tuner(tmp_path), tmp_path / "ran"
    runs = 3 * KILLS
    sweep = tuner.submit(
        "--mark",
        str(mark),
        hyperparameter_sampling=way(SPACE, {"seed": 5}),
        max_total_runs=runs,
        max_concurrent_runs=3,
    )
    kills = 0
    while kills < KILLS and not sweep.standing.is_final:
        time.sleep(chance.uniform(0, 0.6))
        for pid in driver_of(sweep):
            os.kill(pid, signal.SIGKILL)
            kills += 1
    assert ended(sweep, 120).state == "Completed"
    times = collections.Counter(mark.read_text().split())
    wanted = {f"{sweep.id}_{number}": 1 for number in range(runs)}
    assert times == wanted
    journal = Journal(sweep.path).read().children
    assert all(each.state == "Completed" and each.best is not None for each in journal.values())
    if way is RandomParameterSampling:
        whole = tuner.run(hyperparameter_sampling=way(SPACE, {"seed": 5}), max_total_runs=runs)
        points = [list(each.get_hyperparameters().values()) for each in (sweep, whole)]
        assert points[0] == points[1]


def test_a_full_disk_lets_a_sweep_wait(tmp_path, small_disk):
    tuner = Tuner(small_disk("12m"))
    sweep = tuner.submit("--sleep", 0.1, max_total_runs=6)
    ballast = tuner.root / "ballast"
    with open(ballast, "wb") as handle:
        try:
            while True:
                handle.write(b"\0" * 65536)
                handle.flush()
        except OSError:
            pass
    time.sleep(2.0)
    ballast.unlink()
    status = ended(sweep, 90)
    assert status.state in ("Completed", "Failed"), status
    states = collections.Counter(each.get_status() for each in sweep.get_children())
    assert sum(states.values()) == 6 or status.state == "Failed"
    assert set(states) <= {"Completed", "Failed"}, states
