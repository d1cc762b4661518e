"""The clock jumps while a job runs: nothing is stopped by it, and nothing is told wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from machine import lacking

from scriptrun.core.run import Run
from scriptrun.engines.local.engine import Local
from scriptrun.testing import jobs
from scriptrun.testing.jobs import Bench, log_of, until, wait
from scriptrun.testing.scripts import GATED
from scriptrun.tracking import events

DAY = 86400


@pytest.fixture
def false_clock(tmp_path):
    """The variables that put a process under a clock of its own, and a function that sets it."""
    found = sorted(Path("/usr/lib").glob("**/libfaketime.so.1"))
    if not found:
        lacking("the system package faketime is not installed")
    setting = tmp_path / "clock"

    def jump(seconds):
        temporary = tmp_path / "clock.new"
        temporary.write_text(f"{seconds:+d}\n")
        os.replace(temporary, setting)

    jump(0)
    variables = {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME_TIMESTAMP_FILE": str(setting),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    return variables, jump


@pytest.mark.parametrize("jumps", [(DAY,), (-DAY,), (DAY, -2 * DAY)], ids=str)
def test_a_run_under_a_clock_that_jumps(tmp_path, false_clock, jumps):
    variables, jump = false_clock
    bench, gate = Bench(tmp_path, Local()), tmp_path / "gate"
    order = bench.order(
        GATED.replace("time.sleep(", "select.select([], [], [], "), [gate.as_posix()], limit=3600
    )
    done = subprocess.run(
        jobs.submitter(),
        input=json.dumps(order),
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )
    run = Run.get(bench.workspace, done.stdout.strip())
    launcher = until(lambda: events.collect_facts(events.read(run.path)).began)["launcher"]["pid"]
    until(lambda: "began" in log_of(run))
    for seconds in jumps:
        jump(seconds)
        before = time.time()
        assert before - 2 <= _clock(variables) - seconds <= time.time() + 2
        assert run.get_status() == "Running", run.standing
        _looks(launcher)
        assert run.get_status() == "Running"
    gate.touch()
    assert wait(run) == "Completed"
    assert bench.run("print('later')").get_status() == "Completed"


def _looks(launcher):
    """Wait until the launcher has looked around twice: it sleeps before each look."""
    before = _sleeps(launcher)
    until(lambda: _sleeps(launcher) >= before + 3, "the launcher does nothing")


def _sleeps(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.MULTILINE)[1])


def _clock(variables):
    done = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )
    return float(done.stdout)
