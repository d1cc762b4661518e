"""A sweep ends early where no run logs its metric."""

from __future__ import annotations

import pytest
from tuning import ended

from scriptrun import BanditPolicy
from scriptrun.sweeps import metric_check

LOGS = """
from scriptrun import Run
run = Run.get_context()
for name in {names!r}:
    run.log(name, 0.5)
"""


def submit(tuner, names, **settings):
    tuner.script(LOGS.format(names=names))
    sweep = tuner.submit(max_total_runs=6, max_concurrent_runs=1, **settings)
    ended(sweep)
    return sweep, sweep.get_details()


def test_a_mistyped_metric_ends_the_sweep_after_its_first_run(tuner):
    sweep, details = submit(tuner, ["accuracy", "loss"], primary_metric_name="acuracy")
    assert sweep.get_status() == "Failed" and len(list(sweep.get_children())) == 1
    assert sweep.standing.reason == (
        "run 0 did not log a number named 'acuracy' (did you mean 'accuracy'?); it logged "
        "accuracy, loss"
    )
    logs = sweep.get_details_with_logs()["logFiles"]
    assert "did not log a number" not in str([details["warnings"], logs])  # it is the reason


def test_another_metric_ends_it_after_three(tuner):
    sweep, _ = submit(tuner, ["loss"], primary_metric_name="f1")
    assert sweep.get_status() == "Failed" and len(list(sweep.get_children())) == 3
    assert sweep.standing.reason == (
        "the first 3 runs did not log a number named 'f1'; they logged loss"
    )


def test_runs_that_log_nothing_end_it_only_where_a_policy_needs_the_metric(tuner):
    sweep, _ = submit(tuner, [])
    assert sweep.get_status() == "Completed" and len(list(sweep.get_children())) == 6
    sweep, _ = submit(tuner, [], policy=BanditPolicy(slack_factor=0.1))
    assert sweep.get_status() == "Failed" and len(list(sweep.get_children())) == 3
    assert sweep.standing.reason.endswith("they logged nothing")


@pytest.mark.parametrize(
    ("metric", "names", "said"),
    [
        ("acc", ["accuracy"], " (did you mean 'accuracy'?)"),
        ("val_accuracy", ["Accuracy"], " (did you mean 'Accuracy'?)"),
        ("LOSS", ["loss"], " (did you mean 'loss'?)"),
        ("f1", ["loss"], ""),
        ("loss", ["loss"], ""),  # logged, but no number
        ("loss", [], ""),
    ],
)
def test_the_nearest_name(metric, names, said):
    assert metric_check.did_you_mean(metric, names) == said
