"""``scriptrun sweep`` as a user types it."""

from __future__ import annotations

import csv
import html.parser
import re

import pytest

SCRIPT = """
import argparse
from scriptrun import Run
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--batch_size", type=int)
parser.add_argument("--epochs", type=int, default=1)
options = parser.parse_args()
Run.get_context().log("accuracy", options.lr * options.epochs + options.batch_size / 1000)
"""
SPACE = ("--param", "lr=log:1e-6..1e-1", "--param", "batch_size=32,64")


@pytest.fixture
def swept(user):
    (user.here / "train.py").write_text(SCRIPT)
    words = ("--metric", "accuracy", "--max-runs", 6, "-j", 2, "--seed", 4)
    done = user.types("sweep", "train.py", *SPACE, *words, "--", "--epochs", 3)
    assert done.code == 0, done.err
    return done


def test_a_sweep_is_run_shown_and_extended(user, swept):
    assert "Completed" in swept.err
    (best,) = re.findall(r"best run: (\S+) \(accuracy ", swept.err)
    shown = user.types("sweep", "show")
    assert shown.code == 0 and "6/6: 6 Completed" in shown.out
    assert "seed 4" in shown.out and "so far, by run (1 to 6)" in shown.out
    assert f"best       {best} (accuracy " in shown.out or f"best      {best} (" in shown.out
    record = user.types("sweep", "show", "--json").json
    assert best in [row["short_name"] for row in record["runs"]]
    assert user.types("show", best, "--json").json["id"].startswith(record["id"])
    assert len(record["runs"]) == 6 and record["state"] == "Completed"
    again = user.types("sweep", "resume", record["id"], "--max-runs", 8, "--detach")
    assert again.code == 0
    user.types("logs", record["id"], "--follow")
    assert len(user.types("sweep", "show", "--json").json["runs"]) == 8
    listed = user.types("list")
    assert listed.out.count("HD_") == 1 and "train.py" in listed.out
    done = user.types("sweep", "resume", "--max-runs", 8)
    assert done.code == 2 and "already started" in done.err
    assert "sweep of train.py" in user.types("show").out


def test_a_sweep_without_a_number_says_so_at_its_end(user):
    (user.here / "train.py").write_text(
        "import scriptrun as s; s.Run.get_context().log('a', 'high')"
    )
    done = user.types("sweep", "train.py", "--param", "x=1", "--metric", "a", "--max-runs", 1)
    assert done.code == 0 and "a number named 'a'" in done.err
    assert "_0 logged a as high" in done.err


def test_its_files_are_whole(user, swept):
    done = user.types("sweep", "show", "--html", "new/page.html", "--csv", "runs.csv")
    assert done.out.split() == ["new/page.html", "runs.csv"]
    with open(user.here / "runs.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 6
    assert {"run_id", "status", "accuracy", "lr", "batch_size"} <= set(rows[0])
    page = (user.here / "new/page.html").read_text()
    opened = []

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag, attributes):
            opened.append(tag)
            assert not any(name in ("src", "href") for name, _ in attributes)

    Reader().feed(page)
    assert opened.count("polyline") == 6 and opened.count("svg") == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to run"),
        (("stop",), "'stop' is neither"),
        (("train.py",), "--metric is required"),
        (("train.py", "--metric", "m"), "--param is required"),
        (("train.py", "--metric", "m", "--param", "lr"), "Invalid --param"),
        (("train.py", "--metric", "m", "--param", "lr=log:0..1"), "greater than 0"),
        (("train.py", "--metric", "m", "--param", "lr=a..b"), "Invalid parameter range"),
        (("train.py", "--metric", "m", "--param", "x=1,2", "--param", "x=3"), "Duplicate --param"),
        (
            ("train.py", "--metric", "m", "--param", "x=0.1..2", "--sampling", "grid"),
            "supports only choice",
        ),
        (("train.py", "--metric", "m", "--param", "x=1,2", "--policy", "lucky"), "Unknown policy"),
        (("train.py", "--metric", "m", "--param", "x=1,2", "--policy", "bandit"), "slack"),
        (("train.py", "--metric", "m", "--param", "x=1,2", "--max-runs", "0"), "max_total_runs"),
        (("train.py", "other", "--metric", "m", "--param", "x=1,2"), "Unexpected argument 'other'"),
        (("show",), "no sweeps"),
    ],
)
def test_wrong_words_are_sentences(user, words, said):
    (user.here / "train.py").write_text(SCRIPT)
    user.types("init", "here")
    done = user.types("sweep", *words)
    assert done.code == 2 and said in done.err, done.err


