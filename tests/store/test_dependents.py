"""Processes that end with the one that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from scriptrun.runtime import identity
from scriptrun.store import dependents
from scriptrun.testing.jobs import PATIENCE, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only on Linux")


def alive(pid: int) -> bool:
    return identity.start_time(pid) is not None


@contextmanager
def parent(code: str, **options):
    """A process that runs ``code``; what it prints on its first line are pids."""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **options
    )
    try:
        yield process, [int(word) for word in process.stdout.readline().split()]
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)


#: a program that starts another and ignores SIGTERM
FAMILY = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pid = os.fork()
if pid: print(os.getpid(), pid, flush=True)
time.sleep(3600)
"""
START = f"""
import subprocess, sys, time
from scriptrun.store import dependents
family = subprocess.Popen([sys.executable, "-c", {FAMILY!r}], stdin=subprocess.DEVNULL)
"""


def test_what_is_tied_ends_with_a_killed_process_and_all_it_has_started():
    with parent(START + "dependents.tie(family); time.sleep(3600)") as (process, pids):
        assert len(pids) == 2 and all(map(alive, pids))
        process.send_signal(signal.SIGKILL)
        until(lambda: not any(map(alive, pids)))


def test_a_fork_that_lives_on_keeps_nothing_alive():
    code = (
        "dependents.tie(family)\nimport os\nif os.fork() == 0: time.sleep(3600)\ntime.sleep(3600)"
    )
    with parent(START + code) as (process, pids):
        fork = [pid for pid in children(process.pid) if pid not in pids and not is_watcher(pid)]
        process.send_signal(signal.SIGKILL)
        until(lambda: not any(map(alive, pids)))
        for pid in fork:
            os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def is_watcher(pid: int) -> bool:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return b"dependents.py" in file.read()


def test_what_is_untied_lives_on_and_the_watcher_ends():
    code = "dependents.tie(family); dependents.untie(family); import os; os.wait()"
    with parent(START + code) as (process, pids):
        until(lambda: any(map(is_watcher, children(process.pid))))
        watcher = next(filter(is_watcher, children(process.pid)))
        process.send_signal(signal.SIGKILL)
        until(lambda: not alive(watcher))
        assert all(map(alive, pids))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def test_run_gives_what_the_program_said():
    done = dependents.run(["sh", "-c", "cat; echo no >&2; exit 3"], input=b"yes")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"yes", b"no\n")
    with pytest.raises(subprocess.TimeoutExpired):
        dependents.run(["sleep", "3600"], timeout=0.1)


@pytest.mark.parametrize("has_pidfd", [True, False])
def test_a_helper_ends_with_its_owner(has_pidfd):
    """Also if its owner is not its parent."""
    helper = (
        "import json, os, sys, time\n"
        + ("" if has_pidfd else "del os.pidfd_open\n")
        + "from scriptrun.store import dependents\n"
        "dependents.end_with(json.loads(sys.argv[1])); print(os.getpid(), flush=True); time.sleep(3600)"
    )
    with parent("print(flush=True); input()", stdin=subprocess.PIPE) as (owner, _):
        text = str(identity.identify(owner.pid)).replace("'", '"')
        process = subprocess.Popen(
            [sys.executable, "-c", helper, text], stdout=subprocess.PIPE, text=True
        )
        assert int(process.stdout.readline()) == process.pid
        owner.kill()
        assert process.wait(PATIENCE) == 1
