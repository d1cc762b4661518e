"""A workspace that was copied, restored, moved or mounted elsewhere while its runs wait and run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from machine import lacking

from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.engines.local import slots
from scriptrun.engines.local.engine import Local
from scriptrun.queue import tickets, workers
from scriptrun.registry import copies
from scriptrun.runs import find
from scriptrun.store import paths
from scriptrun.store.locks import flocks
from scriptrun.testing.jobs import Bench, until, wait

pytestmark = [pytest.mark.faults]

SCRIPT = """
import os, sys, time
open(sys.argv[1] + ".began", "a").write(os.environ["SCRIPTRUN_RUN_FOLDER"] + "\\n")
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
"""


@pytest.fixture
def bench(tmp_path):
    (tmp_path / "home").mkdir()
    return Bench(tmp_path / "home", Local(max_runs=1))


@pytest.fixture
def busy(bench, tmp_path):
    """One run that has ended, one that runs until the file ``go`` is there, and one that waits."""
    ended = bench.run("pass")
    running = bench.submit(SCRIPT, [str(tmp_path / "go")])
    until((tmp_path / "go.began").exists)
    waiting = bench.submit(SCRIPT, [str(tmp_path / "go")])
    return ended, running, waiting


def copied(bench, tmp_path, name="copy"):
    shutil.copytree(bench.root, tmp_path / name, symlinks=True)
    return tmp_path / name


def states(root):
    return {row.id: row.state for row in find.rows(Workspace(root))}


def test_a_copy_has_a_queue_of_its_own_and_starts_and_signals_nothing(
    bench, busy, tmp_path, capsys
):
    ended, running, waiting = busy
    copy = Workspace(copied(bench, tmp_path))
    assert copy.id != bench.workspace.id and Workspace(copy.root).id == copy.id
    assert f"is a copy of the one in {bench.root}" in capsys.readouterr().err
    assert states(copy.root) == {
        ended.id: "Completed",
        running.id: "Canceled",
        waiting.id: "Canceled",
    }
    for run in (running, waiting):
        reason = Run.get(copy, run.id).standing.reason
        assert reason.startswith(f"the workspace was copied from {bench.root}")
        Run.get(copy, run.id).clean()
    assert states(bench.root)[running.id] == "Running"
    (tmp_path / "go").touch()
    assert [wait(run) for run in (running, waiting)] == ["Completed"] * 2
    began = (tmp_path / "go.began").read_text().splitlines()
    assert began == [str(running.path), str(waiting.path)], "a run was started elsewhere, or twice"
    assert Workspace(bench.root).id == bench.workspace.id
    assert wait(Bench(copy.root, Local(max_runs=1)).submit("pass")) == "Completed"


def test_a_copy_of_a_copy_and_a_copy_that_is_only_read(bench, tmp_path):
    first = Workspace(copied(bench, tmp_path, "first"))
    shutil.copytree(first.root, tmp_path / "second")
    second = Workspace(tmp_path / "second")
    assert len({bench.workspace.id, first.id, second.id}) == 3
    shutil.rmtree(tmp_path / "second")
    shutil.copytree(bench.root, tmp_path / "second")
    again = Workspace(tmp_path / "second")
    assert again.id not in (bench.workspace.id, first.id)


def test_processes_that_open_a_copy_at_once_give_it_one_id(bench, tmp_path):
    copy = copied(bench, tmp_path)
    code = (
        "import sys; from scriptrun.core.workspace import Workspace; sys.stdin.read(); "
        "print(Workspace(sys.argv[1]).id)"
    )
    command = [sys.executable, "-c", code, copy]
    openers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)
    ]
    for opener in openers:
        opener.stdin.close()
    ids = {opener.stdout.read() for opener in openers}
    for opener in openers:
        opener.wait()
    assert len(ids) == 1
    assert ids != {bench.workspace.id.encode() + b"\n"}


def test_a_moved_workspace_keeps_its_id_and_what_waited_goes_on(bench, tmp_path):
    held = slots.take(paths.slots_root(), 1)
    run = bench.submit("pass")
    lock = workers.runner(bench.workspace).lock_path
    until(lambda: is_held(lock), "no runner came")
    moved = tmp_path / "moved"
    os.rename(bench.root, moved)
    until(lambda: not is_held(lock), "the runner of the old place goes on")
    workspace = Workspace(moved)
    assert workspace.id == bench.workspace.id
    assert len(tickets.names(tickets.queue_of(workspace.id))) == 1
    assert Run.get(workspace, run.id).standing.state == "Queued"
    held.close()
    assert wait(Run.get(workspace, run.id)) == "Completed"
    assert not copies.is_still_there(bench.workspace)


def is_held(path):
    flock = flocks.try_flock(path)
    if flock is None:
        return True
    flock.release()
    return False


def test_a_restored_backup_keeps_the_id_where_it_was(bench, tmp_path):
    copied(bench, tmp_path, "backup")
    shutil.rmtree(bench.root)
    shutil.copytree(tmp_path / "backup", bench.root)
    assert Workspace(bench.root).id == bench.workspace.id
    assert Workspace(tmp_path / "backup").id != bench.workspace.id


def test_of_a_moved_workspace_and_an_old_copy_one_keeps_the_id(bench, tmp_path):
    copy = copied(bench, tmp_path)
    moved = tmp_path / "moved"
    os.rename(bench.root, moved)
    assert Workspace(moved).id == bench.workspace.id
    assert Workspace(copy).id != bench.workspace.id
    assert Workspace(moved).id == bench.workspace.id


def test_another_way_to_the_same_directory_is_no_copy(bench, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(bench.root)
    before = (bench.workspace.directory / "workspace.json").read_bytes()
    assert Workspace(link).id == bench.workspace.id
    assert (bench.workspace.directory / "workspace.json").read_bytes() == before
    bound = tmp_path / "bound"
    bound.mkdir()
    mount = ["mount", "--bind", bench.root, bound]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        lacking("a bind mount cannot be made here (it takes root)")
    try:
        assert Workspace(bound).id == bench.workspace.id
        assert (bench.workspace.directory / "workspace.json").read_bytes() == before
    finally:
        subprocess.run(["umount", bound], check=True)
