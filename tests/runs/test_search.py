"""Searches over runs that were really made: names that exist, and those that do not."""

from __future__ import annotations

import pytest

from scriptrun.core.experiment import Experiment
from scriptrun.core.workspace import Workspace
from scriptrun.query.fields import Field
from scriptrun.query.problem import QueryException
from scriptrun.runs import metric_goals, search
from scriptrun.tracking import run_folder


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create("w", path=tmp_path)


def logged(workspace, name, tags=None, **metrics):
    run = Experiment(workspace, "first").start_logging(snapshot_directory=None, display_name=name)
    for metric, values in metrics.items():
        for value in values if isinstance(values, list) else [values]:
            run.log(metric, value)
    run.set_tags(tags or {})
    run.complete()
    return run


def add_parameter(run, name, value):
    folder = run.path / "mlflow" / "0" / "abc" / "params"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(value)
    run_folder.touch(run.path)


def names(workspace, query, **more):
    return [found.row.display_name for found in search.search(workspace, query, **more)]


def test_an_empty_workspace_answers_every_question(workspace):
    assert names(workspace, "metrics.loss<1 and params.alpha=2 and tags.a=b and failed") == []
    assert names(workspace, "alpha=0.3 or loss<1", sort="-loss") == []
    with pytest.raises(QueryException, match="Unknown field 'sate'"):
        search.search(workspace, "sate=failed")


def test_names_without_a_space_are_looked_up(workspace):
    logged(workspace, "one", {"team": "vision"}, alpha=0.3, loss=[3, 1])
    logged(workspace, "two", {"team": "audio"}, alpha=0.5, loss=[3, 2])
    assert names(workspace, "alpha=0.3") == ["one"]
    assert names(workspace, "loss<2 or team=audio", sort="loss") == ["one", "two"]
    assert names(workspace, "", sort="-alpha", limit=1) == ["two"]


def test_a_parameter_that_was_logged_too_is_not_ambiguous(workspace):
    run = logged(workspace, "one", alpha=0.3)
    add_parameter(run, "alpha", "0.30")
    logged(workspace, "two", alpha=0.5)
    assert names(workspace, "alpha=0.3") == ["one"]
    assert names(workspace, "alpha>0", sort="alpha") == ["one", "two"]
    logged(workspace, "three", alpha=[0.3, 0.4])
    with pytest.raises(QueryException, match="ambiguous"):
        search.search(workspace, "alpha=0.3")


def test_a_property_of_git_may_be_missing(workspace):
    run = logged(workspace, "one", alpha=0.3)
    run.add_properties({"azureml.runsource": "experiment"})
    assert names(workspace, "properties.azureml.git.branch=main") == []


@pytest.mark.parametrize(
    ("query", "message", "hint"),
    [
        ("metrics.los<1", "No run has a metric named 'los'", "Did you mean 'loss'?"),
        ("min.zzz<1", "No run has a metric named 'zzz'", "Metrics: alpha, depth, loss, team."),
        ("params.alhpa<1", "No run has a parameter named 'alhpa'", "'alpha'"),
        ("tags.taem=a", "No run has a tag named 'taem'", "'team'"),
        ("los<1", "Unknown field 'los'", "'metrics.loss'"),
        ("depth=1", "'depth' is ambiguous", "params.depth or metrics.depth"),
        ("sate=failed", "Unknown field 'sate'", "'state'"),
        ("zzz=1", "Unknown field 'zzz'", "No run has a parameter, metric or tag with this name."),
        ("params=1", "Unknown field 'params'", "Write params.NAME."),
    ],
)
def test_names_that_no_run_has(workspace, query, message, hint):
    run = logged(workspace, "one", {"team": "vision"}, alpha=0.3, loss=[3, 1], team=[1, 2], depth=1)
    add_parameter(run, "depth", "2")
    assert names(workspace, "team=2") == ["one"], "a metric comes before a tag"
    with pytest.raises(QueryException) as caught:
        search.search(workspace, query)
    assert message in caught.value.message and hint in caught.value.hint


def test_all_problems_of_a_query_are_one_error(workspace):
    logged(workspace, "one", loss=[3, 1])
    with pytest.raises(QueryException) as caught:
        search.search(workspace, "metrics.los<1 and state=faild and zzz=1")
    assert [problem.start for problem in caught.value.problems] == [0, 24, 34]


def test_a_tag_that_none_has_yet_is_no_mistake(workspace):
    logged(workspace, "one", {"team": "vision"})
    assert names(workspace, "tags.reviewed=yes") == []


def test_values_and_the_fields_that_differ(workspace):
    logged(workspace, "one", alpha=0.3, loss=[3, 1], same=1)
    logged(workspace, "two", alpha=0.5, loss=[3, 2], same=1)
    found = search.search(workspace, sort="submitted")
    assert search.differing_fields(found) == [Field("metrics", "loss"), Field("metrics", "alpha")]
    assert [each.value(Field("max", "loss"), 0) for each in found] == [3.0, 3.0]
    assert found[0].value(Field("params", "alpha"), 0) == "0.3"
    assert found[0].typed(Field("params", "alpha"), 0) == 0.3
    assert found[0].value(Field("metrics", "none"), 0) is None
    assert len(search.differing_fields(found[:1])) == 3


def test_what_most_runs_have_comes_first_then_curves(workspace):
    logged(workspace, "one", aaa=1, loss=[3, 1], zzz=1)
    logged(workspace, "two", zzz=2)
    found = search.search(workspace, sort="submitted")
    order = [field.name for field in search.differing_fields(found)]
    assert order == ["zzz", "loss", "aaa"]


def test_a_metric_that_repeats_a_parameter_is_left_out(workspace):
    for name, alpha in (("one", 0.3), ("two", 0.5), ("odd", float("nan"))):
        add_parameter(logged(workspace, name, alpha=alpha), "alpha", str(alpha))
    found = search.search(workspace)
    assert search.differing_fields(found) == [Field("params", "alpha")]
    add_parameter(logged(workspace, "three", alpha=0.7), "alpha", "7")
    assert len(search.differing_fields(search.search(workspace))) == 2


@pytest.mark.parametrize(
    ("name", "goal"),
    [
        ("loss", "minimize"),
        ("val/loss", "minimize"),
        ("trainLoss", "minimize"),
        ("RMSE", "minimize"),
        ("error_rate", "minimize"),
        ("accuracy", "maximize"),
        ("val_acc", "maximize"),
        ("AUC", "maximize"),
        ("f1", "maximize"),
        ("top5", "maximize"),
        ("classification", None),
        ("seed", None),
        ("", None),
    ],
)
def test_goals_by_name(name, goal):
    assert metric_goals.guess(name) == goal
