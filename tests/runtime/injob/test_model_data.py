"""What a service receives and answers becomes rows of a table in the run's outputs."""

from __future__ import annotations

import csv
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from scriptrun.runtime.injob.model_data import ModelDataCollector
from scriptrun.testing.jobs import PATIENCE


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_RUN_FOLDER", str(tmp_path))
    return tmp_path


def table(run, model, designation):
    """The header and the rows, without their times."""
    (path,) = (run / "outputs" / "modeldata" / model / designation).glob("*.csv")
    with path.open(newline="") as handle:
        return [row[1:] for row in csv.reader(handle)]


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        ([[1, 2], [3, 4]], [["", "1", "2"], ["", "3", "4"]]),
        ([1, 2], [["", "1", "2"]]),
        (np.array([[1.5, 2], [3, 4]]), [["", "1.5", "2.0"], ["", "3.0", "4.0"]]),
        (np.array([1, 2]), [["", "1", "2"]]),
        ([[1], 2], [["", "1"], ["", "2"]]),
        ("text, with a comma", [["", "text, with a comma"]]),
        (np.float32(0.5), [["", "0.5"]]),
    ],
    ids=["rows", "row", "array", "vector", "mixed", "value", "number"],
)
def test_what_can_be_collected(run, data, rows):
    assert ModelDataCollector("m", designation="inputs").collect(data) is data
    header, *found = table(run, "m", "inputs")
    assert header[:2] == ["correlation_id", "column0"] and found == rows


def test_columns_come_from_the_names_or_the_data(run):
    frame = pd.DataFrame({"a": [1], "b": ["x"]})
    ModelDataCollector("m", "plain").collect(frame)
    ModelDataCollector("m", "dict").collect({"a": 1, "b": "x"})
    ModelDataCollector("m", identifier="named", feature_names=("p", "q")).collect(frame, "id-7")
    assert table(run, "m", "plain") == [["correlation_id", "a", "b"], ["", "1", "x"]]
    assert table(run, "m", "dict") == table(run, "m", "plain")
    assert table(run, "m", "named") == [["correlation_id", "p", "q"], ["id-7", "1", "x"]]


def test_names_stay_below_the_outputs(run):
    ModelDataCollector("../../m", designation="/etc/x").collect([1])
    assert [path.suffix for path in run.rglob("*") if path.is_file()] == [".csv"]
    assert next(run.rglob("*.csv")).is_relative_to(run / "outputs" / "modeldata")


def test_outside_a_run_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv("SCRIPTRUN_RUN_FOLDER", raising=False)
    monkeypatch.chdir(tmp_path)
    collector = ModelDataCollector("m")
    assert collector.collect([1, 2]) == collector.add_correlations([1, 2]) == [1, 2]
    assert list(tmp_path.iterdir()) == []


def test_workers_share_a_file_with_one_header(run):
    code = (
        "from scriptrun.runtime.injob.model_data import ModelDataCollector as M\n"
        "for n in range(200): M('m', 'inputs', ['a']).collect([n])"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [worker.wait(PATIENCE) for worker in workers] == [0] * 4
    header, *rows = table(run, "m", "inputs")
    assert header == ["correlation_id", "a"]
    assert sorted(int(row[1]) for row in rows) == sorted(4 * list(range(200)))
