"""A script that logs with mlflow needs no set-up: its metrics and artifacts are the run's."""

import pytest

from scriptrun import Environment, Experiment, ScriptRunConfig, Workspace

SCRIPT = """
import mlflow
from scriptrun import Run

Run.get_context().log("ours", 1)
with mlflow.start_run():
    for step in range(3):
        mlflow.log_metric("accuracy", 0.5 + step / 10, step=step)
    mlflow.log_text("kept", "notes/kept.txt")
"""


@pytest.mark.slow
@pytest.mark.network
def test_mlflow_logs_to_the_run(tmp_path):
    ws = Workspace.create("w", path=tmp_path / "home")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(SCRIPT)
    env = Environment("with-mlflow")
    env.python.conda_dependencies.add_pip_package("mlflow-skinny")
    config = ScriptRunConfig(tmp_path / "src", "train.py", environment=env)
    run = Experiment(ws, "e").submit(config)
    run.wait_for_completion()
    assert run.get_metrics() == {"ours": 1, "accuracy": [0.5, 0.6, 0.7]}
    assert "notes/kept.txt" in run.get_file_names()
    run.download_file("notes/kept.txt", str(tmp_path / "kept.txt"))
    assert (tmp_path / "kept.txt").read_text() == "kept"
