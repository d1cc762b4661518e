"""Prune beside submissions, and prune that is killed: no run loses what it needs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import rounds
from power import Disk
from rounds import ROUNDS

from scriptrun.core.run import Run
from scriptrun.diagnostics import fsck
from scriptrun.engines.local.engine import Local
from scriptrun.history import rerun
from scriptrun.store.snapshots import garbage, prune_lease, snapshots
from scriptrun.testing.jobs import PATIENCE, Bench, until, wait
from scriptrun.tracking import pruned_runs, run_folder, run_marks

pytestmark = [pytest.mark.faults, pytest.mark.slow]

#: prunes until its standard input is closed; says once that it has begun. Between its last look at
#: a file of the store and the file's removal it stands still: the moment in which all could go wrong
LOOP = """
import random, select, sys, time
from scriptrun import Workspace
def stand_still(event, words):
    if event == "os.remove" and "/snapshots/" in str(words[0]):
        time.sleep(random.uniform(0, 0.02))
sys.addaudithook(stand_still)
workspace = Workspace(sys.argv[1])
workspace.prune()
print("began", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    workspace.prune()
"""
#: kills itself before the file system is changed for the nth time
KILLED = """
import os, signal, sys
from scriptrun import Workspace
workspace, left = Workspace(sys.argv[1]), int(sys.argv[2])
def count(event, words):
    global left
    if event in ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "open"):
        if event == "open" and not (isinstance(words[2], int) and words[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
workspace.prune()
print("whole")
"""


PRUNED_ONCE = """
import sys
from scriptrun import Workspace
workspace = Workspace(sys.argv[1])
print("began", flush=True)
workspace.prune()
print("pruned", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def chance(request):
    return rounds.chance_of(request.node.nodeid)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local())


@contextlib.contextmanager
def pruning(workspace):
    """A process prunes the workspace again and again."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOOP, str(workspace.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"began\n"
    yield process
    process.stdin.close()
    assert process.wait(PATIENCE) == 0


def make_old(folder):
    then = time.time() - 2 * garbage.DAY
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            os.utime(path, (then, then))


def sources(bench, count):
    """Directories that share most of their content."""
    made = []
    for number in range(count):
        folder = bench.root / f"source {number}"
        folder.mkdir()
        (folder / "job.py").write_text("import shared")
        (folder / "shared.py").write_text("print('shared')\n" * 50)
        (folder / "big.bin").write_bytes(b"shared" * 200_000)
        (folder / "own.txt").write_text(f"{number % (count - 1)}")  # the last equals the first
        made.append(folder)
    return made


@pytest.mark.parametrize("number", range(max(2, ROUNDS // 8)))
def test_no_submission_loses_its_snapshot_to_a_prune(number, bench, chance, tmp_path):
    """All is stored and old, and nothing refers to it, when the submissions begin."""
    store = bench.workspace.snapshots_folder
    folders = sources(bench, 5)
    for folder in folders:
        snapshots.take(store, folder)
    runs = []
    with pruning(bench.workspace):
        make_old(store)
        order = [*folders, *folders]
        chance.shuffle(order)
        for each, folder in enumerate(order):
            if chance.random() < 0.5:
                (folder / "new.txt").write_text(str(each))
            runs.append(bench.submit(source=folder))
            if chance.random() < 0.3:
                time.sleep(chance.uniform(0, 0.05))
        states = [wait(run) for run in runs]
    assert set(states) == {"Completed"}, [run.standing.reason for run in runs]
    make_old(store)
    bench.workspace.prune()
    for run in runs:
        snapshots.restore(store, run.job.snapshot, tmp_path / "back" / run.id)
    assert {check.verdict for check in fsck.checks(bench.workspace)} == {"ok"}


def test_old_snapshots_that_come_back_while_prune_runs(bench, chance, tmp_path):
    """The moment counts at which a snapshot is marked as used, so there are many."""
    store, folders = bench.workspace.snapshots_folder, sources(bench, 3)
    for each in range(max(20, ROUNDS)):
        digests = {folder: snapshots.take(store, folder).digest for folder in folders}
        with pruning(bench.workspace) as process:
            make_old(store)
            time.sleep(chance.uniform(0, 0.1))
            taken = {folder: snapshots.take(store, folder).digest for folder in folders}
            assert process.poll() is None
        assert taken == digests
        for number, digest in enumerate(set(taken.values())):
            snapshots.restore(store, digest, tmp_path / f"back {each} {number}")


def names_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize("number", range(ROUNDS))
def test_prune_that_is_killed_leaves_no_half_run(number, bench, chance):
    workspace = bench.workspace
    kept = bench.run("open('outputs/a', 'w').write('a')  # kept")
    removed = [bench.run(f"open('outputs/a', 'w').write('a')  # {n}") for n in range(3)]
    until(lambda: not workspace.prune("", older_than=0.0, dry_run=True).kept, "a launcher lives")
    before = {run.id: names_of(run.path) for run in removed}
    for run in removed:
        run_marks.write(run.path, run_marks.REMOVED)
    marked = {run.id: names_of(run.path) | before[run.id] for run in removed}
    make_old(workspace.snapshots_folder)
    moment = chance.randrange(90)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(workspace.root), str(moment)],
        stdout=subprocess.PIPE,
        timeout=PATIENCE,
    )
    assert done.returncode in (0, -signal.SIGKILL)
    for run in removed:
        if run_folder.exists(run.path):
            assert names_of(run.path) == marked[run.id], f"half a run, killed at {moment}"
    assert {check.verdict for check in fsck.checks(workspace)} == {"ok"}
    listed = {row.id for row in workspace.runs("")}
    assert listed >= {kept.id} and listed <= {
        run.id for run in (kept, *removed) if run_folder.exists(run.path)
    }
    workspace.prune()
    # an empty folder, which may be a submission's, stays for a day
    assert not any(names_of(run.path) for run in removed)
    lines = (workspace.directory / pruned_runs.NAME).read_bytes().splitlines()
    assert sorted(json.loads(line)["id"] for line in lines) == sorted(run.id for run in removed)
    assert Run.get(workspace, kept.id).get_status() == "Completed"
    again = rerun.start(kept).run
    assert wait(again) == "Completed"
    assert not prune_lease.is_held(workspace.snapshots_folder)


@pytest.mark.parametrize("number", range(max(3, ROUNDS // 6)))
def test_the_power_is_cut_while_prune_works(number, tmp_path, chance):
    """Whatever reached the disk: a run is whole or gone, and the next prune finishes."""
    disk = Disk(tmp_path)
    try:
        bench = Bench(disk.place / "work", Local())
        workspace = bench.workspace
        kept = bench.run("open('outputs/a', 'w').write('a')  # kept")
        removed = [bench.run(f"open('outputs/a', 'w').write('a')  # {n}") for n in range(4)]
        until(lambda: not workspace.prune("", older_than=0.0, dry_run=True).kept, "one lives")
        for run in removed:
            run_marks.write(run.path, run_marks.REMOVED)
        make_old(workspace.snapshots_folder)
        os.sync()
        whole = {run.id: names_of(run.path) for run in removed}
        process = subprocess.Popen(
            [sys.executable, "-c", PRUNED_ONCE, str(workspace.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout.readline() == b"began\n"
        time.sleep(chance.uniform(0.05, 0.8))
        disk.cut()
        process.kill()
        process.communicate()
        for run in removed:
            if run_folder.exists(run.path):
                assert names_of(run.path) == whole[run.id]
        bad = [check for check in fsck.checks(workspace) if check.verdict == "bad"]
        assert not [check for check in bad if check.name in ("runs", "registries")], bad
        workspace.prune()
        assert not any(names_of(run.path) for run in removed)
        assert wait(rerun.start(kept).run) == "Completed"
    finally:
        disk.end()
