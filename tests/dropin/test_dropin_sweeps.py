"""Sweeps written for the SDK v1 run as they are."""

from __future__ import annotations

import subprocess
import sys

SUBMIT = """
from azureml.core import Experiment, Model, Run, ScriptRunConfig, Workspace
from azureml.train.hyperdrive import (BanditPolicy, HyperDriveConfig, HyperDriveRun,
    PrimaryMetricGoal, RandomParameterSampling, choice, loguniform)
from azureml.train.hyperdrive.parameter_expressions import uniform
from azureml.train.estimator import Estimator
from azureml.widgets import RunDetails

ws = Workspace.from_config()
src = ScriptRunConfig(source_directory="src", script="train.py", compute_target="cpu-cluster")
hd = HyperDriveConfig(run_config=src,
    hyperparameter_sampling=RandomParameterSampling(
        {'--lr': loguniform(-6, -1), '--batch-size': choice(32, 64)}),
    policy=BanditPolicy(evaluation_interval=2, slack_factor=0.1),
    primary_metric_name='accuracy', primary_metric_goal=PrimaryMetricGoal.MAXIMIZE,
    max_total_runs=3, max_concurrent_runs=2)
sweep = Experiment(ws, 'tune').submit(hd)
RunDetails(sweep).show()
sweep.wait_for_completion(show_output=True)
best = sweep.get_best_run_by_primary_metric()
rows = sweep.get_children_sorted_by_primary_metric()
assert rows[0]["run_id"] == best.id, rows
print(best.get_details()['runDefinition']['arguments'])
model = best.register_model('digits', model_path='outputs/model.txt', tags={'by': 'sweep'})
Model(ws, 'digits').download(target_dir='.', exist_ok=True)
again = Run.get(ws, sweep.id)
assert isinstance(again, HyperDriveRun) and again.hyperdrive_config.max_total_runs == 3
assert best.parent.id == sweep.id and type(best.parent) is HyperDriveRun

estimator = Estimator(source_directory="src", entry_script="train.py", user_managed=True,
                      compute_target="cpu-cluster", script_params={"--batch-size": 8})
old = HyperDriveConfig(estimator=estimator, hyperparameter_sampling=RandomParameterSampling(
    {'lr': uniform(0.1, 0.2)}), primary_metric_name='accuracy',
    primary_metric_goal=PrimaryMetricGoal.MINIMIZE, max_total_runs=1)
second = Experiment(ws, 'tune').submit(old)
print(second.wait_for_completion()["status"], second.get_metrics())
"""
TRAIN = """
import argparse
from azureml.core import Run
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--batch-size", type=int)
options = parser.parse_args()
open("outputs/model.txt", "w").write("weights")
Run.get_context().log("accuracy", options.lr)
"""


def test_a_sweep_of_the_sdk_runs_as_it_is(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(TRAIN)
    (tmp_path / "submit.py").write_text(SUBMIT)
    command = [sys.executable, "-m", "scriptrun", "exec", "submit.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "'--batch-size'" in done.stdout
    assert "Streaming user_logs/hyperdrive.txt" in done.stdout
    assert (tmp_path / "model.txt").read_text() == "weights"
    assert "Completed {'HD_" in done.stdout


def test_check_finds_nothing_missing(tmp_path):
    (tmp_path / "submit.py").write_text(SUBMIT)
    command = [sys.executable, "-m", "scriptrun", "exec", "--check", "submit.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_sweep_whose_metric_is_never_logged_starts_all_its_runs(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(TRAIN)
    (tmp_path / "submit.py").write_text("""
from azureml.core import Experiment, ScriptRunConfig, Workspace
from azureml.train.hyperdrive import (GridParameterSampling, HyperDriveConfig, PrimaryMetricGoal,
    choice)

hd = HyperDriveConfig(
    run_config=ScriptRunConfig(source_directory="src", script="train.py"),
    hyperparameter_sampling=GridParameterSampling({"--lr": choice(0.1, 0.2)}),
    primary_metric_name="Acuracy", primary_metric_goal=PrimaryMetricGoal.MAXIMIZE,
    max_total_runs=2, max_concurrent_runs=1)
sweep = Experiment(Workspace.from_config(), "tune").submit(hd)
sweep.wait_for_completion()
print(len(list(sweep.get_children())), sweep.get_status())
""")
    start = [sys.executable, "-m", "scriptrun"]
    subprocess.run([*start, "init"], cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(
        [*start, "exec", "submit.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "2 Completed"
