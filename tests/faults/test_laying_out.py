"""What dies before the script begins: the run still waits, and is started once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess

import pytest
import victims

from scriptrun.core.run import Run
from scriptrun.engines.local.engine import Local
from scriptrun.history import rerun
from scriptrun.queue import tickets
from scriptrun.runtime import files
from scriptrun.testing import jobs
from scriptrun.testing.jobs import Bench, until, wait
from scriptrun.testing.scripts import COUNTS

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.fixture
def bench(tmp_path):
    """A bench whose source takes a while to be laid out."""
    bench = Bench(tmp_path, Local())
    bench.before = [bench.run("pass")]
    source = bench.source(COUNTS, "large")
    for number in range(40):
        (source / f"d{number}").mkdir()
        for name in range(100):
            (source / f"d{number}" / f"{name}.txt").write_text(f"{number} {name}")
    return bench


def begun(bench):
    """A run of it whose guard has claimed it, and that guard."""
    order = bench.order(source=bench.root / "large", arguments=[str(bench.root / "ran")])
    process = subprocess.Popen(jobs.submitter(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    process.stdin.write(json.dumps(order).encode())
    process.stdin.close()
    warm = {run.id for run in bench.before}

    def claimed():
        for folder in victims.every_run(bench.workspace):
            owner = files.read_json(str(folder / "attempts" / "1" / "node-0.start.json"))
            if owner and folder.name not in warm:
                return folder, owner["pid"]
        return None

    folder, guard = until(claimed)
    return Run.at(bench.workspace, folder), guard


def below(guard):
    return [pid for pid in victims.children(guard) if victims.comm(pid) == "scriptrun-run"]


def stopped(bench):
    """A run whose source is being laid out, its guard and its launcher, which both stand still.

    On a busy machine all may be laid out before we look; then it is another run's turn.
    """
    for _ in range(30):
        run, guard = begun(bench)
        until(lambda guard=guard: below(guard) or is_still(guard))
        both = [*below(guard), guard]
        with contextlib.suppress(ProcessLookupError):
            for pid in both:
                os.kill(pid, signal.SIGSTOP)
                until(lambda pid=pid: is_still(pid))
        if len(both) == 2 and tickets.find(tickets.queue_of(bench.workspace.id), run.id):
            return run, guard, both[0]
        go_on(*both)
        assert wait(run) == "Completed", run.standing.reason
        (bench.root / "ran").unlink()
        bench.before.append(run)
    return pytest.fail("every run was laid out before it could be stopped")


def is_still(pid):
    """Whether the process is stopped, or gone."""
    try:
        with open(f"/proc/{pid}/stat") as handle:
            return handle.read().rpartition(")")[2].split()[0] in "TZX"
    except OSError:
        return True


def go_on(*pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def judge(bench, run):
    assert wait(run) == "Completed", run.standing.reason
    assert (bench.root / "ran").read_text() == "once\n"
    assert not [name for name in run.path.iterdir() if name.name.startswith("work")]
    until(lambda: not victims.launchers(bench.workspace))


def test_the_guard_dies_and_its_launcher_leaves_the_run_to_the_next(bench):
    run, guard, launcher = stopped(bench)
    jobs.kill(guard)
    go_on(launcher)
    judge(bench, run)
    assert run.get_details()["attempts"] == 2


def test_the_launcher_dies_and_the_run_still_waits(bench):
    run, guard, launcher = stopped(bench)
    jobs.kill(launcher)
    go_on(guard)
    judge(bench, run)
    assert run.get_details()["attempts"] == 2


def test_both_die(bench):
    run, guard, launcher = stopped(bench)
    jobs.kill(guard)
    jobs.kill(launcher)
    judge(bench, run)


def test_it_is_canceled_meanwhile(bench):
    run, *both = stopped(bench)
    run.cancel()
    go_on(*both)
    assert wait(run) == "Canceled"
    assert bench.run("print('next')").get_status() == "Completed"


def test_a_snapshot_that_is_damaged_is_told(bench):
    run, _ = begun(bench)
    assert wait(run) == "Completed"
    for pack in (bench.workspace.snapshots_folder / "packs").iterdir():
        pack.write_bytes(b"")
    again = rerun.start(run).run
    assert wait(again) == "Failed"
    assert "failed to start" in again.standing.reason
    assert again.standing.reason.strip().endswith(".")
