"""``azureml.tensorboard``: a real TensorBoard over the event files of real runs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from scriptrun import Experiment, ScriptRunConfig, Workspace
from scriptrun.dropin import finder
from scriptrun.dropin.azureml import tensorboard, tensorboard_export
from scriptrun.exceptions import UserErrorException

SCRIPT = """
import os, time
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
writer = EventFileWriter(os.environ["LOGS"])
def log(step):
    value = Summary.Value(tag="loss", simple_value=1.0 / step)
    writer.add_event(Event(step=step, summary=Summary(value=[value])))
    writer.flush()
log(1)
open("outputs/ready", "w").close()
while not os.path.exists(os.environ["GO"]):
    time.sleep(0.02)
log(2)
writer.close()
"""
WAIT = 120


@pytest.fixture(autouse=True)
def enabled():
    finder.enable()


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create("w", path=tmp_path / "ws")


@pytest.fixture
def board():
    """Makes Tensorboard objects, and stops them."""
    from azureml.tensorboard import Tensorboard

    made = []

    def make(*args, **kwargs):
        made.append(Tensorboard(*args, **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition):
    end = time.monotonic() + WAIT
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


def get(url):
    with urllib.request.urlopen(url, timeout=WAIT) as response:
        return json.load(response)


def scalars(url, run, tag):
    """The values of a metric, as TensorBoard serves them: step, value; None before it knows it."""
    if tag not in get(f"{url}data/plugin/scalars/tags").get(run, {}):
        return None
    points = get(f"{url}data/plugin/scalars/scalars?run={run.replace('/', '%2F')}&tag={tag}")
    return [(step, value) for _, step, value in points]


def training(workspace, folder, logs="logs"):
    """A run that writes an event, and a second one when ``folder/go`` is there."""
    source = folder / "source"
    source.mkdir()
    (source / "train.py").write_text(SCRIPT)
    config = ScriptRunConfig(str(source), "train.py")
    config.run_config.environment_variables = {"GO": str(folder / "go"), "LOGS": logs}
    config.run_config.environment.python.user_managed_dependencies = True
    config.run_config.environment.python.interpreter_path = sys.executable
    run = Experiment(workspace, "e").submit(config)
    wait_for(lambda: list(run.path.glob("work/outputs/ready")) or run.get_status() == "Failed")
    return run


def alive(group):
    """The processes of a process group that have not ended."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [row for row in rows if row[0] == str(group) and not row[1].startswith("Z")]


@pytest.mark.parametrize("logs", ["logs", "outputs/deep/er"])
def test_it_shows_a_run_while_it_runs(workspace, board, tmp_path, logs):
    run = training(workspace, tmp_path, logs)
    shown = board([run], local_root=str(tmp_path / "root"), port=free_port())
    url = shown.start()
    assert url == shown.start(), "it is started once"
    name = f"{run.id}/{logs}"
    try:
        wait_for(lambda: scalars(url, name, "loss") == [(1, 1.0)])
    finally:
        (tmp_path / "go").touch()
        run.wait_for_completion()
    wait_for(lambda: scalars(url, name, "loss") == [(1, 1.0), (2, 0.5)])
    files = list((tmp_path / "root" / run.id / logs).iterdir())
    originals = list((run.path / logs).glob("*tfevents*"))
    assert [file.read_bytes() for file in files] == [file.read_bytes() for file in originals]
    process = shown._process
    shown.stop()
    shown.stop()
    assert process.poll() is not None
    wait_for(lambda: not alive(process.pid))  # nor any process that it has started
    assert files[0].exists(), "a folder of the user's stays"


def test_a_taken_port_and_a_temporary_folder(workspace, board):
    run = Experiment(workspace, "e").start_logging(snapshot_directory=None, display_name="my/run")
    run.complete()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        shown = board(run, port=port, use_display_name=True)
        url = shown.start()
        assert int(url.rpartition(":")[2].strip("/")) > port
    assert url.startswith("http://localhost:")
    root = shown._root
    assert root.is_dir()
    shown.stop()
    assert not root.exists()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url)


def test_it_ends_with_the_process_that_started_it(tmp_path):
    code = (
        "import scriptrun.dropin\nfrom azureml.contrib.tensorboard import Tensorboard\n"
        f"shown = Tensorboard([], local_root={str(tmp_path)!r}, port={free_port()})\n"
        "shown.start()\nprint(shown._process.pid)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)


def test_metrics_are_exported(workspace, board, tmp_path):
    from azureml.tensorboard.export import export_to_tensorboard

    assert export_to_tensorboard is tensorboard_export.export_to_tensorboard
    experiment = Experiment(workspace, "e")
    run = experiment.start_logging(snapshot_directory=None)
    for value in (3, 1, 2):
        run.log("loss", value)
    run.log("at", 0.5, step=7)
    run.log_row("row", x=1, y=2)
    run.log_list("list", [4, 5])
    run.log("words", "no number")
    child = run.child_run()
    child.log("inner", 1)
    child.complete()
    run.complete()
    root = tmp_path / "exported"
    export_to_tensorboard(run, root)
    export_to_tensorboard([run], str(root))  # replaces the first
    export_to_tensorboard(experiment, tmp_path / "all", recursive=False)
    assert sorted(path.name for path in root.iterdir()) == sorted([run.id, child.id])
    assert [path.name for path in (tmp_path / "all").iterdir()] == [run.id]
    assert len(list((root / run.id).iterdir())) == 1
    url = board([], local_root=root, port=free_port()).start()
    wait_for(lambda: scalars(url, child.id, "inner") == [(0, 1.0)])
    for tag, points in {
        "loss": [(0, 3.0), (1, 1.0), (2, 2.0)],
        "at": [(7, 0.5)],
        "row/x": [(0, 1.0)],
        "row/y": [(0, 2.0)],
        "list": [(0, 4.0), (1, 5.0)],
        "words": None,
    }.items():
        assert scalars(url, run.id, tag) == points


def test_without_tensorboard_it_says_what_to_install(monkeypatch, tmp_path):
    from azureml.tensorboard import Tensorboard
    from azureml.tensorboard.export import export_to_tensorboard

    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorboard"]:
        sys.modules.pop(name)
    for call in (Tensorboard([]).start, lambda: export_to_tensorboard([], tmp_path)):
        with pytest.raises(UserErrorException, match="Run: pip install tensorboard"):
            call()


@pytest.mark.parametrize("wrong", ["run_1", None, 3, ["run_1"]])
def test_what_is_no_run_is_refused(wrong):
    with pytest.raises(UserErrorException, match="expects a list of runs"):
        tensorboard.Tensorboard(wrong)
