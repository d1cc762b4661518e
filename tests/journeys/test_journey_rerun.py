"""A user reruns a run with other arguments, variables and so on, and sees what changed."""

from __future__ import annotations

import pytest

TRAIN = """
import argparse, os
from scriptrun import Run
parser = argparse.ArgumentParser()
parser.add_argument("data", nargs="?")
parser.add_argument("--alpha", type=float)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--fast", action=argparse.BooleanOptionalAction)
parser.add_argument("--token")
arguments = parser.parse_args()
run = Run.get_context()
run.log("accuracy", 1 - arguments.alpha)
print(arguments.alpha, arguments.seed, arguments.fast, arguments.data, os.environ.get("THREADS"))
"""


@pytest.fixture
def trained(user):
    user.writes("train.py", TRAIN)
    for alpha in ("0.3", "0.7"):
        user.does("run", "train.py", "--", "in.csv", "--alpha", alpha, "--fast")
    user.writes("train.py", "raise SystemExit('the source has changed')")
    return user


def job_of(user, run="latest"):
    return user.does("show", run, "--json").json


def test_the_best_with_another_seed(trained):
    _, original, _, name = trained.does("show", "best:accuracy").out.split()[:4]
    done = trained.does("rerun", "best:accuracy", "--", "--seed", "2")
    assert done.out == "0.3 2 True in.csv None\n"
    assert done.err.splitlines()[0] == "Changed: added --seed 2"
    shown = trained.does("show").out
    assert f"rerun of     {name} ({original})\n" in shown
    assert "train.py in.csv --alpha 0.3 --fast --seed 2\n" in shown
    difference = trained.does("diff", original, "latest").out
    assert "B is a rerun of A." in difference and "--seed 2" in difference
    head, row = trained.does("list", "params.seed=2").out.splitlines()
    assert row.split()[0] != original and "seed" in head.split()


def test_arguments_are_changed_in_place_removed_and_replaced(trained):
    done = trained.does("rerun", "--", "--alpha", "0.9", "--no-fast")
    assert done.out == "0.9 1 False in.csv None\n"
    assert "Changed: --alpha 0.7 -> --alpha 0.9; --fast -> --no-fast" in done.err
    done = trained.does("rerun", "--remove-arg", "--no-fast", "--", "--token=secret")
    assert done.out == "0.9 1 None in.csv None\n"
    assert "removed --no-fast; added --token=***" in done.err and "secret" not in done.err
    done = trained.does("rerun", "--replace-args", "--", "--alpha", "0.5")
    assert done.out == "0.5 1 None None None\n"
    done = trained.does("rerun", "--plan", "--", "--note", "", "--opt", '{"a": 1}')
    assert """added --note ''\n  added --opt '{"a": 1}'\n""" in done.out
    again = trained.does("rerun", "--", "--alpha", "0.5")
    assert "Changed" not in again.err


def test_other_things_change_too(trained):
    trained.does("compute", "add", "small", "--class", "Local", "--max-runs", "1")
    words = ["--compute", "small", "-e", "other", "-n", "mine", "--tag", "team=vision"]
    words += ["--env", "THREADS=4", "--set", "max_run_duration_seconds=60"]
    words += ["--set", "run_config.environment_variables.MORE=5"]
    done = trained.does("rerun", *words)
    assert done.out == "0.7 1 True in.csv 4\n"
    assert (
        "Changed: experiment project -> other; compute target local -> small; "
        "max_run_duration_seconds none -> 60; variables MORE, THREADS; tags team"
    ) in done.err
    shown = trained.does("show", "mine").out
    for word in ("experiment   other", "target       small", "team=vision", "MORE, THREADS"):
        assert word in shown
    again = trained.does("rerun", "mine", "-n", "again")
    assert again.out == done.out and "Changed" not in again.err


def test_more_nodes(trained):
    done = trained.does("rerun", "--set", "node_count=2")
    assert "Changed: nodes 1 -> 2" in done.err
    again = trained.does("rerun", "--", "--alpha", "0.2")
    assert "accuracy 0.8 (last of 2)" in again.err


