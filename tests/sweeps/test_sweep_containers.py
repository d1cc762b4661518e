"""A sweep whose runs are containers of a real podman: as the tutorial has it, to the model."""

from __future__ import annotations

import pytest
from pods import BASE
from tuning import Tuner, ended, tuned_to_a_model

from scriptrun import BanditPolicy, Environment, GridParameterSampling, choice
from scriptrun.testing.jobs import until

pytestmark = [pytest.mark.podman, pytest.mark.slow]


def in_containers(job):
    environment = Environment("boxed")
    environment.python.user_managed_dependencies = True
    environment.docker.base_image = BASE
    job.run_config.environment = environment
    return job


def test_from_the_sweep_to_the_model(tmp_path, podman):
    tuner = Tuner(tmp_path)
    tuned_to_a_model(tuner, job=in_containers(tuner.job()))


def test_a_policy_stops_a_container_and_a_cancel_the_rest(tmp_path, podman):
    tuner = Tuner(tmp_path)
    sweep = tuner.submit(
        job=in_containers(tuner.job("--steps", 36000, "--sleep", 0.1)),
        hyperparameter_sampling=GridParameterSampling({"x": choice(0.9, 0.1)}),
        policy=BanditPolicy(slack_factor=0.1),
    )
    until(lambda: sweep.standing.is_final or sweep.get_termination(), sweep.get_diagnostics)
    assert not sweep.standing.is_final, sweep.get_diagnostics()
    (stopped,) = sweep.get_termination()
    assert stopped == f"{sweep.id}_1"
    sweep.cancel()
    assert ended(sweep).state == "Canceled"
    assert {each.get_status() for each in sweep.get_children()} == {"Canceled"}
    until(lambda: not podman.names())
