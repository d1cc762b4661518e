"""Looks into and out of a container: a live run that the looker cannot see is left alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from machine import lacking

from scriptrun.core.run import Run
from scriptrun.engines import launchers
from scriptrun.engines.local.engine import Local
from scriptrun.runtime import identity
from scriptrun.store.locks import silence
from scriptrun.testing import jobs
from scriptrun.testing.jobs import Bench, until, wait

pytestmark = [pytest.mark.faults]

INSIDE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
SCRIPT = """
import os, sys, time
open(sys.argv[1] + ".began", "w").close()
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
"""
LOOK = (
    "import sys; from scriptrun.core.workspace import Workspace; "
    "from scriptrun.core.run import Run; "
    "print(Run.get(Workspace(sys.argv[1]), sys.argv[2]).standing.state)"
)


@pytest.fixture(autouse=True)
def namespaces():
    """These tests make PID namespaces, as containers do."""
    done = None
    if shutil.which("unshare"):
        done = subprocess.run([*INSIDE, "true"], capture_output=True)
    if done is None or done.returncode != 0:
        lacking("PID namespaces cannot be made here (it takes root and unshare)")


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local())


@pytest.fixture
def submitted_inside(bench, tmp_path):
    """A run whose script waits for the file ``go``, and the first process of its namespace."""
    order = bench.order(SCRIPT, [str(tmp_path / "go")])
    process = subprocess.Popen(
        [*INSIDE, *jobs.submitter()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdin.write(json.dumps({**order, "linger": 3600}).encode())
    process.stdin.close()
    run = Run.get(bench.workspace, process.stdout.readline().decode().strip())
    until((tmp_path / "go.began").exists)
    yield run, process
    process.kill()
    process.wait()


def test_a_run_inside_is_left_alone_by_who_looks_from_outside(bench, submitted_inside, tmp_path):
    run, _ = submitted_inside
    for _ in range(3):
        assert Run.get(bench.workspace, run.id).standing.state == "Running"
    (tmp_path / "go").touch()
    assert wait(run) == "Completed"


def test_a_run_outside_is_left_alone_by_who_looks_from_inside(bench, tmp_path):
    run = bench.submit(SCRIPT, [str(tmp_path / "go")])
    until((tmp_path / "go.began").exists)
    look = [*INSIDE, sys.executable, "-c", LOOK, str(bench.workspace.root), run.id]
    for _ in range(2):
        assert subprocess.run(look, stdout=subprocess.PIPE, text=True).stdout == "Running\n"
    (tmp_path / "go").touch()
    assert wait(run) == "Completed"


def test_a_run_whose_namespace_is_gone_is_lost_by_its_heartbeat(
    bench, submitted_inside, monkeypatch
):
    run, process = submitted_inside
    process.kill()
    process.wait()
    assert Run.get(bench.workspace, run.id).standing.state == "Running"  # none can tell yet
    now = silence.time.monotonic()
    monkeypatch.setattr(silence.time, "monotonic", lambda: now + launchers.HEARTBEAT_TIMEOUT + 1)
    standing = Run.get(bench.workspace, run.id).standing
    assert standing.state == "Failed"
    assert "PID namespace" in standing.reason


def test_a_record_of_an_earlier_version_counts_as_of_this_namespace():
    record = {name: value for name, value in identity.identify().items() if name != "pid_namespace"}
    assert identity.is_local(record) and identity.is_alive(record)
    other = {**record, "pid_namespace": 1}
    assert not identity.is_local(other) and identity.may_be_alive(other)
    assert identity.is_local({**other, "boot": "an earlier one"}), "nothing of that is alive"
    assert os.stat("/proc/self/ns/pid").st_ino == identity.identify()["pid_namespace"]
