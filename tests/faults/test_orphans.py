"""Helpers of every kind end when the process that started them is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest
from victims import children, comm, runners

from scriptrun.data.mount import system_table
from scriptrun.engines.local.engine import Local
from scriptrun.runtime import identity
from scriptrun.store.scratch import Scratch
from scriptrun.testing.jobs import PATIENCE, Bench, until, wait

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only on Linux")

#: starts the helper and waits; the helpers are all that is below this process
PARENTS = {
    "the pool of migrate": """
from scriptrun.cli import main
import scriptrun.migration.batch as batch
def hold(*_): print("ready", flush=True); import time; time.sleep(3600)
batch._write = hold
main(["migrate", "--write", sys.argv[1]])
""",
    "a build tool and its children": """
from scriptrun.environments.image import tool
def say(line): print("ready", flush=True)
tool.execute(["sh", "-c", "sleep 3600 & echo begun; sleep 3600"], "sh", "Testing", say, lambda: False)
""",
    "ssh": """
from scriptrun.store import dependents
tie = dependents.tie
def say(process): tie(process); print("ready", flush=True)
dependents.tie = say
dependents.run(["sleep", "3600"])
""",
    "job objects": """
import subprocess, time
subprocess.Popen([sys.executable, "-m", "scriptrun.helpers.job_objects"], stdin=int(sys.argv[2]))
while not any(open(f"/proc/{pid}/comm").read() == "scriptrun-data\\n" for pid in children()): time.sleep(0.01)
print("ready", flush=True); time.sleep(3600)
""",
    "login node": """
import subprocess, time
subprocess.Popen([sys.executable, "-m", "scriptrun.helpers.login_node"], stdin=int(sys.argv[2]))
def threads(): return max([len(os.listdir(f"/proc/{pid}/task")) for pid in children()] or [0])
while threads() < 2: time.sleep(0.01)
print("ready", flush=True); time.sleep(3600)
""",
    "conda": """
import time
from scriptrun.environments.conda import client
client.prepare()
print("ready", flush=True); time.sleep(3600)
""",
}
HEAD = """
import os, sys
def children():
    return open(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read().split()
"""


@pytest.mark.parametrize("kind", PARENTS)
def test_a_helper_ends_with_its_parent(kind, tmp_path):
    code = "from azureml.core import Workspace\nws = Workspace.from_config()\n"
    for number in range(40):
        (tmp_path / f"train{number}.py").write_text(code)
    reading, writing = os.pipe()  # the helper's input, which stays open
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD + PARENTS[kind], tmp_path, str(reading)],
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[reading],
    )
    try:
        assert process.stdout.readline() == "ready\n"
        below = below_of(process.pid)
        assert below
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
        until(lambda: not [pid for pid in below if identity.start_time(pid) is not None])
    finally:
        process.kill()
        process.stdout.close()
        os.close(reading)
        os.close(writing)


MOUNTS = """
import os, sys, time
from scriptrun import Dataset
mounted = Dataset.File.from_files(sys.argv[1] + "/*.txt").mount(sys.argv[1] + "/here")
mounted.start()
if os.fork() == 0: time.sleep(3600)  # it has the pipe to the server as well
print("ready", flush=True); time.sleep(3600)
"""


@pytest.mark.stores
def test_a_mount_ends_with_its_process_though_a_fork_of_that_lives_on(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    process = subprocess.Popen(
        [sys.executable, "-c", MOUNTS, tmp_path], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        below = children(process.pid)
        process.send_signal(signal.SIGKILL)
        until(
            lambda: str(tmp_path / "here") not in [e.mountpoint for e in system_table.our_mounts()]
        )
        assert sum(identity.start_time(pid) is not None for pid in below) == 1  # the fork
    finally:
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.stdout.close()
        process.wait(PATIENCE)


def test_a_mount_of_another_pid_namespace_is_not_taken_for_stale(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    entry = system_table.MountEntry(str(tmp_path), dead.pid, "1")
    assert not entry.is_served
    own = str(os.stat("/proc/self/ns/pid").st_ino)
    assert not entry._replace(namespace=own).is_served
    assert entry._replace(namespace="1").is_served


@pytest.fixture
def silent_index():
    """The address of an index that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: accept_all(server), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple"


def accept_all(server, kept=None):
    kept = []
    try:
        while True:
            kept.append(server.accept()[0])
    except OSError:
        pass


def test_a_build_ends_with_a_killed_runner_and_leaves_no_folder_for_long(
    tmp_path, silent_index, monkeypatch
):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    bench = Bench(tmp_path, Local())
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"--index-url {silent_index}\nviolet\n")
    run = bench.submit("print(1)", requirements=str(requirements))
    until(lambda: any(comm(pid) == "uv" for pid in below_runner(bench)))
    runner, below = runners(bench.workspace), below_runner(bench)
    os.kill(runner[0], signal.SIGKILL)
    until(lambda: not [pid for pid in below if identity.start_time(pid) is not None])
    left = list((tmp_path / "tmp").iterdir())
    assert any(path.name.startswith("scriptrun-scratch-") for path in left)
    run.cancel()
    assert wait(run) == "Canceled"
    with Scratch("next", str(tmp_path / "tmp")) as folder:
        assert [str(path) for path in (tmp_path / "tmp").glob("scriptrun-scratch-*")] == [folder]


def below_runner(bench) -> list[int]:
    return [pid for runner in runners(bench.workspace) for pid in below_of(runner)]


def below_of(pid: int) -> list[int]:
    found, pending = [], children(pid)
    while pending:
        found.append(pending.pop())
        pending += children(found[-1])
    return found
