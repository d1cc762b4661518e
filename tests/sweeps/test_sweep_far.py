"""A sweep on a cluster behind ssh: driven from here, run there."""

from __future__ import annotations

import uuid

import pytest
from tuning import Tuner, tuned_to_a_model

from scriptrun.engines.slurm.engine import Slurm

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@pytest.fixture
def tuner(login):
    root = login.cluster.directory / "shared"
    target = Slurm(name="far", ssh="login", root=str(root), python="/usr/bin/python3")
    place = login.laptop / uuid.uuid4().hex
    place.mkdir()
    return Tuner(place, target)


def test_from_the_sweep_to_the_model(tuner):
    job = tuner.job()
    job.run_config.environment.python.interpreter_path = "/usr/bin/python3"
    tuned_to_a_model(tuner, job=job)
