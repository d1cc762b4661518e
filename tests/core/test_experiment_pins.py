"""What ``pins=`` of the public classes says, and what the names of azureml say without it."""

from __future__ import annotations

import sys

import pytest

from scriptrun import (
    Experiment,
    GridParameterSampling,
    HyperDriveConfig,
    ScriptRunConfig,
    Workspace,
    choice,
)
from scriptrun.dropin.azureml.estimators import Estimator
from scriptrun.dropin.azureml.experiment import Experiment as OldExperiment
from scriptrun.exceptions import RunConfigurationException

WRONG = "pins is 'loose'; use 'exact' or 'relax'"


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(
        "import collections\nprint(hasattr(collections, 'Mapping'))\n"
    )
    return Workspace.create("pins", path=tmp_path)


@pytest.fixture
def config(workspace):
    return ScriptRunConfig(str(workspace.root / "src"), "train.py")


def pins_of(run):
    return run.job.environment.pins


def test_exact_is_what_scriptruns_names_say_by_themselves(workspace, config):
    experiment = Experiment(workspace, "x")
    runs = [
        experiment.submit(config),
        experiment.submit(config, pins="exact"),
        *experiment.submit_many([config]),
        experiment.submit(config, pins="relax"),
        *experiment.submit_many([config], pins="relax"),
    ]
    for run in runs:
        run.wait_for_completion()
    assert [*map(pins_of, runs)] == ["exact"] * 3 + ["relax"] * 2
    logs = [(run.path / "user_logs" / "std_log.txt").read_text().strip() for run in runs]
    assert logs == ["False"] * 3 + ["True"] * 2  # the names that are gone are there, too


def test_a_target_that_the_workspace_lacks_is_the_default_one_for_old_code(workspace, config):
    config.run_config.target = "gpu-cluster"
    experiment = Experiment(workspace, "x")
    with pytest.raises(RunConfigurationException, match="'gpu-cluster' not found in workspace"):
        experiment.submit(config)
    sweep = HyperDriveConfig(
        run_config=config,
        hyperparameter_sampling=GridParameterSampling({"--a": choice(1)}),
        primary_metric_name="m",
        primary_metric_goal="MINIMIZE",
        max_total_runs=1,
    )
    runs = [experiment.submit(each, pins="relax") for each in (config, sweep)]
    for run in runs:
        run.wait_for_completion(raise_on_error=False)
        assert run.job.target.name == "local"
        notes = run.get_details()["notes"]
        assert any("unknown compute target 'gpu-cluster'; using 'local'" in note for note in notes)


def test_a_child_has_the_pins_of_its_run_unless_it_has_its_own(workspace, config):
    with Experiment(workspace, "x").start_logging(snapshot_directory=None) as run:
        children = [run.submit_child(config), run.submit_child(config, pins="relax")]
    parent = Experiment(workspace, "x").submit(config, pins="relax")
    children.append(parent.submit_child(config))
    assert [*map(pins_of, children)] == ["exact", "relax", "relax"]
    assert {child.job.parent for child in children} == {run.id, parent.id}
    for each in (*children, parent):
        each.wait_for_completion()


def test_a_sweeps_runs_have_the_sweeps_pins(workspace, config):
    sweep = HyperDriveConfig(
        GridParameterSampling({"--a": choice(1, 2)}), "m", "MINIMIZE", 2, run_config=config
    )
    run = Experiment(workspace, "x").submit(sweep, pins="relax")
    run.wait_for_completion(raise_on_error=False)
    assert {pins_of(child) for child in run.get_children()} == {"relax"}


def test_other_values_are_refused_with_the_choices(workspace, config):
    for experiment in (Experiment(workspace, "x"), OldExperiment(workspace, "x")):
        with pytest.raises(RunConfigurationException, match=WRONG):
            experiment.submit(config, pins="loose")
        with pytest.raises(RunConfigurationException, match=WRONG):
            experiment.submit_many([config], pins="loose")
        run = experiment.start_logging(snapshot_directory=None, outputs=False)
        with pytest.raises(RunConfigurationException, match=WRONG):
            run.submit_child(config, pins="loose")
        run.complete()
    assert {run.job.script for run in Experiment(workspace, "x").get_runs()} == {None}


def test_the_names_of_azureml_relax_unless_told_otherwise(workspace, config, monkeypatch):
    experiment = OldExperiment(workspace, "x")
    runs = [experiment.submit(config), *experiment.submit_many([config])]
    runs.append(experiment.submit(config, pins="exact"))
    with experiment.start_logging(snapshot_directory=None, outputs=False) as run:
        runs.append(run.submit_child(config))
    monkeypatch.setenv("SCRIPTRUN_PINS", "exact")
    runs += [experiment.submit(config), experiment.submit(config, pins="relax")]
    assert [*map(pins_of, runs)] == ["auto", "auto", "exact", "auto", "exact", "relax"]
    monkeypatch.setenv("SCRIPTRUN_PINS", "loose")
    with pytest.raises(RunConfigurationException, match=WRONG):
        experiment.submit(config)
    for each in runs:
        each.wait_for_completion()
    assert sys.executable == runs[0].job.environment.interpreter


def test_an_estimator_in_code_that_is_partly_rewritten_is_submitted(workspace):
    with pytest.warns(DeprecationWarning):
        old = Estimator(
            str(workspace.root / "src"),
            entry_script="train.py",
            compute_target="local",
            user_managed=True,
        )
    experiment = Experiment(workspace, "e")
    runs = [experiment.submit(old, pins="relax"), *experiment.submit_many([old])]
    assert [pins_of(run) for run in runs] == ["relax", "exact"]
    assert {run.job.script for run in runs} == {"train.py"}
