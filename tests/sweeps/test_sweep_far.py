"""A sweep on a cluster behind ssh: driven from here, run there."""

from __future__ import annotations

import uuid

import pytest
from tuning import Tuner, ended

from scriptrun import GridParameterSampling, choice
from scriptrun.engines.slurm import Slurm

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@pytest.fixture
def tuner(login):
    root = login.cluster.directory / "shared"
    target = Slurm(name="far", ssh="login", root=str(root), python="/usr/bin/python3")
    place = login.laptop / uuid.uuid4().hex
    place.mkdir()
    return Tuner(place, target)


def test_the_best_of_runs_behind_ssh(tuner):
    job = tuner.job()
    job.run_config.environment.python.interpreter_path = "/usr/bin/python3"
    way = GridParameterSampling({"x": choice(0.1, 0.4, 0.2)})
    sweep = tuner.submit(job=job, hyperparameter_sampling=way, max_total_runs=3)
    assert ended(sweep, 180).state == "Completed", sweep.get_diagnostics()
    best = sweep.get_best_run_by_primary_metric()
    assert best.get_tags()["x"] == "0.4"
    best.download_file("outputs/model.txt", str(tuner.root / "model.txt"))
    assert (tuner.root / "model.txt").read_text() == "0.4"
