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


@pytest.mark.parametrize("kind", [Experiment, OldExperiment])
@pytest.mark.parametrize(
    ("given", "old_folder"), [({}, "outputs"), ({"outputs": False}, ""), ({"outputs": "a"}, "a")]
)
def test_only_azureml_names_watch_a_folder_without_being_told(workspace, kind, given, old_folder):
    folder = old_folder if kind is OldExperiment else given.get("outputs") or ""
    with kind(workspace, "x").start_logging(snapshot_directory=None, **given):
        assert [*filter(os.path.isdir, ("outputs", "a"))] == [*filter(None, [folder])]
