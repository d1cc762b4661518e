"""Sweeps from end to end, on this machine."""

from __future__ import annotations

import collections
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from tuning import Tuner, driver_of, ended

from scriptrun import (
    AshaPolicy,
    BanditPolicy,
    BayesianParameterSampling,
    GridParameterSampling,
    HyperDriveRun,
    MedianStoppingPolicy,
    Model,
    PrimaryMetricGoal,
    RandomParameterSampling,
    Run,
    TruncationSelectionPolicy,
    choice,
    uniform,
)
from scriptrun.cli import main
from scriptrun.engines.local.engine import Local
from scriptrun.runs import find as find_runs
from scriptrun.spec.errors import (
    ActivityFailedException,
    RunConfigurationException,
    UserErrorException,
)
from scriptrun.store.locks import flocks
from scriptrun.sweeps import ensure_driver
from scriptrun.sweeps import plot as sweep_plot
from scriptrun.testing.jobs import PATIENCE, until


def numbers(sweep):
    return [int(each.id.rpartition("_")[2]) for each in sweep.get_children()]


def test_a_sweep_runs_to_its_end_and_knows_its_best(tuner, tmp_path):
    sweep = tuner.submit("--n", 5)
    details = sweep.wait_for_completion()
    assert isinstance(sweep, HyperDriveRun) and details["status"] == "Completed"
    rows = sweep.get_children_sorted_by_primary_metric()
    values = [row["best_primary_metric"] for row in rows]
    assert len(values) == 4 and values == sorted(values, reverse=True)
    assert all(
        json.loads(row["hyperparameters"])["x"] == value
        for row, value in zip(rows, values, strict=True)
    )
    best = sweep.get_best_run_by_primary_metric()
    assert best.id == rows[0]["run_id"] and best.get_metrics()["accuracy"] == values[0]
    arguments = best.get_details()["runDefinition"]["arguments"]
    assert arguments == ["--n", "5", "--x", str(values[0])]
    assert best.get_tags()["x"] == str(values[0])
    assert best.parent.id == sweep.id and type(best.parent) is HyperDriveRun
    assert type(Run.get(tuner.workspace, sweep.id)) is HyperDriveRun
    assert numbers(sweep) == [0, 1, 2, 3]
    assert sweep.get_metrics()[best.id] == {"accuracy": values[0]}
    assert json.loads(sweep.get_hyperparameters()[best.id]) == {"x": values[0]}
    properties = details["properties"]
    assert properties["best_child_run_id"] == best.id == sweep.get_tags()["best_child_run_id"]
    assert (float(properties["score"]), properties["space_size"]) == (
        values[0],
        "infinite_space_size",
    )
    model = best.register_model("digits", model_path="outputs/model.txt", tags={"by": "sweep"})
    Model(tuner.workspace, "digits").download(target_dir=str(tmp_path / "got"), exist_ok=True)
    assert (tmp_path / "got/model.txt").read_text() == str(values[0]) and model.run_id == best.id


def test_the_same_seed_gives_the_same_points_and_all_share_a_snapshot(tuner):
    drawn = tuner.run(hyperparameter_sampling=RandomParameterSampling({"x": uniform(0, 1)}))
    seeded = RandomParameterSampling({"x": uniform(0, 1)}, {"seed": drawn.sweep.seed})
    again = tuner.run(hyperparameter_sampling=seeded, max_total_runs=2)
    points = [list(each.get_hyperparameters().values()) for each in (drawn, again)]
    assert points[0][:2] == points[1] and len(set(points[0])) == 4
    assert len({each.job.snapshot for each in drawn.get_children()}) == 1


def test_a_grid_ends_when_all_points_were_tried(tuner):
    grid = GridParameterSampling({"--x": choice(0.1, 0.2), "n": choice(1, 2)})
    sweep = tuner.run(hyperparameter_sampling=grid, max_total_runs=100, max_concurrent_runs=None)
    assert sweep.get_status() == "Completed"
    assert sweep.standing.reason == "all 4 points of the search space were tried"
    assert len(sweep.get_hyperparameters()) == 4


def test_bayesian_sampling_learns_here_and_from_other_sweeps(tuner):
    first = tuner.run()
    way = BayesianParameterSampling({"x": uniform(0, 1)}, {"seed": 2})
    child = next(iter(first.get_children()))
    sweep = tuner.run(
        hyperparameter_sampling=way,
        resume_from=first,
        resume_child_runs=[child],
        max_total_runs=3,
        max_concurrent_runs=1,
    )
    children = list(sweep.get_children())
    assert sweep.get_status() == "Completed" and len(children) == 3
    assert json.loads(children[0].get_tags()["hyperparameters"]) == {
        "x": float(child.get_tags()["x"])
    }
    log = (children[0].path / "user_logs/std_log.txt").read_text()
    assert f"from {child.path / 'outputs'}" in log
    everywhere = [*first.get_metrics().values(), *sweep.get_metrics().values()]
    best = sweep.get_best_run_by_primary_metric()
    assert best.get_metrics()["accuracy"] == max(each["accuracy"] for each in everywhere)
    own = sweep.get_best_run_by_primary_metric(include_resume_from_runs=False)
    assert own.parent.id == sweep.id