def test_a_dry_run_starts_nothing(trained):
    before = trained.runs()
    done = trained.does("rerun", "--dry-run", "--", "--alpha", "0.9")
    assert "rerun of\n  " in done.out and "--alpha 0.7 -> --alpha 0.9" in done.out
    assert "python train.py in.csv --alpha 0.9 --fast" in done.out
    plan = trained.does("rerun", "--plan", "--json", "--", "--alpha", "0.9").json
    assert plan["run"]["arguments"] == ["in.csv", "--alpha", "0.9", "--fast"]
    assert list(plan["files"]) == ["train.py"]
    assert trained.runs() == before


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["--verify", "--", "--alpha", "1"], "--verify cannot be combined", "scriptrun diff"),
        (["--verify", "--env", "A=1"], "--verify cannot be combined", "scriptrun diff"),
        (["--", "0.9"], "'0.9' has no name", "--replace-args"),
        (["--remove-arg", "alhpa"], "no argument 'alhpa'", "Did you mean 'alpha'?"),
        (["--replace-args"], "needs the new arguments", "after --"),
        (["--set", "docker.use_docker=true"], "cannot change docker", "max_run_duration_seconds"),
        (["--set", "max_run_duration_seconds=-1"], "must be greater than 0", ""),
        (["--compute", "locla"], "'locla' not found", "Did you mean 'local'?"),
        (["-e", "no name"], "invalid experiment name", ""),
        (["--env", "NOT_SET_HERE"], "NOT_SET_HERE is not set", ""),
        (["--alpha", "0.9"], "argument '--alpha' for", "\n  To pass arguments to the script"),
        (["--partion", "x"], "Unexpected argument", "Did you mean '--partition'? To pass"),
    ],
)
def test_what_cannot_be_changed_is_refused(trained, words, message, hint):
    before = trained.runs()
    done = trained.types("rerun", *words)
    assert done.code == 2
    assert message in done.err and hint in done.err
    assert trained.runs() == before


def test_data_has_the_same_names(user):
    user.writes("data/a.txt", "a")
    user.writes("read.py", "import os, sys\nprint(sys.argv[1::2], sorted(os.listdir(sys.argv[2])))")
    user.does("run", "--input", "digits=data", "read.py", "--", "--data", "{digits}")
    done = user.does("rerun", "--", "--more", "{digits}", "--data={digits}")
    assert done.out == "['--data', '--more'] ['a.txt']\n"
    assert "added --more '$" in done.err


def test_a_command_line(user):
    user.writes("train.py", "import sys\nprint(sys.argv[1:])")
    user.does("run", "--command", "python train.py --name 'a b' --alpha 0.3")
    done = user.does("rerun", "--", "--alpha", "0.9", "--note", "x y")
    assert done.out == "['--name', 'a b', '--alpha', '0.9', '--note', 'x y']\n"
    user.does("run", "--command", "python train.py --alpha 0.3 && true")
    refused = user.types("rerun", "--", "--alpha", "0.9")
    assert refused.code == 2 and "pipes" in refused.err


def test_a_run_of_a_sweep(user):
    user.writes("train.py", TRAIN)
    words = ["--param", "alpha=0.3,0.7", "--metric", "accuracy", "--sampling", "grid"]
    user.does("sweep", "train.py", *words)
    done = user.does("rerun", "best:accuracy", "--", "--alpha", "0.1")
    assert done.out == "0.1 1 None None None\n"
    tags = job_of(user)["tags"]
    assert tags["alpha"] == "0.1" and tags["hyperparameters"] == '{"alpha": 0.1}'


def test_in_python(trained):
    trained.writes(
        "again.py",
        "from scriptrun import Run, Workspace\n"
        "run = Run.find(Workspace.from_config(), 'best:accuracy')\n"
        "again = run.rerun(['--alpha', 0.25], remove_arguments=['fast'], display_name='again',\n"
        "                  environment_variables={'THREADS': 4}, tags={'team': 'vision'})\n"
        "again.wait_for_completion()\n"
        "print(again.display_name, again.get_metrics(), again.job.rerun_of == run.id)\n",
    )
    done = trained.does("exec", "again.py")
    assert done.out.splitlines()[-1] == "again {'accuracy': 0.75} True"
    assert job_of(trained, "again")["tags"] == {"team": "vision"}
