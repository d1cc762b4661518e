"""What selectors select, and which of the runs is the best."""

from __future__ import annotations

import pytest

from scriptrun.core.experiment import Experiment
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.runs import best, metric_goals, search, selectors
from scriptrun.spec.errors import UserErrorException


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create("w", path=tmp_path)


def logged(workspace, name, **metrics):
    run = Experiment(workspace, "first").start_logging(snapshot_directory=None, display_name=name)
    for metric, value in metrics.items():
        run.log(metric, value)
    run.complete()
    return run


def test_what_is_a_selector():
    for text in ("latest", "latest~2", "best:loss", "lowest:a:b", "highest:", "best:"):
        assert selectors.is_selector(text), text
    for text in ("latest2", "latest~", "latest~x", "best", "worst:loss", "loss", "Latest", "x:1"):
        assert not selectors.is_selector(text), text


def test_the_goal_follows_from_the_name_of_the_metric(workspace):
    logged(workspace, "low", score=1.0, widgets=1)
    logged(workspace, "high", score=2.0, widgets=float("nan"))
    assert Run.find(workspace, "best:score").display_name == "high"
    assert Run.find(workspace, "highest:widgets").display_name == "low"
    with pytest.raises(UserErrorException, match="high or low values of 'widgets' may be good"):
        Run.find(workspace, "best:widgets")
    with search.Search(workspace) as index:
        assert best.goal_of(index, "score") == best.Goal(metric_goals.MAXIMIZE, best.GUESSED)
        assert best.goal_of(index, "widgets") is None
