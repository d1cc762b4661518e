"""Watching over a real process, and clearing up below a real launcher."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from scriptrun.runtime import processes
from scriptrun.testing.jobs import PATIENCE

#: stands for the launcher, in a process of its own: adopts, spawns, watches, clears
WATCHER = """
import json, os, sys, time
from scriptrun.runtime.launcher import supervise; from scriptrun.runtime import processes
folder, code, limit, grace, first, ready = json.loads(sys.argv[1])
output = os.open(os.path.join(folder, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
if first:
    processes.become_subreaper()
pid = processes.spawn([sys.executable, "-c", code], folder, dict(os.environ), output)
processes.become_subreaper()
open(os.path.join(folder, "adopts"), "w").close()
last = time.monotonic() + 100
while ready and not os.path.exists(os.path.join(folder, "ready")) and time.monotonic() < last:
    time.sleep(0.01)
cancel, beat = os.path.join(folder, "cancel.json"), os.path.join(folder, "beat")
supervise.HEARTBEAT_SECONDS = 0.2
ending = supervise.Supervisor([pid], limit, grace, cancel, beat).wait()
left = processes.clear_descendants([pid], patience=0.2)
last = time.monotonic() + 100  # what was killed may take long to go
while processes._any_left() and time.monotonic() < last:
    time.sleep(0.1)
print(json.dumps([ending.exit_code, ending.signal, ending.stop_reason, ending.canceled, left,
                  processes.descendants()]))
"""


def watch(folder, code, limit=None, grace=0.3, first=True, ready=False):
    """How ``code`` ended; with ``ready`` it is watched once it has made the file of that name."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            WATCHER,
            json.dumps([str(folder), code, limit, grace, first, ready]),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    names = ("exit_code", "signal", "stopped", "canceled", "left", "below")
    return dict(zip(names, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize(
    ("code", "exit_code", "signal"),
    [("pass", 0, None), ("exit(9)", 9, None), ("import os; os.abort()", None, "SIGABRT")],
)
def test_how_it_ended(tmp_path, code, exit_code, signal):
    seen = watch(tmp_path, code)
    assert (seen["exit_code"], seen["signal"], seen["left"]) == (exit_code, signal, [])


def test_a_request_to_cancel_lets_it_save(tmp_path):
    (tmp_path / "cancel.json").write_text("{}")
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), sys.exit(0)))\n"
        "open('ready', 'w').close()\n"
        "time.sleep(3600)"
    )
    seen = watch(tmp_path, code, grace=PATIENCE, ready=True)
    assert seen["canceled"] and not seen["stopped"]
    assert seen["exit_code"] == 0 and (tmp_path / "log").read_text() == "saved\n"


@pytest.mark.parametrize(("by", "canceled"), [("script", True), ("", False)])
def test_a_script_that_cancels_itself_and_ends_is_canceled(tmp_path, by, canceled):
    code = f"open('cancel.json', 'w').write('{{\"by\": \"{by}\"}}')"
    assert watch(tmp_path, code)["canceled"] or not canceled


def test_the_limit_stops_a_deaf_process(tmp_path):
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open('ready', 'w').close(); time.sleep(3600)"
    )
    seen = watch(tmp_path, code, limit=0.5, ready=True)
    assert seen["signal"] == "SIGKILL"
    assert "max_run_duration_seconds=0.5" in seen["stopped"]
    assert (tmp_path / "beat").exists(), "it gave signs of life"


@pytest.mark.parametrize("first", [True, False], ids=["adopting first", "adopting late"])
def test_daemons_are_cleared_up(tmp_path, first):
    code = (
        "import os, signal, time\n"
        "def until(*names):\n"
        "    while not all(map(os.path.exists, names)): time.sleep(0.01)\n"
        "until('adopts')\n"
        "for name in 'abc':\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork(): os._exit(0)\n"
        "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "        open(name, 'w').close()\n"
        "        time.sleep(3600)\n"
        "    os.wait()\n"
        "until(*'abc')"
    )
    seen = watch(tmp_path, code, first=first)
    assert seen["exit_code"] == 0
    assert len(seen["left"]) == 3
    assert seen["below"] == []


def test_a_guard_of_another_run_is_no_leftover(tmp_path):
    """A script may submit runs of its own, which go on when it has ended."""
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    open('/proc/self/comm', 'w').write('scriptrun-guard')\n"
        "    open('pid', 'w').write(str(os.getpid()))\n"
        "    if os.fork() == 0: time.sleep(3600)\n"
        "    time.sleep(3600)\n"
        "while not (os.path.exists('pid') and open('pid').read()): time.sleep(0.01)\n"
    )
    seen = watch(tmp_path, code)
    pid = int((tmp_path / "pid").read_text())
    try:
        assert seen["left"] == []
        os.kill(pid, 0)
    finally:
        os.killpg(pid, 9)


def test_a_program_that_cannot_be_executed_is_named(tmp_path):
    code = (
        "import os, sys; from scriptrun.runtime import processes\n"
        "try: processes.spawn([sys.argv[1]], '/', {}, os.open(os.devnull, os.O_WRONLY))\n"
        "except OSError as error: print(error.errno, error.filename)"
    )
    for name, number in (("missing", 2), ("plain", 13)):
        path = tmp_path / name
        if name == "plain":
            path.write_text("no program")
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True
        )
        assert done.stdout.split() == [str(number), str(path)], done.stderr


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="only on Linux parents are looked up")
def test_who_is_below_this_process(tmp_path):
    """Only that may be signalled, whatever a record or a pid file says."""
    code = "import os, time; os.fork(); os.write(1, b'%d\\n' % os.getpid()); time.sleep(3600)"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        pids = [int(child.stdout.readline()) for _ in range(2)]
        assert child.pid in pids and all(map(processes.is_below, pids))
        others = (0, 1, os.getpid(), os.getppid(), 2**22 + 1)
        assert not any(map(processes.is_below, others))
    finally:
        os.killpg(child.pid, 9)
        child.wait()
    assert not any(map(processes.is_below, pids))