def test_a_sweep_is_canceled_and_its_plan_starts_nothing(user):
    (user.here / "train.py").write_text("import time\ntime.sleep(3600)\n")
    words = ("sweep", "train.py", "--param", "x=1,2,3", "--metric", "m")
    planned = user.types(*words, "--plan")
    assert planned.code == 0 and "nothing was written" in planned.out
    assert "RANDOM over 3 points, at most 20 runs" in planned.out
    run_id = user.types(*words, "-j", 2, "--detach").out.strip()
    user.types("cancel", run_id)
    user.types("logs", run_id, "--follow")
    assert user.types("show", run_id, "--json").json["state"] == "Canceled"
    again = user.types("rerun", run_id)
    assert again.code == 2 and "is a sweep" in again.err


LOSS = """
import sys
from scriptrun import Run
Run.get_context().log("loss", float(sys.argv[2]))
"""


def test_the_goal_follows_from_the_name_of_the_metric(user):
    user.writes("t.py", LOSS)
    words = ["sweep", "t.py", "--param", "x=1,2", "--sampling", "grid", "--metric", "loss"]
    done = user.does(*words)
    assert "minimizing 'loss', as its name suggests; use --maximize" in done.err
    assert "(loss 1; " in done.err
    done = user.does(*words, "--maximize")
    assert "minimizing" not in done.err and "(loss 2; " in done.err
    assert user.types(*words, "--maximize", "--minimize").code == 2
    for metric, goal in (("accuracy", "maximize"), ("val_error", "minimize"), ("q", "maximize")):
        plan = user.does(*words[:-1], metric, "--plan")
        assert f"{goal} {metric}," in plan.out
        assert ("assuming 'q' is maximized" in plan.out) == (metric == "q")


def test_a_mistyped_metric_is_named_once(user):
    user.writes("t.py", LOSS)
    words = ["sweep", "t.py", "--param", "x=1,2,3", "--max-runs", "3", "--metric", "los"]
    failed = user.types(*words, "--jobs", "1")  # the first ends before the last starts
    assert failed.code == 1
    assert (failed.out + failed.err).count("did not log a number named 'los'") == 1
    assert user.does("sweep", "show").out.count("did not log a number named 'los'") == 1


def test_a_resumed_sweep_prints_only_what_is_new(user):
    user.writes("t.py", LOSS)
    grid = ["--param", "x=1,2,3", "--sampling", "grid", "--metric", "loss", "--max-runs", "2"]
    first = user.does("sweep", "t.py", *grid).out
    assert "_0: --x 1" in first and "_1: --x 2" in first
    resumed = user.does("sweep", "resume", "--max-runs", "3").out
    assert "_2: --x 3" in resumed and "--x 1" not in resumed and "_1 is" not in resumed


def test_runs_of_a_sweep_have_the_names_of_the_list(user):
    user.writes("train.py", SCRIPT)
    done = user.does(
        "sweep", "train.py", *SPACE, "--metric", "accuracy", "--max-runs", 2, "-n", "x"
    )
    shown = user.does("sweep", "show").out
    listed = user.does("list", "--children", "--columns", "name").out.split()[1:]
    assert sorted(listed) == ["x", "x_0", "x_1"]
    assert all(re.search(rf"^{n}  +x_{n} ", shown, re.M) for n in (0, 1)), shown
    (best,) = re.findall(r"best run: (\S+) \(accuracy ", done.err)
    assert best in listed and f" {best} (accuracy " in shown
    user.does("rename", "x_1", "the second")
    assert "the second" in user.does("sweep", "show").out
    user.does("archive", "x")
    assert "no sweeps that are neither archived nor removed" in user.types("sweep", "show").err
