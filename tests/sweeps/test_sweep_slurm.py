"""A sweep on a real Slurm: its runs go as arrays, metrics are read while they run."""

from __future__ import annotations

import collections

import pytest
from tuning import Tuner, ended, tuned_to_a_model

from scriptrun import BanditPolicy, GridParameterSampling, choice
from scriptrun.engines.slurm import Slurm
from scriptrun.runtime import files

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@pytest.fixture
def tuner(tmp_path, slurm):
    yield Tuner(tmp_path, Slurm(partition="main", cpus=1, memory="64M"))
    slurm.clear()


def handle(run):
    return files.read_json(str(run.path / "slurm" / "1" / "job.json"))["job"]


def test_runs_go_as_one_array_and_their_best_becomes_a_model(tuner):
    sweep = tuned_to_a_model(tuner, max_concurrent_runs=3)
    assert len({handle(each).partition("_")[0] for each in sweep.get_children()}) == 1


def test_what_waits_is_not_begun_where_all_that_had_begun_has_failed(tuner):
    tuner.script("import sys, time\ntime.sleep(3)\nsys.exit(1)\n")
    sweep = tuner.submit(max_total_runs=24, max_concurrent_runs=None)
    assert ended(sweep, 120).state == "Failed" and "run 0: train.py ended" in sweep.standing.reason
    states = collections.Counter(each.get_status() for each in sweep.get_children())
    assert states["Failed"] >= 3 and states["Failed"] + states["Canceled"] == 24, states
    assert states["Canceled"] >= 4, states


def test_a_policy_and_a_cancel_reach_the_cluster(tuner):
    way = GridParameterSampling({"x": choice(0.9, 0.1)})
    sweep = tuner.submit(
        "--steps",
        100,
        "--sleep",
        0.2,
        hyperparameter_sampling=way,
        policy=BanditPolicy(slack_factor=0.1),
    )
    children: list = []
    while len(children) < 2 or not sweep.get_termination():
        children = list(sweep.get_children())
        assert not sweep.standing.is_final
    assert "BanditPolicy" in sweep.get_termination()[children[1].id]
    sweep.cancel()
    assert ended(sweep, 120).state == "Canceled"
    assert [each.get_status() for each in children] == ["Canceled", "Canceled"]
