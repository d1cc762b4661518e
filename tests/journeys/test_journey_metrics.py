"""Looking at a run's metrics, and at why it failed."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys

from scriptrun.testing.jobs import until

CURVES = """
import sys
from scriptrun import Run
run = Run.get_context()
rate = float(sys.argv[1])
for step in range(50):
    run.log("loss", (1 - rate) ** step, step=step)
    run.log("accuracy", 1 - (1 - rate) ** step)
run.log("rate", rate)
run.log("odd", float("nan"))
run.log_row("roc", fpr=0.1, tpr=0.5)
"""


def trained(user, name, rate):
    user.writes("train.py", CURVES)
    user.does("run", "--name", name, "train.py", "--", rate)
    return name


def test_a_table_of_the_metrics(user):
    trained(user, "one", 0.1)
    out = user.does("metrics", "one").out
    loss = next(line for line in out.splitlines() if line.startswith("loss"))
    assert "▁" in loss and "1 (step 0)" in loss and "(step 49)" in loss and loss.endswith("50")
    shown = user.does("show", "one")
    assert loss.strip() in shown.out
    plain = user.does("metrics", "one", PYTHONIOENCODING="ascii").out
    assert plain.isascii() and "step 49" in plain
    summaries = user.does("show", "one", "--json").json["metric_summaries"]
    assert summaries["loss"]["max_step"] == 0 and summaries["loss"]["count"] == 50
    names = [row["name"] for row in user.does("metrics", "one", "--json").json["metrics"]]
    assert names == ["loss", "accuracy", "rate", "odd", "roc"]
    rows = list(csv.DictReader(io.StringIO(user.does("metrics", "one", "--csv").out)))
    assert rows[0]["min_step"] == "49" and rows[2]["last"] == "0.1"


def test_the_values_of_a_metric(user):
    run = trained(user, "one", 0.5)
    done = user.does("metrics", run, "loss")
    assert done.out.split()[:4] == ["STEP", "TIME", "(UTC)", "VALUE"]
    assert "Showing 40 of 50 values. Use --csv or --json for all." in done.err
    rows = list(csv.DictReader(io.StringIO(user.does("metrics", run, "loss", "--csv").out)))
    assert len(rows) == 50 and (rows[1]["step"], rows[1]["value"]) == ("1", "0.5")
    (value,) = user.does("metrics", run, "rate", "--json").json["metrics"]
    assert value["name"] == "rate" and value["values"][0]["value"] == 0.5
    assert "fpr=0.1, tpr=0.5" in user.does("metrics", run, "roc").out
    assert user.does("metrics", "rate", "loss").out == user.does("metrics", run, "rate", "loss").out
    assert "not found" in user.types("metrics", "los").err
    wrong = user.types("metrics", run, "los")
    assert wrong.code == 2 and "Did you mean 'loss'?" in wrong.err


def test_plots_of_one_run_and_of_two(user):
    trained(user, "slow", 0.05)
    trained(user, "fast", 0.5)
    out = user.does("metrics", "slow", "loss", "--plot").out
    assert out.startswith("loss\n") and any("⠀" < letter < "⣿" for letter in out)
    both = user.does("metrics", "slow", "loss", "accuracy", "--plot", "--with", "fast").out
    assert both.count("  * slow") == both.count("  + fast") == 2
    every = user.does("metrics", "slow", "--plot").out
    assert "accuracy\n" in every and "rate\n" not in every
    assert "no finite numbers to plot" in user.does("metrics", "slow", "odd", "--plot").out
    table = user.does("metrics", "slow", "--with", "fast").out.splitlines()
    assert [line.split()[:2] for line in table[1:3]] == [["loss", "slow"], ["loss", "fast"]]


def test_the_runs_of_a_sweep(user):
    user.writes("train.py", CURVES.replace("sys.argv[1]", "sys.argv[2]"))
    rates = ",".join(f"0.{n}" for n in range(1, 10))
    argv = ["--name", "tune", "train.py", "--param", f"rate={rates}", "--metric", "loss"]
    user.does("sweep", *argv, "--minimize")
    plot = user.does("metrics", "tune", "loss", "--plot")
    assert plot.out.count("  * tune_0") == 1 and "tune_7" in plot.out
    assert "Plotting 8 of 9 runs." in plot.err
    assert len({row["run"] for row in user.does("metrics", "tune", "--json").json["metrics"]}) == 9
    assert "metrics (*: best)" in user.does("show", "tune_0").out


def test_a_run_without_metrics(user):
    user.writes("train.py", "pass")
    user.does("run", "train.py")
    assert user.does("metrics").out.endswith("logged no metrics.\n")
    assert user.does("metrics", "--json").json["metrics"] == []
    assert "Nothing to plot" in user.types("metrics", "--plot").err


FAILS = """
import helper
helper.load("x")
"""


def test_a_failed_run_says_why_first(user):
    user.writes("src/train.py", FAILS)
    helper = user.writes("src/helper.py", "def load(text):\n    return float(text)\n")
    done = user.types("run", "src/train.py")
    assert done.code == 1
    cause = "ValueError: could not convert string to float: 'x'"
    assert f"\n  {cause}\n  at {helper}:2\n" in done.err
    (row,) = user.runs()
    assert row["reason"] == cause
    assert cause in user.does("list").out
    record = user.does("show", "--json").json
    shown = user.does("show").out
    assert shown.startswith(f"Failed: {cause}\n\nlast lines of its log\n")
    assert (
        f'File "{helper}", line 2, in load' in shown
        and record["folder"] not in shown.partition("\nrun ")[0]
    )
    assert record["reason"] == record["details"]["error"]["error"]["message"] == cause
    assert record["last_lines"][-1] == cause and record["exit_code"] == 1

    helper.write_text("# changed\n" + helper.read_text())
    shown = user.does("show").out
    assert str(helper) not in shown
    copy = next(word for word in shown.split('"') if word.endswith("helper.py"))
    assert os.path.dirname(copy) != str(helper.parent)
    with open(copy) as file:
        assert file.read() == "def load(text):\n    return float(text)\n"


def test_a_command_that_fails_says_its_last_line(user):
    line = f"{sys.executable} -c 'import sys; sys.exit(\"no data in /x\")'"
    user.types("run", "--command", line)
    assert user.runs()[0]["reason"] == "the command exited with code 1: no data in /x"


def test_a_secret_in_an_exception_is_masked(user):
    user.writes(
        "train.py",
        "from scriptrun import Run\n"
        "value = Run.get_context().get_secret('token')\n"
        "raise ValueError('refused: ' + value)\n",
    )
    argv = user.argv("secret", "set", "token")
    secret = "s3cr3t-value"
    subprocess.run(
        argv,
        cwd=user.here,
        env=user.environ,
        input=secret.encode(),
        check=True,
        stdout=subprocess.PIPE,
    )
    done = user.types("run", "train.py")
    assert "ValueError: refused: ************" in done.err
    assert secret not in json.dumps(user.does("show", "--json").json) + user.does("show").out


def test_a_queued_run_says_its_position_and_who_holds_the_slots(user, tmp_path):
    user.writes(
        "wait.py", "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.05)"
    )
    user.does("compute", "set", "local", "--max-runs", 1)
    go = tmp_path / "go"
    first, second, third = (
        user.does("run", "--detach", "wait.py", "--", go).out.strip() for _ in range(3)
    )

    def reasons():
        found = [user.does("show", run, "--json").json.get("reason", "") for run in (second, third)]
        return found if first in found[0] and first in found[1] else None

    assert until(reasons, "no reasons") == [
        f"position 1 of 2 in the queue: waits for a free slot; in use by {first}",
        "position 2 of 2 in the queue: waits for the runs queued before it; the first waits for a "
        f"free slot; in use by {first}",
    ]
    go.touch()
    user.waits_for("Completed", third)
