"""A user asks which run was the best, which one failed, and what differs between them."""

from __future__ import annotations

import signal

import pytest
from test_journey_terminal import Terminal

TRAIN = """
import argparse
from scriptrun import Run
parser = argparse.ArgumentParser()
parser.add_argument("--alpha", type=float)
parser.add_argument("--model", default="tree")
arguments = parser.parse_args()
run = Run.get_context()
for step in range(3):
    run.log("val/loss", arguments.alpha / (step + 1), step=step)
if arguments.alpha > 0.8:
    raise ValueError("alpha is too high")
run.log("accuracy", 1 - arguments.alpha)
"""
SLOW = """
import os, time
from scriptrun import Run
run = Run.get_context()
run.log("loss", 0.25)
run.log("loss", 0.125)
while not os.path.exists(os.environ["GO"]):
    time.sleep(0.02)
"""


@pytest.fixture
def trained(user):
    user.writes("train.py", TRAIN)
    for alpha in ("0.1", "0.3", "0.9"):
        user.types("run", "-n", f"alpha-{alpha}", "train.py", "--", "--alpha", alpha)
    return user


def named(table):
    return [line.split()[1] for line in table.splitlines()[1:]]


def test_one_command_for_each_question(trained):
    assert named(trained.does("list", "alpha=0.3").out) == ["alpha-0.3"]
    assert named(trained.does("list", "failed and submitted>-1d").out) == ["alpha-0.9"]
    assert named(trained.does("best", "accuracy", "submitted>-7d").out) == [
        "alpha-0.1",
        "alpha-0.3",
    ]
    head, *rows = trained.does("list", "--sort", "-val/loss").out.splitlines()
    assert {"alpha", "val/loss"} <= set(head.split())
    assert rows[0].split()[1] == "alpha-0.9"
    grouped = trained.does("list", "--group-by", "state").out
    assert "2 Completed" in grouped and "1 Failed" in grouped
    (row,) = trained.does("list", "params.alpha=0.1", "--json").json["runs"]
    assert (row["params"], row["metrics"]["accuracy"]) == ({"alpha": 0.1}, 0.9)


def test_a_query_that_is_wrong(trained):
    done = trained.types("list", "params.alpah>1 and state=don")
    assert done.code == 2
    assert "'alpha'" in done.err and "'don'" in done.err
    marked, carets = done.err.splitlines()[1:3]
    for word in ("params.alpah", "don"):
        place = marked.index(word)
        assert carets[place : place + len(word)] == "^" * len(word)


def test_from_python(trained):
    trained.writes(
        "ask.py",
        "from scriptrun import Workspace\n"
        "runs = Workspace.from_config().runs('metrics.val/loss<0.2', sort='alpha')\n"
        "print([run.display_name for run in runs], list(runs.to_pandas()['params.alpha']))\n",
    )
    assert trained.does("exec", "ask.py").out == "['alpha-0.1', 'alpha-0.3'] [0.1, 0.3]\n"


def test_watching_until_all_have_ended(user, tmp_path):
    user.writes("slow.py", SLOW)
    go = tmp_path / "go"
    user.does("run", "-d", "slow.py", "--env", f"GO={go}")
    terminal = Terminal(user, "list", "--watch", NO_COLOR="1")
    terminal.until(b"0.125")
    assert b"Running" in terminal.seen
    go.touch()
    assert terminal.ends() == 0
    assert b"Completed" in terminal.seen


def test_watching_ends_with_an_interrupt(user, tmp_path):
    user.writes("slow.py", SLOW)
    user.does("run", "-d", "slow.py", "--env", f"GO={tmp_path / 'go'}")
    terminal = Terminal(user, "list", "--watch")
    terminal.until(b"slow.py")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.ends() == 0
    assert user.runs()[0]["state"] == "Running"
    user.does("cancel")
