"""What a run's folder says about processes aims no signal: anyone may have written it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from scriptrun.core.run import Run
from scriptrun.engines import launchers
from scriptrun.engines.local.engine import Local
from scriptrun.runtime import files, identity, results
from scriptrun.store import paths
from scriptrun.testing.jobs import Bench, until, wait

pytestmark = [pytest.mark.faults]

SLEEP = "import sys, time; open(sys.argv[1], 'w').close(); time.sleep(3600)"


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, Local())


@pytest.fixture
def victim(tmp_path):
    """A process of this user that leads a group, and has nothing to do with any run."""
    ready = tmp_path / "victim is ready"
    process = subprocess.Popen([sys.executable, "-c", SLEEP, ready], start_new_session=True)
    until(ready.exists)
    yield process
    process.kill()
    process.wait()


def forge(bench, victim):
    """A run that looks as if its keepers had been killed and its script were the victim."""
    run = bench.run("pass")
    until(lambda: not any(paths.processes_folder().iterdir()), "its guard does not end")
    for path in (
        *run.path.glob("attempts/1/result.json"),
        *run.path.glob("attempts/1/node-0.json"),
    ):
        path.unlink()
    gone = {**identity.identify(), "pid": 2**22 + 1}
    start = run.path / "attempts" / "1" / "node-0.start.json"
    start.write_bytes(files.to_json(gone))
    began = {"t": 1.0, "n": 0, "kind": "began", "attempt": 1, "node": 0, "pid": victim.pid}
    began.update(launcher=gone, script=identity.identify(victim.pid))
    (run.path / "events" / "node-0.jsonl").write_text(json.dumps(began) + "\n")
    return run


def test_a_forged_script_is_not_killed(bench, victim):
    run = forge(bench, victim)
    standing = Run.get(bench.workspace, run.id).standing
    assert standing.state == "Failed"
    assert "some may still be running" in standing.reason
    launchers.clear(run.path)
    assert victim.poll() is None


def test_a_forged_container_tool_is_not_executed(bench, victim, tmp_path):
    run = forge(bench, victim)
    tool, mark = tmp_path / "tool", tmp_path / "it was executed"
    tool.write_text(f"#!/bin/sh\ntouch '{mark}'\n")
    tool.chmod(0o755)
    host = identity.host()
    container = {"tool": str(tool), "kind": "docker", "name": "c", "host": host, "node": 0}
    (run.path / "attempts" / "1" / "container-0.json").write_bytes(files.to_json(container))
    assert Run.get(bench.workspace, run.id).standing.state == "Failed"
    Local().clean(run.path)
    assert not mark.exists()


def test_a_live_run_that_is_said_to_be_dead_goes_on(bench, tmp_path):
    code = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)"
    run = bench.submit(code, [str(tmp_path / "go")])
    until(lambda: run.standing.state == "Running")
    start = run.path / "attempts" / "1" / "node-0.start.json"
    gone = {**identity.identify(), "pid": 2**22 + 1}
    start.write_bytes(files.to_json(gone))
    (run.path / "events" / "node-0.jsonl").write_text("")
    assert Run.get(bench.workspace, run.id).standing.state in ("Running", "Queued")
    launchers.clear(run.path)
    (tmp_path / "go").touch()
    assert wait(run) == "Completed", run.standing.reason


def test_without_the_private_record_nothing_is_stopped_and_the_reason_says_so(bench, tmp_path):
    mark = tmp_path / "began"
    code = "import sys, time; open(sys.argv[1], 'w').close(); time.sleep(3600)"
    run = bench.submit(code, [str(mark)])
    until(mark.exists)
    (record,) = paths.processes_folder().iterdir()
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    record.unlink()  # as a cleaner of temporary files does
    script = [line["pid"] for line in lines if line["kind"] == "script"]
    try:
        for line in lines:
            if line["kind"] == "keeper":
                os.kill(line["pid"], signal.SIGKILL)
        until(lambda: not any(identity.is_alive(x) for x in lines if x["kind"] == "keeper"))
        standing = Run.get(bench.workspace, run.id).standing
        assert standing.state == "Failed"
        assert "some may still be running" in standing.reason
        assert all(identity.start_time(pid) for pid in script)
    finally:
        for pid in script:
            os.kill(pid, signal.SIGKILL)


def test_both_keepers_killed_the_next_look_ends_what_is_left(bench, tmp_path):
    mark = tmp_path / "began"
    run = bench.submit(SLEEP, [str(mark)])
    until(mark.exists)
    (record,) = paths.processes_folder().iterdir()
    lines = until(lambda: three_lines(record))
    for line in lines:
        if line["kind"] == "keeper":
            os.kill(line["pid"], signal.SIGKILL)
    until(lambda: not any(identity.is_alive(x) for x in lines if x["kind"] == "keeper"))
    assert Run.get(bench.workspace, run.id).standing.state == "Failed"
    assert not any(map(identity.is_alive, lines))
    assert not record.exists()
    assert results.attempt_folder(str(run.path), 1)


def three_lines(record):
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    return lines if len(lines) == 3 else None
