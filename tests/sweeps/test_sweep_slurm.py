"""A sweep on a real Slurm: its runs go as arrays, metrics are read while they run."""

from __future__ import annotations

import collections

import pytest
from tuning import Tuner, ended, tuned_to_a_model

from scriptrun import BanditPolicy, GridParameterSampling, choice
from scriptrun.engines.slurm.engine import Slurm
from scriptrun.runtime import files
from scriptrun.sweeps.journal import Journal
from scriptrun.testing.jobs import until

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


#: fails once the number in a file is another than when it began
IN_WAVES = """
import os, sys, time
place = {place!r}
def wave():
    with open(os.path.join(place, "wave")) as handle:
        return handle.read()
mine = wave()
open(os.path.join(place, "began-" + os.environ["SCRIPTRUN_RUN_ID"]), "w").close()
while wave() == mine:
    time.sleep(0.1)
sys.exit(1)
"""


def test_what_waits_is_not_begun_where_all_that_had_begun_has_failed(tuner, tmp_path):
    """Six of 24 have room at once; the next begin when these have failed, and the others wait."""

    def begin_wave(number):
        (tmp_path / "wave.new").write_text(str(number))
        (tmp_path / "wave.new").replace(tmp_path / "wave")

    def failed():
        found = Journal(sweep.path).read().children.values()
        return sum(each.state == "Failed" for each in found)

    begin_wave(0)
    tuner.target = Slurm(partition="main", cpus=2, memory="64M")
    tuner.script(IN_WAVES.format(place=str(tmp_path)))
    sweep = tuner.submit(max_total_runs=24, max_concurrent_runs=None)
    until(lambda: len(list(tmp_path.glob("began-*"))) >= 6, sweep.get_diagnostics)
    begin_wave(1)
    until(lambda: failed() >= 3, sweep.get_diagnostics)
    begin_wave(2)
    assert ended(sweep).state == "Failed" and "run 0: train.py exited" in sweep.standing.reason
    states = collections.Counter(each.get_status() for each in sweep.get_children())
    assert states["Failed"] >= 3 and states["Failed"] + states["Canceled"] == 24, states
    assert states["Canceled"] >= 4, states


def test_a_policy_and_a_cancel_reach_the_cluster(tuner):
    way = GridParameterSampling({"x": choice(0.9, 0.1)})
    sweep = tuner.submit(
        "--steps",
        18000,
        "--sleep",
        0.2,
        hyperparameter_sampling=way,
        policy=BanditPolicy(slack_factor=0.1),
    )
    until(lambda: sweep.standing.is_final or sweep.get_termination(), sweep.get_diagnostics)
    assert not sweep.standing.is_final, sweep.get_diagnostics()
    children = list(sweep.get_children())
    assert "BanditPolicy" in sweep.get_termination()[children[1].id]
    sweep.cancel()
    assert ended(sweep).state == "Canceled"
    assert [each.get_status() for each in children] == ["Canceled", "Canceled"]
