"""A user names runs by what they are: the latest, the one before, the best by a metric."""

from __future__ import annotations

import pytest
from test_journey_completion import bash

TRAIN = """
import argparse
from scriptrun import Run
parser = argparse.ArgumentParser()
parser.add_argument("--alpha", type=float)
alpha = parser.parse_args().alpha
run = Run.get_context()
run.log("loss", alpha)
run.log("accuracy", 1 - alpha)
run.log("widgets", alpha * 10)
print(alpha)
"""

NAMED = """
from scriptrun import Run
Run.get_context().display_name = "latest"
"""
SWEPT = ["--param", "alpha=0.3,0.7", "--metric", "accuracy"]


@pytest.fixture
def trained(user):
    user.writes("train.py", TRAIN)
    for alpha in ("0.3", "0.1", "0.7"):
        user.does("run", "-n", f"alpha-{alpha}", "train.py", "--", "--alpha", alpha)
    return user


def shown(user, run):
    """The first words of each line that ``show`` has about the run, and what follows them."""
    lines = [line.split(maxsplit=1) for line in user.does("show", run).out.splitlines()]
    return {line[0]: line[1] for line in reversed(lines) if len(line) == 2}


def named(user, run):
    return shown(user, run)["name"]


def test_the_latest_and_the_best(trained):
    assert named(trained, "latest") == "alpha-0.7"
    assert named(trained, "latest~0") == "alpha-0.7"
    assert named(trained, "latest~2") == "alpha-0.3"
    assert named(trained, "best:accuracy") == named(trained, "best:loss") == "alpha-0.1"
    assert named(trained, "best:metrics.loss") == "alpha-0.1"
    assert named(trained, "highest:widgets") == named(trained, "highest:loss") == "alpha-0.7"
    assert "alpha 0.1" in trained.does("diff", "best:accuracy", "latest").out.replace("--", "")
    assert named(trained, "lowest:widgets") == "alpha-0.1"
    assert "0.9" in trained.does("metrics", "best:accuracy", "--with", "latest").out
    trained.does("logs", "best:accuracy")
    assert trained.types("cancel", "best:accuracy", "latest~2").code != 2


def test_a_run_called_latest_has_an_id_still(trained):
    trained.writes("named.py", NAMED)
    trained.does("run", "named.py")
    run_id = shown(trained, "latest")["run"]
    trained.does("run", "-n", "later", "train.py", "--", "--alpha", "0.6")
    assert named(trained, run_id) == "latest"
    assert named(trained, "latest") == "later"


@pytest.mark.parametrize("name", ["latest", "latest~1", "best:loss", "two\nlines", " x"])
def test_no_run_is_given_a_name_that_would_not_find_it(trained, name):
    before = trained.runs()
    for words in (["run", "train.py"], ["sweep", "train.py", *SWEPT], ["rerun"]):
        refused = trained.types(*words[:1], "-n", name, *words[1:])
        assert refused.code == 2 and "Invalid display name" in refused.err, refused
    run_id = shown(trained, "latest")["run"]
    refused = trained.types("run", "-n", run_id, "train.py")
    assert refused.code == 2 and "it is the ID of another run" in refused.err
    assert trained.runs() == before


def test_only_a_mistyped_id_suggests_an_id(trained):
    run_id = shown(trained, "latest")["run"]
    assert f"Did you mean '{run_id}'?" in trained.types("show", f"{run_id[:-1]}x").err
    assert "Did you mean" not in trained.types("show", f"{run_id[:-8]}zzzzzzzz").err


def test_the_goal_of_a_sweep_decides(user):
    user.writes("train.py", TRAIN.replace("widgets", "score"))
    words = ["--param", "alpha=0.3,0.2,0.4", "--metric", "score", "--sampling", "grid"]
    user.does("sweep", "train.py", *words, "--minimize")
    assert user.does("logs", "best:score").out == "0.2\n"
    assert user.does("logs", "highest:score").out == "0.4\n"
    first = user.does("best", "score").out.splitlines()[1].split()[0]
    assert first == shown(user, "best:score")["run"]


@pytest.mark.parametrize(
    ("selector", "message", "hint"),
    [
        ("best:acuracy", "No run has a metric named 'acuracy'", "Did you mean 'accuracy'?"),
        ("best:widgets", "high or low values", "highest:widgets or lowest:widgets"),
        ("best:", "lacks a metric", "Use best:METRIC. Metrics: accuracy, loss, widgets."),
        ("latest~3", "the workspace has only 3 runs", "scriptrun list"),
        ("lastest", "not found", "Did you mean 'latest'?"),
        ("best", "not found", "Did you mean 'best:METRIC'?"),
        ("lowst:loss", "not found", "Did you mean 'lowest:loss'?"),
    ],
)
@pytest.mark.parametrize("command", ["show", "metrics", "download"])
def test_a_selector_that_selects_nothing(trained, command, selector, message, hint):
    done = trained.types(command, selector)
    assert done.code == 2
    assert message in done.err and hint in done.err


def test_a_workspace_without_runs(user):
    user.does("init")
    assert "has no runs" in user.types("show", "latest").err
    assert "'loss'" in user.types("show", "best:loss").err


def test_completion(trained):
    assert bash(trained, "show", "lat") == ["latest"]
    assert bash(trained, "show", "best") == ["best:accuracy", "best:loss", "best:widgets"]
    assert bash(trained, "show", "best", ":") == ["accuracy", "loss", "widgets"]
    assert bash(trained, "diff", "best", ":", "acc") == ["accuracy"]
    assert "best:METRIC" in trained.does("show", "--help").out


def test_an_empty_list_names_the_values_of_a_parameter(trained):
    hint = "No matching runs.\n  No run has params.alpha=0.2. Values: 0.1, 0.3, 0.7.\n"
    assert trained.does("list", "alpha=0.2").out == hint
    assert trained.does("list", "alpha=0.30 and failed").out.count("No run has") == 1
