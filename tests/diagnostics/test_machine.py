"""What is said of this machine where a part of it is missing or cannot be used."""

from __future__ import annotations

import pytest

from scriptrun.core.workspace import Workspace
from scriptrun.diagnostics import machine
from scriptrun.engines.local import slots
from scriptrun.engines.local.engine import Local
from scriptrun.registry import compute_targets
from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.store import paths


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create("w", path=tmp_path / "w")


def found(workspace, python):
    listed = list(machine.checks(workspace, python))
    assert len({check.name for check in listed}) == len(listed)
    return {check.name: check for check in listed}


def script(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("text", ["exit 3", "echo nothing of use", "kill -9 $$"])
def test_a_python_that_is_none_is_bad_and_the_other_checks_go_on(workspace, tmp_path, text):
    checks = found(workspace, script(tmp_path, "python3", text))
    assert checks["jobs' python"].verdict == "bad" and checks["jobs' python"].message
    assert checks["workspace"].verdict == checks["queue"].verdict == "ok"
    assert checks["python"].verdict == "ok"


def test_a_cache_that_cannot_be_written_is_bad_with_what_to_set(workspace, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(tmp_path / "file" / "below"))
    bad = [each for each in machine.machine_checks(workspace) if each.verdict == "bad"]
    assert [each.name for each in bad] == ["cache"]
    assert str(tmp_path / "file") in bad[0].message


def test_without_git_runs_go_on_without_commits(workspace, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    checks = found(workspace, "/usr/bin/python3")
    assert (checks["git"].verdict, checks["git"].hint) == ("warning", "Install git.")


def test_a_workspace_that_is_not_there_yet_is_made_by_the_first_run(tmp_path):
    home = WorkspaceFiles.to_be(tmp_path)
    checks = {check.name: check for check in machine.machine_checks(home)}
    assert checks["workspace"].verdict == "ok" and str(tmp_path) in checks["workspace"].message
    assert list(tmp_path.iterdir()) == []


def test_slots_that_are_all_taken_are_no_fault(workspace):
    compute_targets.put(workspace, Local(name="one", max_runs=2))
    compute_targets.set_default(workspace, "one")
    held = []
    while (slot := slots.take(paths.slots_root(), 2)) is not None:
        held.append(slot)
    full = {check.name: check for check in machine.machine_checks(workspace)}["slots"]
    for slot in held:
        slot.close()
    free = {check.name: check for check in machine.machine_checks(workspace)}["slots"]
    assert len(held) == 2 and full.verdict == free.verdict == "ok"
    assert "queued" in full.message and "queued" not in free.message
