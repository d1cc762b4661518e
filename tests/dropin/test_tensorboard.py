"""TensorBoard on real runs: their event files while they run, and recorded metrics as events."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from scriptrun import Experiment, ScriptRunConfig, Workspace
from scriptrun.dropin import finder
from scriptrun.dropin.tensorboard import board as boards
from scriptrun.dropin.tensorboard import export
from scriptrun.runtime import identity
from scriptrun.spec.errors import UserErrorException
from scriptrun.testing.jobs import PATIENCE

event_accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is missing"
)

WRITES = """
import os, time
os.makedirs("logs", exist_ok=True)
path = "logs/events.out.tfevents.1.host"
open(path, "wb").write(b"first")
while not os.path.exists({gate!r}):
    time.sleep(0.05)
open(path, "ab").write(b"second")
"""
LOGS = """
from azureml.core import Run
run = Run.get_context()
run.log("loss", 0.5)
run.log("loss", 0.25)
run.log_list("sizes", [1, 2, 3])
run.log_table("curve", {"x": [1, 2], "y": [0.1, 0.2]})
run.log("note", "good")
"""


@pytest.fixture
def names():
    finder.enable()
    from azureml.tensorboard import Tensorboard
    from azureml.tensorboard.export import export_to_tensorboard

    return Tensorboard, export_to_tensorboard


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create("w", path=tmp_path / "w")


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the condition has not come true"
        time.sleep(0.05)


def submit(workspace, tmp_path: Path, text: str):
    source = tmp_path / "src"
    source.mkdir(exist_ok=True)
    (source / "train.py").write_text(text)
    return Experiment(workspace, "e").submit(ScriptRunConfig(str(source), "train.py"))


def test_event_files_of_a_running_job_are_kept_fresh_and_served(names, workspace, tmp_path):
    gate = tmp_path / "go"
    run = submit(workspace, tmp_path, WRITES.format(gate=str(gate)))
    board = names[0]([run], local_root=tmp_path / "board", port=0)
    copied = tmp_path / "board" / run.id / "logs" / "events.out.tfevents.1.host"
    try:
        url = board.start()
        assert url == board.start()  # a second call starts nothing
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            assert answer.status == 200
        wait_until(lambda: copied.is_file() and copied.read_bytes() == b"first")
        gate.touch()
        wait_until(lambda: copied.read_bytes() == b"firstsecond")
    finally:
        gate.touch()
        board.stop()
        run.wait_for_completion()
    board.stop()  # does nothing
    with pytest.raises(OSError):
        urllib.request.urlopen(url, timeout=PATIENCE)


STARTS = """
import sys, time
from pathlib import Path
from scriptrun import Workspace
from scriptrun.dropin.tensorboard.board import Tensorboard
run = Workspace.create("w", path=sys.argv[1], exist_ok=True).get_run(sys.argv[2])
board = Tensorboard([run], local_root=sys.argv[3], port=0)
board.start()
print(board._process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def ended(workspace, tmp_path):
    """A run that has written event files."""
    gate = tmp_path / "go"
    gate.touch()
    run = submit(workspace, tmp_path, WRITES.format(gate=str(gate)))
    run.wait_for_completion()
    return run


def test_a_board_ends_with_its_process_also_if_that_is_killed(ended, workspace, tmp_path):
    argv = [sys.executable, "-c", STARTS, workspace.root, ended.id, tmp_path / "board"]
    owner = subprocess.Popen(list(map(str, argv)), stdout=subprocess.PIPE, text=True)
    try:
        lines = [owner.stdout.readline() for _ in range(2)]  # the URL, and the process
        board = int(lines[1])
        known = identity.identify(board)
        assert identity.is_alive(known)
    finally:
        owner.kill()
        owner.communicate()
    wait_until(lambda: not identity.is_alive(known))


def test_a_board_that_died_is_started_again(names, ended, tmp_path):
    board = names[0]([ended], local_root=tmp_path / "board", port=0)
    try:
        board.start()
        first = board._process
        assert os.getsid(first.pid) == first.pid  # Ctrl-C does not reach it
        first.kill()
        first.wait()
        with urllib.request.urlopen(board.start(), timeout=PATIENCE) as answer:
            assert answer.status == 200
        assert board._process is not first
    finally:
        board.stop()


def test_a_board_that_does_not_start_leaves_no_folder(names, ended, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    broken = tmp_path / "broken" / "tensorboard"
    broken.mkdir(parents=True)
    (broken / "__init__.py").touch()
    (broken / "main.py").write_text("raise SystemExit('no such luck')")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    board = names[0]([ended], port=0)
    with pytest.raises(UserErrorException, match="did not start: no such luck"):
        board.start()
    assert list((tmp_path / "temporary").iterdir()) == []
    board.stop()


@pytest.mark.parametrize("shown", ["..", "../up", "a/b", "", "."])
def test_display_names_are_folders_of_their_own(names, tmp_path, shown):
    runs = [SimpleNamespace(display_name=shown, id="r_1", get_file_names=list),
            SimpleNamespace(display_name=shown, id="r_2", get_file_names=list)]  # fmt: skip
    one, two = names[0](runs, use_display_name=True)._names()
    assert one != two
    for name in (one, two, *names[0](runs[:1], use_display_name=True)._names()):
        assert name and (tmp_path / name).resolve().parent == tmp_path.resolve()
        assert "/" not in name


def test_a_port_that_is_taken_gives_the_next_free_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert boards._free_port(port) > port


def test_metrics_are_exported_as_events(names, workspace, tmp_path):
    run = submit(workspace, tmp_path, LOGS)
    run.wait_for_completion()
    names[1](run, tmp_path / "events")
    events = event_accumulator.EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    loss = [(each.step, each.value) for each in events.Scalars("loss")]
    assert loss == [(0, 0.5), (1, 0.25)]
    assert [each.value for each in events.Scalars("sizes")] == [1, 2, 3]
    assert [each.value for each in events.Scalars("curve/x")] == [1, 2]
    assert events.Tensors("note")[0].tensor_proto.string_val[0] == b"good"


def test_the_names_are_those_of_azureml(names):
    assert names == (boards.Tensorboard, export.export_to_tensorboard)


def test_a_board_needs_runs(names):
    with pytest.raises(UserErrorException, match="No runs given"):
        names[0]([])
