"""Every example is submitted by its own submit.py, in a copy of its folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def submit(name: str, place: Path, **variables: str) -> str:
    """What ``submit.py`` of the example prints, run in a copy of it below ``place``."""
    copy = place / name
    shutil.copytree(
        EXAMPLES / name, copy, ignore=shutil.ignore_patterns(".scriptrun", "__pycache__")
    )
    done = subprocess.run(
        [sys.executable, "submit.py"],
        cwd=copy,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def recorded(copy: Path) -> tuple[dict, dict, list[str]]:
    """The one run's record in a copy's workspace: its result, its metrics, its artifacts."""
    from scriptrun import Workspace

    workspace = Workspace(copy)
    (experiment,) = workspace.experiments.values()
    (run,) = experiment.get_runs()
    (result,) = workspace.runs_folder.glob(f"*/{run.id}/attempts/1/result.json")
    return json.loads(result.read_text("utf-8")), run.get_metrics(), run.get_file_names()


def given(variable: str, what: str) -> str:
    """The interpreter that ``variable`` names; a test that needs it is skipped without one."""
    if variable not in os.environ:
        pytest.skip(f"{variable} names no interpreter that has {what}")
    return os.environ[variable]


def test_hello(tmp_path):
    shown = submit("hello", tmp_path)
    result, metrics, files = recorded(tmp_path / "hello")
    assert result["state"] == "Completed"
    assert metrics["square"] == [1, 4, 9, 16, 25]
    assert "outputs/hello.txt" in files
    assert "Good morning from run" in shown


@pytest.mark.slow
@pytest.mark.network
def test_sklearn_digits(tmp_path):
    shown = submit("sklearn-digits", tmp_path)
    copy = tmp_path / "sklearn-digits"
    result, metrics, files = recorded(copy)
    assert result["state"] == "Completed"
    assert metrics["alpha"] == 0.5
    assert len(metrics["accuracy"]) == 20
    assert metrics["accuracy"][-1] > 0.9
    assert len(metrics["digits"]["data"]["matrix"]) == 10
    assert "outputs/model.pkl" in files
    assert (copy / "model.pkl").stat().st_size > 10_000
    assert "Hello - training with alpha 0.5" in shown


@pytest.mark.slow
@pytest.mark.needs_torch
def test_pytorch(tmp_path):
    python = given("SCRIPTRUN_TEST_TORCH_PYTHON", "PyTorch")
    submit("pytorch-cpu", tmp_path, EXAMPLE_PYTHON=python)
    result, metrics, files = recorded(tmp_path / "pytorch-cpu")
    assert result["state"] == "Completed"
    assert metrics["accuracy"][-1] > 0.85
    assert "outputs/model.pt" in files


@pytest.mark.slow
@pytest.mark.needs_tensorflow
def test_tensorflow(tmp_path):
    python = given("SCRIPTRUN_TEST_TF_PYTHON", "TensorFlow")
    submit("tensorflow-cpu", tmp_path, EXAMPLE_PYTHON=python)
    result, metrics, files = recorded(tmp_path / "tensorflow-cpu")
    assert result["state"] == "Completed"
    assert metrics["accuracy"][-1] > 0.8
    assert "outputs/model.keras" in files