STEPWISE = """
import os, sys, time
from scriptrun import Run
def wait(name):
    while not os.path.exists(os.path.join({place!r}, name)):
        time.sleep(0.02)
n = int(sys.argv[2])
wait(f"gate-{{n}}")
for value in [[0.9, 0.9], [0.85, 0.45], [0.1, 0.5]][n]:
    Run.get_context().log("accuracy", value)
Run.get_context().flush()
open(os.path.join({place!r}, f"gate-{{n + 1}}"), "w").close()
wait("go")
"""


@pytest.mark.parametrize(
    ("policy", "stopped"),
    [
        (BanditPolicy(evaluation_interval=2, slack_factor=0.5), {2}),
        (MedianStoppingPolicy(evaluation_interval=2), {2}),
        (TruncationSelectionPolicy(34, evaluation_interval=2), {2}),
        (AshaPolicy(min_intervals=2, reduction_factor=2), {1, 2}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_policy_stops_runs_while_they_live(tmp_path, policy, stopped):
    """Of three that have logged in turn and go on living; best: 0.9, 0.85, 0.5."""
    tuner = Tuner(tmp_path, Local(max_runs=3))
    tuner.script(STEPWISE.format(place=str(tmp_path)))
    way = GridParameterSampling({"n": choice(0, 1, 2)})
    settings = {"max_total_runs": 3, "max_concurrent_runs": 3, "policy": policy}
    sweep = tuner.submit(hyperparameter_sampling=way, **settings)
    (tmp_path / "gate-0").touch()
    until(lambda: len(sweep.get_termination()) >= len(stopped))
    (tmp_path / "go").touch()
    assert ended(sweep).state == "Completed"
    children = list(sweep.get_children())
    wanted = ["Canceled" if number in stopped else "Completed" for number in range(3)]
    assert [each.get_status() for each in children] == wanted
    said = f"stopped by {type(policy).__name__} at interval 2: best value 0.5, required 0."
    assert children[2].standing.reason.startswith(said)
    reasons = {children[number].id: children[number].standing.reason for number in stopped}
    assert sweep.get_termination() == reasons


def test_a_parameter_that_the_script_refuses_stops_the_sweep_soon(tuner):
    way = RandomParameterSampling({"learning": uniform(0, 1)})
    sweep = tuner.submit(hyperparameter_sampling=way, max_total_runs=100, max_concurrent_runs=None)
    with pytest.raises(ActivityFailedException, match="unrecognized arguments: --learning"):
        sweep.wait_for_completion()
    states = collections.Counter(each.get_status() for each in sweep.get_children())
    assert 3 <= states["Failed"] <= 6 and states.keys() <= {"Failed", "Canceled"}, states
    (row,) = find_runs.rows(tuner.workspace, children=False)
    assert "failed; run 0: train.py exited with" in row.reason.splitlines()[0]
    assert sweep.get_best_run_by_primary_metric() is None
    log = sweep.get_diagnostics()
    assert log.index("unrecognized arguments") < log.index(f"{sweep.id} is Failed")


def test_names_of_a_users_own(tuner):
    sweep = tuner.run(custom_run_id="my-sweep.1", max_total_runs=1)
    assert sweep.id == "my-sweep.1" and numbers(sweep) == [0]
    for wrong, said in (("a/b", "invalid custom_run_id"), ("my-sweep.1", "already exists")):
        with pytest.raises(RunConfigurationException, match=said):
            tuner.submit(custom_run_id=wrong)


def test_a_sweep_may_be_a_child_of_a_run(tuner):
    with tuner.experiment.start_logging(snapshot_directory=None) as above:
        sweep = above.submit_child(tuner.config(max_total_runs=1))
        ended(sweep)
    assert sweep.parent.id == above.id
    (child,) = sweep.get_children()
    assert child.job.root == above.id
    assert {each.id for each in above.get_children(recursive=True)} == {sweep.id, child.id}


def test_single_failures_and_odd_values_do_no_harm(tuner):
    tuner.script("""
import sys
from scriptrun import Run
n = int(sys.argv[2])
Run.get_context().log("accuracy", {0: float("nan"), 1: 0.5, 2: "much", 3: 0.7, 4: 0.9}[n])
sys.exit(1 if n == 4 else 0)
""")
    sweep = tuner.run(
        hyperparameter_sampling=GridParameterSampling({"n": choice(*range(5))}), max_total_runs=5
    )
    assert sweep.get_status() == "Completed"
    rows = sweep.get_children_sorted_by_primary_metric()
    assert [row["best_primary_metric"] for row in rows][:3] == [0.9, 0.7, 0.5]
    assert rows[0]["status"] == "Failed"
    page = sweep_plot.page(sweep)
    assert "5 runs; best accuracy: 0.9" in page and "2 runs without a value" in page
    assert page.count("<td>NaN</td>") == 1 and page.count("<polyline") == 3
    assert Run.find(tuner.workspace, sweep.id[:-2]).id == sweep.id  # not one of its runs
    kept = sweep.get_children_sorted_by_primary_metric(top=2, discard_no_metric=True)
    assert [row["best_primary_metric"] for row in kept] == [0.9, 0.7]
    worst = sweep.get_children_sorted_by_primary_metric(reverse=True)
    assert worst[0]["best_primary_metric"] == 0.5
    assert sweep.get_best_run_by_primary_metric(include_failed=False).get_tags()["n"] == "3"


def test_a_metric_that_is_a_decimal_has_a_best_and_the_sweep_has_metrics_of_its_own(
    tuner, capsys, monkeypatch
):
    tuner.script("""
import sys
from decimal import Decimal
from scriptrun import Run
run = Run.get_context()
run.log("accuracy", Decimal(sys.argv[2]) / 10)
run.parent.log("seen", sys.argv[2])
""")
    sweep = tuner.run(
        hyperparameter_sampling=GridParameterSampling({"n": choice(np.arange(3))}),
        max_total_runs=np.int64(3),
    )
    best = sweep.get_best_run_by_primary_metric()
    assert best.get_metrics() == {"accuracy": 0.2}
    sweep.log("summary", 0.5)
    metrics = sweep.get_metrics()
    assert metrics[best.id] == {"accuracy": 0.2}
    assert sorted(metrics[sweep.id]["seen"]) == ["0", "1", "2"]
    assert sweep.get_metrics("summary")[sweep.id] == {"summary": 0.5}
    monkeypatch.chdir(tuner.workspace.root)
    for command in (["show", sweep.id], ["sweep", "show", sweep.id]):
        assert main(command) == 0
        assert re.search(r"summary +0\.5", capsys.readouterr().out)
        assert main([*command, "--json"]) == 0
        assert '"summary": 0.5' in capsys.readouterr().out


def test_a_metric_that_nobody_logs_is_said(tuner):
    """Also when its driver sees several runs end at once."""
    tuner.script(f"""
import os, time
from scriptrun import Run
while not os.path.exists({str(tuner.root / "go")!r}):
    time.sleep(0.02)
Run.get_context().log("accuracy", 1)
""")
    sweep = tuner.submit(primary_metric_name="acc", max_total_runs=2)
    until(lambda: [each.get_status() for each in sweep.get_children()] == ["Running"] * 2)
    os.kill(driver_of(sweep)[0], signal.SIGSTOP)
    (tuner.root / "go").touch()
    until(lambda: {each.get_status() for each in sweep.get_children()} == {"Completed"})
    os.kill(driver_of(sweep)[0], signal.SIGCONT)
    ended(sweep)
    first, second = sweep.get_details()["warnings"]
    assert "_0 did not log a number named 'acc'; it logged accuracy" in first
    assert "no best run" in second and "_0 logged accuracy" in second
    assert sweep.get_best_run_by_primary_metric() is None
    assert all(
        row["best_primary_metric"] is None for row in sweep.get_children_sorted_by_primary_metric()
    )


def test_canceling_one_run_and_then_all(tuner):
    sweep = tuner.submit("--steps", 1, "--sleep", 3600)
    until(lambda: len(numbers(sweep)) == 2)
    first = next(iter(sweep.get_children()))
    first.cancel()
    until(lambda: len(numbers(sweep)) == 3)
    assert first.get_status() == "Canceled" and sweep.get_status() == "Running"
    sweep.cancel()
    assert ended(sweep).state == "Canceled"
    assert {each.get_status() for each in sweep.get_children()} == {"Canceled"}
    last = list(sweep.get_children())[-1]
    assert "the sweep was canceled" in last.standing.reason
    sweep.cancel()  # nothing happens
    tuner.script("print('at once')")
    sweep.resume()
    assert sweep.get_status() == "Running"
    sweep.cancel()
    ended(sweep)


def test_limits_are_extended_later(tuner, tmp_path):
    gate, goal = tmp_path / "gate", PrimaryMetricGoal.MINIMIZE
    gate.touch()
    sweep = tuner.run("--gate", gate, primary_metric_goal=goal, max_total_runs=2)
    gate.unlink()
    sweep.extend(max_total_runs=5)
    assert sweep.get_status() == "Running"
    gate.touch()
    assert ended(sweep).state == "Completed"
    assert numbers(sweep) == [0, 1, 2, 3, 4]
    assert sweep.hyperdrive_config.max_total_runs == 5
    values = [row["best_primary_metric"] for row in sweep.get_children_sorted_by_primary_metric()]
    assert values == sorted(values)
    frame = sweep.to_pandas()
    assert list(frame["x"]) == list(frame["accuracy"])
    for wrong, said in (
        ({"max_total_runs": 0, "max_duration_minutes": "x"}, "2 problems"),
        ({}, "No limits to set"),
        ({"max_total_runs": 5}, "already started"),
    ):
        with pytest.raises(UserErrorException, match=said):
            sweep.extend(**wrong)
    assert sweep.get_status() == "Completed"


def test_the_time_limit_cancels_the_rest(tuner):
    sweep = tuner.run("--sleep", 3600, max_duration_minutes=0.02)
    assert sweep.get_status() == "Canceled"
    assert "max_duration_minutes" in sweep.standing.reason
    assert all("max_duration" in reason for reason in sweep.get_termination().values())


def test_it_survives_its_submitter(tuner):
    code = f"""
import sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from tuning import Tuner
from pathlib import Path
print(Tuner(Path({str(tuner.root)!r})).submit("--sleep", 0.3).id, flush=True)
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    sweep = Run.get(tuner.workspace, done.stdout.strip())
    assert ended(sweep).state == "Completed" and numbers(sweep) == [0, 1, 2, 3]


def test_two_drivers_at_once_are_one(tuner, tmp_path):
    gate = tmp_path / "gate"
    sweep = tuner.submit("--gate", gate)
    lock = ensure_driver.flock_path(tuner.workspace.id, sweep.id)

    def is_driven():
        taken = flocks.try_flock(lock)
        if taken is not None:  # one that came to it in this moment has gone: there is another
            taken.release()
            ensure_driver.ensure(tuner.workspace, sweep.id)
        return taken is None

    until(is_driven)
    command = ensure_driver.worker(tuner.workspace, sweep.id).command
    assert subprocess.run(command, timeout=PATIENCE).returncode == 0  # it sees the lock and goes
    gate.touch()
    assert ended(sweep).state == "Completed" and numbers(sweep) == [0, 1, 2, 3]


def test_a_run_that_ends_starts_the_driver_again_without_anybody_looking(tuner, tmp_path):
    mark, gate = tmp_path / "ran", tmp_path / "gate"
    sweep = tuner.submit("--gate", gate, "--mark", mark)
    until(lambda: mark.exists() and driver_of(sweep))
    os.kill(driver_of(sweep)[0], signal.SIGKILL)
    until(lambda: not driver_of(sweep))
    gate.touch()
    until(lambda: mark.read_text().count("\n") == 4)
    lock = ensure_driver.flock_path(tuner.workspace.id, sweep.id)
    until(lambda: (taken := flocks.try_flock(lock)) and not taken.release())
    assert ended(sweep).state == "Completed"


def test_commands_get_their_parameters_too(tuner):
    job = tuner.job()
    job.script, job.command = None, f"{sys.executable} train.py --n 3"
    way = GridParameterSampling({"x": choice(0.25)})
    sweep = tuner.run(job=job, hyperparameter_sampling=way, max_total_runs=1)
    (child,) = sweep.get_children()
    assert child.get_metrics() == {"accuracy": 0.25}
    assert child.job.command.endswith("train.py --n 3 --x 0.25")


def test_everything_wrong_is_refused_at_once_and_nothing_is_left(tuner):
    config = tuner.config(
        hyperparameter_sampling=GridParameterSampling({"x": uniform(0, 1)}),
        policy=BanditPolicy(),
        max_total_runs=0,
        max_concurrent_runs="two",
        max_duration_minutes=-1,
        primary_metric_name="",
        primary_metric_goal="UP",
        resume_from="HD_1",
        job=tuner.job(),
    )
    config.run_config.script = "gone.py"
    with pytest.raises(RunConfigurationException) as raised:
        tuner.experiment.submit(config)
    said = str(raised.value)
    for words in (
        "supports only choice",
        "slack_factor or slack_amount",
        "max_total_runs",
        "max_concurrent_runs",
        "max_duration_minutes",
        "primary_metric_name",
        "primary_metric_goal",
        "gone.py",
    ):
        assert words in said
    assert not list(tuner.workspace.runs_folder.glob("*/*"))
    with pytest.raises(RunConfigurationException, match="resume_from expects sweeps"):
        tuner.submit(resume_from=tuner.workspace)
    with pytest.raises(RunConfigurationException, match="run_config must be a ScriptRunConfig"):
        tuner.experiment.submit(tuner.config(job="train.py"))
