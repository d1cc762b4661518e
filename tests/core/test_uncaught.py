"""A run of a process that an exception ends says which."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scriptrun import Experiment, Workspace
from scriptrun.core import uncaught

BEGINS = """
from scriptrun import Experiment, Workspace
experiment = Experiment(Workspace.from_config(), "x")
runs = [experiment.start_logging(snapshot_directory=None) for _ in range(2)]
runs[0].complete()
"""
FAILS = BEGINS + "raise ValueError('of the script\\nsecond line')"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Workspace.create("ws", path=tmp_path)


def ends(workspace):
    """(state, reason) of the runs, the oldest first."""
    runs = sorted(Experiment(workspace, "x").get_runs(), key=lambda run: run.job.created)
    return [(run.standing.state, run.standing.reason) for run in runs]


def python(*words):
    return subprocess.run([sys.executable, *words], capture_output=True, text=True)


def test_the_exception_of_a_script(workspace, tmp_path):
    (tmp_path / "train.py").write_text(FAILS)
    done = python("train.py")
    assert done.returncode == 1 and "ValueError: of the script" in done.stderr
    assert ends(workspace) == [("Completed", ""), ("Failed", "ValueError: of the script")]


@pytest.mark.parametrize("name", ["train.py", "train.ipynb"])
def test_the_exception_of_old_code_and_of_a_notebook_s_cell(workspace, tmp_path, name):
    if name.endswith(".ipynb"):
        nbformat = pytest.importorskip("nbformat")
        cells = [nbformat.v4.new_code_cell(code) for code in (BEGINS, "int('x')")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / name)
        cause = "ValueError: invalid literal for int() with base 10: 'x'"
    else:
        (tmp_path / name).write_text(FAILS)
        cause = "ValueError: of the script"
    done = python("-m", "scriptrun", "exec", name)
    assert done.returncode == 1 and cause in done.stderr
    assert ends(workspace) == [("Completed", ""), ("Failed", cause)]


def test_a_secret_in_the_exception_is_masked(workspace, tmp_path):
    workspace.get_default_keyvault().set_secret("token", "s3cr3t-value")
    reads = "value = runs[1].get_secret('token')\nraise ValueError('refused: ' + value)"
    (tmp_path / "train.py").write_text(f"{BEGINS}{reads}\n")
    assert python("train.py").returncode == 1
    assert ends(workspace)[1] == ("Failed", "ValueError: refused: ************")


def test_without_an_exception_the_run_says_that_nothing_ended_it(workspace, tmp_path):
    (tmp_path / "train.py").write_text(BEGINS)
    python("train.py")
    assert "neither complete() nor fail() was called" in ends(workspace)[1][1]


def test_the_hook_before_is_called(workspace, monkeypatch):
    seen = []
    monkeypatch.setattr(uncaught, "_begun", [])
    monkeypatch.setattr(sys, "excepthook", lambda *what: seen.append(what))
    uncaught.watch(workspace.root / "missing")
    hook = sys.excepthook
    uncaught.watch(workspace.root / "missing too")
    assert sys.excepthook is hook
    error = ValueError("x")
    sys.excepthook(ValueError, error, None)
    assert seen == [(ValueError, error, None)]
