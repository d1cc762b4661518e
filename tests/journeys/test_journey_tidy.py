"""Somebody keeps a workspace tidy: names and describes runs, hides some, removes others."""

from __future__ import annotations

import pytest
from test_journey_terminal import Terminal

from scriptrun.runtime.injob.short_names import short_name

SCRIPT = """
import sys
from scriptrun import Run
run = Run.get_context()
alpha = float(sys.argv[1])
run.log("accuracy", alpha)
run.note = f"alpha was {alpha}"
open("outputs/model.txt", "w").write("weights")
if alpha > 0.5:
    raise ValueError("alpha is too large")
"""


@pytest.fixture
def trained(user):
    user.writes("train.py", SCRIPT)
    for name, alpha in (("low", 0.1), ("middle", 0.4), ("high", 0.9), ("higher", 1.0)):
        user.types("run", "-n", name, "train.py", "--", str(alpha))
    return {run["name"]: run["id"] for run in user.runs()}


def names(user, *words):
    return [run["name"] for run in user.does("list", "--json", *words).json["runs"]]


def test_the_failed_ones_of_today_are_removed_and_come_back(user, trained):
    query = "failed and submitted>=yesterday and submitted<now"
    plan = user.does("remove", "-q", query, "--dry-run").out
    assert plan.startswith("Would remove 2 runs:\n") and "ValueError: alpha is too large" in plan
    asked = user.types("remove", "-q", query)
    assert asked.code == 2 and "without confirmation, use --yes." in asked.err
    assert len(user.runs()) == 4
    done = user.does("remove", "-q", query, "--yes")
    assert done.out == (
        f"higher ({trained['higher']}): removed\nhigh ({trained['high']}): removed\n"
    )
    undo = f"scriptrun remove --undo {trained['higher']} {trained['high']}"
    assert (
        f"To undo, run: {undo}\nTheir files stay on the disk until: scriptrun prune\n" in done.err
    )
    assert names(user) == ["middle", "low"] and names(user, "--removed") == ["higher", "high"]
    assert [run["name"] for run in user.does("best", "accuracy", "--json").json["runs"]] == [
        "middle",
        "low",
    ]
    assert len(user.run_folders()) == 4, "their files are still there"
    user.does(*undo.split()[1:])
    assert names(user) == ["higher", "high", "middle", "low"]


@pytest.mark.parametrize(("answer", "left"), [(b"y\n", 2), (b"\n", 4), (b"\x04", 4)])
def test_a_terminal_is_asked(user, trained, answer, left):
    terminal = Terminal(user, "remove", "-q", "failed", COLUMNS="120")
    terminal.until(b"Remove 2 runs? [y/N] ")
    assert b"higher" in terminal.seen and b"high" in terminal.seen
    terminal.types(answer)
    assert terminal.ends() == (0 if left == 2 else 1)
    assert len(user.runs()) == left
    assert (b"Nothing removed." in terminal.seen) == (left == 4)


def test_notes_of_scripts_and_of_users(user, trained):
    assert user.does("note", "low").out == "alpha was 0.1\n"
    assert names(user, "note~'was 0.9'") == ["high"]
    user.does("note", "low", "--editor", VISUAL="sed -i 's/was/is/'")
    assert user.does("list", "note~is", "--columns", "name,note").out.split("\n")[1:] == [
        "low   alpha is 0.1",
        "",
    ]


def test_a_model_keeps_its_run(user, trained):
    user.does("model", "register", "digits", "--run", "middle", "outputs/model.txt")
    refused = user.types("remove", "middle")
    assert refused.code == 2
    assert "cannot be removed: model digits:1 came from it." in refused.err
    user.does("remove", "middle", "--force")
    assert f"{trained['middle']} (removed)" in user.does("model", "show", "digits").out
    assert user.does("lineage", "digits", "--json").json["run"]["removed"].endswith("Z")
    again = user.types(
        "model", "register", "digits", "--run", trained["middle"], "outputs/model.txt"
    )
    assert again.code == 2 and "was removed and cannot be the origin of a model" in again.err
    user.does("remove", "--undo", "middle")
    assert "removed" not in user.does("lineage", "digits").out


def test_an_active_run_is_neither_removed_nor_archived(user):
    user.writes("train.py", "import time\nprint('started', flush=True)\ntime.sleep(3600)\n")
    run = user.does("run", "-d", "train.py").out.strip()
    user.waits_for("Running", run)
    for command in ("remove", "archive"):
        refused = user.types(command, run)
        assert refused.code == 2 and f"To cancel it, run: scriptrun cancel {run}" in refused.err
        assert (
            user.does(command, "-q", "running").out
            == f"{short_name(run)} ({run}): skipped: it is active (Running)\n"
        )
    user.does("pin", run)
    user.does("tag", run, "while=running")
    user.does("cancel", run)
    user.waits_for("Canceled", run) if user.runs()[0]["state"] != "Canceled" else None
    assert user.runs()[0]["tags"] == {"while": "running"} and user.runs()[0]["pinned"]


def test_a_removed_sweep_is_not_resumed(user):
    user.writes("train.py", SCRIPT)
    sweep = ["sweep", "train.py", "--param", "alpha=0.1,0.2", "--metric", "accuracy"]
    user.writes(
        "train.py", SCRIPT.replace("float(sys.argv[1])", "float(sys.argv[-1].split('=')[-1])")
    )
    user.does(*sweep, "-n", "search")
    assert len(names(user, "--children")) == 3
    assert user.does("remove", "search").out.endswith(": removed (with 2 child runs)\n")
    assert user.runs() == [] and names(user, "--children") == []
    (removed,) = user.does("list", "--removed", "--json").json["runs"]
    for words in (["resume", removed["id"]], ["resume", removed["id"], "--max-runs", "5"]):
        refused = user.types("sweep", *words)
        assert refused.code == 2 and "was removed and cannot be" in refused.err, refused
    again = user.types(*sweep, "--resume-from", removed["id"])
    assert again.code == 2 and f"scriptrun remove --undo {removed['id']}" in again.err
    user.does("remove", "--undo", "search")
    assert len(names(user, "--children")) == 3


def test_completion_after_undo(user, trained):
    user.does("remove", "high")
    user.does("archive", "low")

    def completed(*words):
        return user.does("completion", "words", "--", *words).out.split()

    assert completed("remove", "--undo", "") == [trained["high"], "high"]
    assert completed("archive", "--undo", "") == [trained["low"], "low"]
    assert "middle" in completed("archive", "") and "low" not in completed("archive", "")
    assert {"--undo", "--query", "--json"} <= set(completed("pin", "--"))
    assert {"tag", "rename", "note", "archive", "pin", "remove"} <= set(completed(""))
    assert "middle" in completed("note", "") and "note" in completed("list", "")
