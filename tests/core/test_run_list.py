"""Runs that match a query, from Python."""

from __future__ import annotations

import datetime
import sys

import pytest

from scriptrun.core import run_list
from scriptrun.core.experiment import Experiment
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.spec.errors import UserErrorException


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace.create("w", path=tmp_path)
    for alpha, losses in ((0.1, [3, 1]), (0.5, [3, 2])):
        run = Experiment(workspace, "first").start_logging(snapshot_directory=None)
        run.log("alpha", alpha)
        for loss in losses:
            run.log("loss", loss)
        run.tag("team", "vision")
        run.complete()
    return workspace


def test_a_list_of_runs(workspace):
    found = workspace.runs("metrics.loss<2 and tags.team=vision")
    assert isinstance(found, list) and isinstance(found, run_list.RunList)
    (run,) = found
    assert isinstance(run, Run) and run.get_metrics()["alpha"] == 0.1
    assert [each.get_metrics()["alpha"] for each in workspace.runs(sort="-metrics.loss")] == [
        0.5,
        0.1,
    ]
    assert len(workspace.runs(limit=1)) == 1 and workspace.runs("failed") == []
    assert repr(found).startswith("<1 run: [Run(")


def test_its_values(workspace):
    first, second = workspace.runs(sort="loss").to_dicts()
    assert (first["metrics.loss"], second["metrics.alpha"], first["tags.team"]) == (
        1.0,
        0.5,
        "vision",
    )
    assert first["state"] == "Completed" and isinstance(first["submitted"], datetime.datetime)
    assert first["submitted"].tzinfo is datetime.UTC


def test_a_data_frame(workspace):
    frame = workspace.runs(sort="loss").to_pandas()
    assert list(frame["metrics.loss"]) == [1.0, 2.0]
    assert list(workspace.runs("failed").to_frame().columns)[:2] == ["id", "name"]


def test_without_pandas(workspace, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserErrorException, match="not installed") as caught:
        workspace.runs().to_pandas()
    assert "pip install pandas" in caught.value.hint


def test_a_limit_of_nothing(workspace):
    with pytest.raises(UserErrorException, match="at least 1"):
        workspace.runs(limit=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": None}, "query must be a string, not None"),
        ({"query": ["failed"]}, "query must be a string"),
        ({"sort": ["-loss"]}, "sort must be a string"),
        ({"limit": "3"}, "limit must be an integer, not '3'"),
    ],
)
def test_arguments_of_other_types(workspace, arguments, message):
    with pytest.raises(UserErrorException, match=message):
        workspace.runs(**arguments)
