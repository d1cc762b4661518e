"""How the SDK v1 ran sweeps (HyperDrive): each observed line is held here or where it is named."""

from __future__ import annotations

import json
import sys

import behaviours
import pytest

from scriptrun import Environment, ScriptRunConfig, Workspace
from scriptrun.config.sweeps.hyperdrive import HyperDriveConfig, PrimaryMetricGoal
from scriptrun.config.sweeps.sampling import (
    BayesianParameterSampling,
    GridParameterSampling,
    RandomParameterSampling,
)
from scriptrun.config.sweeps.search_space import (
    choice,
    lognormal,
    normal,
    qnormal,
    randint,
    uniform,
)
from scriptrun.dropin.azureml.experiment import Experiment

LINES = {
    "values come after the base arguments, as flag and value; names with and without dashes": (
        "test_arguments_of_a_run",
    ),
    "runDefinition holds all arguments as texts, data references unexpanded": (
        "test_arguments_of_a_run",
    ),
    "children are ordinary runs; the metric is logged under the same name": (
        "test_sweep_runs.py::test_a_sweep_runs_to_its_end_and_knows_its_best",
        "test_sweep_runs.py::test_a_metric_that_nobody_logs_is_said",
    ),
    "choice takes values, a list or a range; the other expressions": (
        "test_choices_are_said_in_three_ways",
        "test_drawing.py::test_each_distribution_keeps_its_documented_meaning",
    ),
    "grid accepts only choice": ("test_what_goes_together",),
    "Bayesian only choice, uniform, quniform, and no early termination": (
        "test_what_goes_together",
        "differs: Bayesian sampling took choice, uniform and quniform alone",
    ),
    "1 to 1,000 runs, 1 to 100 at once, 10,080 minutes; out of range is not refused": (
        "test_what_goes_together",
        "differs: a sweep had at most 1,000 runs",
    ),
    "the first limit reached ends it": (
        "test_sweep_runs.py::test_the_time_limit_cancels_the_rest",
        "test_sweep_runs.py::test_a_grid_ends_when_all_points_were_tried",
    ),
    "policies: Bandit with one slack, MedianStopping, TruncationSelection (1-99), none": (
        "test_sweep_runs.py::test_everything_wrong_is_refused_at_once_and_nothing_is_left",
        "test_stopping.py::test_median_compares_the_best_with_the_averages_so_far",
        "test_stopping.py::test_truncation_stops_the_lowest_share_of_those_that_came_as_far",
        "test_stopping.py::test_no_policy_stops_nothing",
    ),
    "an interval is one logging of the metric; Bandit's bound is best / (1 + slack_factor)": (
        "test_sweep_runs.py::test_a_policy_stops_runs_while_they_live",
        "test_stopping.py::test_the_pages_example_of_bandit",
    ),
    "the best run, and all in their order": (
        "test_sweep_runs.py::test_a_sweep_runs_to_its_end_and_knows_its_best",
    ),
    "resume_from, and resume_child_runs with --resume-from": (
        "test_sweep_runs.py::test_bayesian_sampling_learns_here_and_from_other_sweeps",
    ),
}


def test_every_line_is_held():
    assert not behaviours.not_held(LINES, globals())


def config_of(job, way, **more):
    return HyperDriveConfig(
        way, "m", PrimaryMetricGoal.MAXIMIZE, more.pop("max_total_runs", 1), run_config=job, **more
    )


@pytest.fixture
def job(tmp_path, monkeypatch):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(
        "import json, sys\nprint(json.dumps(sys.argv[1:]))\n"
    )
    monkeypatch.chdir(tmp_path)
    environment = Environment("own")
    environment.python.user_managed_dependencies = True
    environment.python.interpreter_path = sys.executable
    return ScriptRunConfig("src", "train.py", ["--epochs", 3], environment=environment)


def test_arguments_of_a_run(job, tmp_path):
    ws = Workspace.create("ws")
    store = ws.get_default_datastore()
    store.upload_files([str(tmp_path / "src" / "train.py")], target_path="rows")
    job.arguments += ["--data", store.path("rows").as_mount()]
    dicts = choice({"depth": 2, 3: ("é", None)})
    way = GridParameterSampling(
        {"--lr": choice(0.1), "n": choice(3), "c": choice(-1e-5), "d": dicts}
    )
    sweep = Experiment(ws, "e").submit(config_of(job, way))
    sweep.wait_for_completion()
    (child,) = sweep.get_children()
    sampled = ["--lr", "0.1", "--n", "3", "--c", "-0.00001"]
    sampled += ["--d", '{"depth": 2, "3": ["é", null]}']
    definition = child.get_details()["runDefinition"]
    head = definition["arguments"]
    assert head is definition["Arguments"]  # as the SDK's page had it until 2020
    assert head[:3] == ["--epochs", "3", "--data"] and head[4:] == sampled
    assert head[3].startswith("$AZUREML_DATAREFERENCE_")
    got = json.loads((child.path / "user_logs" / "std_log.txt").read_text())
    assert got[:3] == head[:3] and got[3].startswith("/") and got[4:] == sampled


def test_choices_are_said_in_three_ways():
    assert choice(1, 2, 3) == choice([1, 2, 3]) == choice(range(1, 4))


def test_what_goes_together(job):
    spaces = (uniform(0, 1), normal(0, 1), lognormal(0, 1), qnormal(0, 1, 2), randint(3))
    for space in spaces:
        (said,) = config_of(job, GridParameterSampling({"a": space})).problems()
        assert "supports only choice" in said
        for way in (RandomParameterSampling, BayesianParameterSampling):
            sampling = way({"a": space})
            assert config_of(job, sampling, max_total_runs=5000).problems() == []
