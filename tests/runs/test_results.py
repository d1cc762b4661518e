"""What is said of results that are still to come."""

from __future__ import annotations

import json
import pickle

import pytest

from scriptrun import Experiment, ScriptRunConfig, Workspace
from scriptrun.runs import results
from scriptrun.spec.errors import UserErrorException

WAITING = """
import os, time
from scriptrun import Run

run = Run.get_context()
run.log("seen", 1)
run.flush()
while not os.path.exists({gate!r}):
    time.sleep(0.05)
os.makedirs("outputs", exist_ok=True)
open("outputs/model.bin", "w").close()
run.log("accuracy", 0.5)
"""


@pytest.fixture
def started(tmp_path):
    """A run that waits for the file ``gate``, and that file."""
    workspace = Workspace.create("w", path=tmp_path / "home")
    source, gate = tmp_path / "src", tmp_path / "gate"
    source.mkdir()
    (source / "train.py").write_text(WAITING.format(gate=str(gate)))
    run = Experiment(workspace, "e").submit(ScriptRunConfig(source, "train.py"))
    yield run, gate
    gate.touch()
    run.wait_for_completion(raise_on_error=False)


def test_what_an_active_run_lacks_is_told_with_its_state(started, tmp_path):
    run, gate = started
    for ask in (
        lambda: run.get_metrics()["accuracy"],
        lambda: run.download_file("outputs/model.bin", str(tmp_path / "got")),
        lambda: run.register_model("m", "outputs/model.bin"),
    ):
        with pytest.raises(UserErrorException) as caught:
            ask()
        text = str(caught.value)
        assert f"Run '{run.id}' is " in text and "wait_for_completion" in text
    gate.touch()
    run.wait_for_completion()
    assert run.get_metrics()["accuracy"] == 0.5
    run.download_file("outputs/model.bin", str(tmp_path / "got"))
    with pytest.raises(KeyError, match=r"^'loss'$"):
        run.get_metrics()["loss"]
    with pytest.raises(UserErrorException, match="no artifact"):
        run.download_file("outputs/other.bin", str(tmp_path / "got"))


def test_metrics_are_a_plain_dict_to_everyone_else():
    metrics = results.Metrics(None, {"a": 1})
    assert metrics == {"a": 1} and metrics.get("b") is None and repr(metrics) == "{'a': 1}"
    assert json.dumps(metrics) == '{"a": 1}'
    assert type(pickle.loads(pickle.dumps(metrics))) is dict
