"""Where a workspace is, as its own file records it."""

from __future__ import annotations

import json
import shutil

import pytest

from scriptrun.registry import copies
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.tracking import run_state


@pytest.fixture
def home(tmp_path):
    return WorkspaceFiles.create("team", path=tmp_path / "home")


def facts_of(workspace):
    return json.loads((workspace.directory / copies.FILE).read_text())


def change(workspace, **facts):
    path = workspace.directory / copies.FILE
    path.write_text(json.dumps({**facts_of(workspace), **facts}))


def test_where_it_was_nothing_is_written(home):
    assert facts_of(home)["place"] == copies.place_of(home.root)
    before = (home.directory / copies.FILE).stat()
    assert WorkspaceFiles(home.root).id == home.id
    assert (home.directory / copies.FILE).stat().st_ino == before.st_ino


@pytest.mark.parametrize("place", [None, [], {}, {"path": 3}, "there"])
def test_one_of_an_earlier_version_or_with_a_damaged_place_gets_one(home, place):
    change(home, place=place)
    assert WorkspaceFiles(home.root).id == home.id
    assert facts_of(home)["place"] == copies.place_of(home.root)


def test_another_host_s_path_is_left_alone(home):
    there = {"host": "another-host", "path": "/mnt/of/another/host"}
    change(home, place=there)
    assert WorkspaceFiles(home.root).id == home.id
    assert facts_of(home)["place"] == there


def test_what_is_in_the_old_place_by_now_is_another_workspace(home, tmp_path):
    shutil.move(home.root, tmp_path / "moved")
    other = WorkspaceFiles.create("other", path=tmp_path / "home")
    assert WorkspaceFiles(tmp_path / "moved").id == home.id != other.id


def test_a_job_sees_its_workspace_under_the_id_that_it_has(home, tmp_path, monkeypatch):
    """As on a node that shares no files, where a part of the workspace is copied to."""
    shutil.copytree(home.root, tmp_path / "node")
    monkeypatch.setenv("SCRIPTRUN_WORKSPACE", str(tmp_path / "node"))
    folder = tmp_path / "node" / ".scriptrun" / "runs" / "2026-01-01" / "a_1"
    monkeypatch.setenv("SCRIPTRUN_RUN_FOLDER", str(folder))
    assert WorkspaceFiles(tmp_path / "node").id == home.id
    assert WorkspaceFiles.reopen(tmp_path / "node").id == home.id


def test_a_copy_says_what_it_is_a_copy_of(home, tmp_path):
    shutil.copytree(home.root, tmp_path / "copy")
    copy = WorkspaceFiles(tmp_path / "copy")
    expected = {"id": home.id, "path": str(home.directory.parent)}
    made = facts_of(copy)["copied_from"]
    assert made == {**expected, "time": made["time"]}
    assert not home.has_copied("2000-01-01T00:00:00.000000Z")
    assert copy.has_copied("2000-01-01T00:00:00.000000Z")
    assert not copy.has_copied("9000-01-01T00:00:00.000000Z")
    assert (copy.name, copy.id) == (home.name, facts_of(copy)["id"])


def test_runs_of_a_machine_whose_clock_is_ahead_came_with_the_copy_too(home, tmp_path):
    created = "2999-01-01T00:00:00.000000Z"
    folder = home.runs_folder / "2999-01-01" / "a_1"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({"created": created}))
    run_state.record_lost(folder, "test", "Canceled")
    shutil.copytree(home.root, tmp_path / "copy")
    assert WorkspaceFiles(tmp_path / "copy").has_copied(created)
    change(home, copied_from={"id": "0", "path": "/x"})
    assert WorkspaceFiles(home.root).has_copied(created), "made by an earlier version"
