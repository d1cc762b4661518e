"""Runs of this process that keep what it writes to a folder."""

from __future__ import annotations

import os

import pytest

from scriptrun import Experiment, Workspace
from scriptrun.core import interactive_run
from scriptrun.dropin.azureml.experiment import Experiment as OldExperiment


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Workspace.create("ws", path=tmp_path)


def test_what_is_written_to_the_named_folder_is_uploaded(workspace):
    os.mkdir("kept")
    (workspace.root / "kept" / "old.txt").write_text("before")
    run = Experiment(workspace, "x").start_logging(outputs="kept", snapshot_directory=None)
    assert isinstance(run, interactive_run.InteractiveRun)
    (workspace.root / "kept" / "sub").mkdir()
    (workspace.root / "kept" / "sub" / "new.txt").write_text("after")
    assert run.get_file_names() == []
    run.complete()
    assert run.get_file_names() == ["outputs/sub/new.txt"]


def test_a_file_that_is_replaced_by_one_of_the_same_size_and_time_is_uploaded(workspace):
    (workspace.root / "kept").mkdir()
    for name in ("old.txt", "same.txt"):
        (workspace.root / "kept" / name).write_text("before")
    times = os.stat("kept/old.txt")
    run = Experiment(workspace, "x").start_logging(outputs="kept", snapshot_directory=None)
    (workspace.root / "new").write_text("after_")
    os.replace("new", "kept/old.txt")
    os.utime("kept/old.txt", ns=(times.st_atime_ns, times.st_mtime_ns))
    run.complete()
    assert run.get_file_names() == ["outputs/old.txt"]


@pytest.mark.parametrize("kind", [Experiment, OldExperiment])
@pytest.mark.parametrize(
    ("given", "old_folder"), [({}, "outputs"), ({"outputs": False}, ""), ({"outputs": "a"}, "a")]
)
def test_only_azureml_names_watch_a_folder_without_being_told(workspace, kind, given, old_folder):
    folder = old_folder if kind is OldExperiment else given.get("outputs") or ""
    with kind(workspace, "x").start_logging(snapshot_directory=None, **given):
        assert [*filter(os.path.isdir, ("outputs", "a"))] == [*filter(None, [folder])]
