"""A metric's values with their steps and times."""

from __future__ import annotations

import datetime
import sys

import pytest

from scriptrun.exceptions import UserErrorException
from scriptrun.runs import metric_history
from scriptrun.testing.jobs import Bench, wait

SCRIPT = """
import os
from scriptrun import Run
run = Run.get_context()
for step in range(3):
    run.log("loss", 1 / (step + 1), step=step * 10)
run.log_list("items", [1, "b"])
run.log_row("roc", fpr=0.0, tpr=1.0)
run.log_table("table", {"a": [1, 2], "b": ["x", "y"]})
folder = os.path.join(os.environ["SCRIPTRUN_RUN_FOLDER"], "mlflow", "0", "r", "metrics")
os.makedirs(folder)
with open(os.path.join(folder, "of_mlflow"), "w") as file:
    file.write("1000 0.5 0\\n2000 nan 7\\n")
"""


@pytest.fixture
def run(tmp_path):
    run = Bench(tmp_path).submit(SCRIPT)
    assert wait(run) == "Completed"
    return run


def test_without_pandas(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserErrorException, match="requires pandas, which is not") as got:
        run.metric_history("loss").to_frame()
    assert "pip install pandas" in got.value.hint


def test_steps_times_and_values(run):
    history = run.metric_history("loss")
    assert [(point.step, point.value) for point in history] == [(0, 1.0), (10, 0.5), (20, 1 / 3)]
    times = [point.time for point in history]
    assert times == sorted(times) and times[0].tzinfo is datetime.UTC
    frame = history.to_frame()
    assert list(frame.columns) == ["step", "time", "value", "rank"]
    assert frame["value"].min() == 1 / 3 and history.name == "loss"
    assert run.get_metrics()["loss"] == [1.0, 0.5, 1 / 3]  # as in SDK v1


def test_items_rows_and_what_mlflow_logged(run):
    assert [point.value for point in run.metric_history("items")] == [1, "b"]
    assert [point.value for point in run.metric_history("roc")] == [{"fpr": 0.0, "tpr": 1.0}]
    table = [point.value for point in run.metric_history("table")]
    assert table == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    first, second = run.metric_history("of_mlflow")
    assert (first.value, first.time.timestamp(), second.step) == (0.5, 1.0, 7)


def test_an_unknown_metric_is_an_error_with_the_nearest_name(run):
    with pytest.raises(UserErrorException, match="did not log a metric 'los'") as caught:
        run.metric_history("los")
    assert "Did you mean 'loss'?" in caught.value.hint


def test_a_damaged_time_is_the_epoch():
    for damaged in (None, "x", -1, 1e300, float("nan")):
        assert metric_history._time_of(damaged).timestamp() == 0
