"""Runs of a cluster behind a real sshd, whose nodes see neither this workspace nor scriptrun."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid

import pytest
from index_server import serving
from wheel_making import make_wheel

from scriptrun import CondaDependencies, Environment, Experiment, Run, ScriptRunConfig
from scriptrun.engines.slurm.engine import Slurm
from scriptrun.engines.transport import HostUnreachable, SshTransport
from scriptrun.remote import client as remote_client
from scriptrun.runs import status as run_status
from scriptrun.runtime import files
from scriptrun.spec.errors import ScriptrunError, UserErrorException
from scriptrun.store.snapshots import bundle as snapshot_bundle
from scriptrun.testing.jobs import Bench, log_of, until, wait
from scriptrun.tracking import run_marks

pytestmark = pytest.mark.slurm

GATED = """
import os, pathlib, sys, time
print("began", flush=True)
while not os.path.exists(sys.argv[1]): time.sleep(0.02)
print("went on")
"""


@pytest.fixture
def bench(login):
    """A workspace that only this side sees, and a target whose root is the cluster's own."""
    root = login.cluster.directory / "shared folder" / "my root"
    target = Slurm(name="gpu", ssh="login", root=str(root), python="/usr/bin/python3")
    return Bench(login.laptop / uuid.uuid4().hex, target)


def submit(bench, code, *arguments, **how):
    return bench.submit(code, [str(each) for each in arguments], python="/usr/bin/python3", **how)


def test_a_run_goes_there_and_its_record_comes_back(bench, login):
    odd = 'a\'b "c" $HOME é%j'
    run = submit(
        bench,
        "import os, sys; from scriptrun import Run; print(sys.argv[1:], os.getcwd())\n"
        "Run.get_context().log('loss', 0.5)\n"
        "open('outputs/model.bin', 'wb').write(bytes(range(256)) * 1000)",
        odd,
        variables={"MINE": "x y"},
    )
    assert wait(run) == "Completed"
    assert repr([odd]) in log_of(run)
    assert str(login.cluster.directory / "shared folder") in log_of(run)
    assert run.get_metrics() == {"loss": 0.5}
    assert "outputs/model.bin" in run.get_file_names()
    assert not (run.path / "outputs").exists()
    run.download_file("outputs/model.bin", str(bench.root / "got"))
    assert (bench.root / "got").read_bytes() == bytes(range(256)) * 1000
    again = Run.get(bench.workspace, run.id)
    assert again.get_details()["status"] == "Completed"


def test_a_run_that_fails_there_says_why_with_paths_of_the_source(bench):
    run = submit(bench, "def work():\n    raise ValueError('far away')\nwork()\n")
    assert wait(run) == "Failed"
    details = run.get_details()
    assert details["reason"] == details["lastLines"][-1] == "ValueError: far away"
    script = os.path.join(run.job.source_directory, run.job.script)
    assert f'  File "{script}", line 2, in work' in details["lastLines"]
    assert len(details["jobIds"]) == 1 and len(details["nodes"]) == 1


def test_logs_come_while_it_runs_and_cancel_ends_it(bench, login):
    gate = login.home / uuid.uuid4().hex
    run = submit(bench, GATED, gate)
    until(lambda: run.standing and "began" in log_of(run))
    assert run.get_status() == "Running"
    gate.touch()
    assert wait(run) == "Completed"
    assert log_of(run) == "began\nwent on\n"
    run = submit(bench, "import time; print('began', flush=True); time.sleep(3600)")
    until(lambda: run.standing and "began" in log_of(run))
    run.cancel()
    assert wait(run) == "Canceled"


def test_a_run_survives_the_submitter(bench, login):
    gate = login.home / uuid.uuid4().hex
    order = bench.order(GATED, [str(gate)], python="/usr/bin/python3", linger=3600)
    process = subprocess.Popen(
        [sys.executable, "-c", "from scriptrun.testing import jobs; jobs.main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    import json

    process.stdin.write(json.dumps(order))
    process.stdin.close()
    run = Run.get(bench.workspace, process.stdout.readline().strip())
    process.kill()
    process.wait()
    process.stdout.close()
    gate.touch()
    assert wait(run) == "Completed"


def test_what_is_said_of_a_run_here_stays_beside_what_comes_from_there(bench, login):
    gate = login.home / uuid.uuid4().hex
    code = "from scriptrun import Run\nrun = Run.get_context()\nrun.tag('there', '1')\n" + GATED
    run = submit(bench, f"{code}run.note = 'by the script'\n", gate)
    until(lambda: run.standing and "began" in log_of(run))
    run.tag("here", "2")
    run.pin()
    with pytest.raises(UserErrorException, match="it is active"):
        run.archive()
    gate.touch()
    assert wait(run) == "Completed"
    assert run.get_tags() == {"there": "1", "here": "2"} and run.note == "by the script"
    assert [each.id for each in bench.workspace.runs("pinned and tags.here=2")] == [run.id]
    run.note = "changed here"
    run.archive()
    remote_client.mirror.refresh(
        run.path, remote_client.RemoteRuns(run.job.target).home(run.path, run.id)
    )
    assert [each.id for each in bench.workspace.runs('archived note="changed here"')] == [run.id]
    run.archive(undo=True)


def test_an_unreachable_login_node_is_an_error_and_no_failed_job(bench, login):
    gate = login.home / uuid.uuid4().hex
    run = submit(bench, GATED, gate)
    until(lambda: run.standing and "began" in log_of(run))
    login.stop()
    try:
        SshTransport("login").close()
        until(lambda: not reachable(run), "it is still reached")
        with pytest.raises(HostUnreachable, match="Cannot reach host 'login' over ssh"):
            run.get_status()
        many = run_status.status_of(bench.workspace, run.path, run.job, frozenset())
        assert many.state == "Running"
        assert "Cannot reach" in many.reason
        with pytest.raises(ScriptrunError, match="Cannot reach"):
            submit(bench, "print('never')")
    finally:
        login.start()
    gate.touch()
    assert wait(run) == "Completed"
    assert len(list(bench.workspace.runs_folder.glob("*/*/job.json"))) == 1


def test_prune_deletes_a_run_there_too_and_keeps_it_while_it_is_unreachable(bench, login):
    run, other = submit(bench, "print('gone')"), submit(bench, "print('stays')")
    assert wait(run) == wait(other) == "Completed"
    there = remote_client.RemoteRuns(run.job.target).folder_of(run.job)
    other_there = remote_client.RemoteRuns(run.job.target).folder_of(other.job)
    assert there.is_dir()
    run_marks.write(run.path, run_marks.REMOVED)
    assert [each.host for each in bench.workspace.prune(dry_run=True).runs] == ["login"]
    login.stop()
    try:
        SshTransport("login").close()
        until(lambda: not prunes(bench), "it is still reached")
    finally:
        login.start()
    until(lambda: prunes(bench), "it is not reached")
    assert not there.exists() and not run.path.exists()
    assert other_there.is_dir() and other.path.exists()


def prunes(bench):
    """Whether the removed run is pruned; otherwise it is kept, with the reason."""
    report = bench.workspace.prune()
    for kept in report.kept:
        assert "Cannot reach host 'login'" in kept.reason
        assert os.path.exists(bench.workspace.folder_of(kept.id) / "job.json")
    return bool(report.runs)


def reachable(run):
    remote_client._cached_status.clear()
    try:
        run.get_status()
    except HostUnreachable:
        return False
    return True


def test_an_unchanged_source_is_not_sent_again(bench, login):
    source = bench.source("print('small')")
    (source / "large.bin").write_bytes(os.urandom(3 << 20))
    for _ in range(2):
        run = submit(bench, None, source=source)
        assert wait(run) == "Completed"
    address = remote_client.address(run.path)
    parts = snapshot_bundle.parts(bench.workspace.snapshots_folder, run.job.snapshot)
    assert remote_client._ask(address, {"verb": "have", "parts": parts})["missing"] == []


def test_a_run_that_never_arrived_is_settled(bench, login):
    run = submit(bench, "print('x')")
    wait(run)
    folder = run.path.with_name("never")
    folder.mkdir()
    (folder / "address.json").write_bytes((run.path / "address.json").read_bytes())
    dead = {**run.job.submitted_by, "pid": 2**22 + 1}
    job = run.job.replace(id="never", submitted_by=dead)
    files.write_atomic(str(folder / "job.json"), files.to_json(job.to_dict()))
    status = Run.get(bench.workspace, "never").standing
    assert status.state == "Failed"
    assert "before the run reached the cluster" in status.reason


def test_what_cannot_be_had_there_is_refused_and_leaves_nothing(bench, login):
    with pytest.raises((ScriptrunError, UserErrorException), match="no-such-python"):
        bench.submit("print('never')", python="/opt/no-such-python")
    assert not list(bench.workspace.runs_folder.glob("*/*/job.json"))


def test_a_host_that_is_not_known_is_a_sentence(bench, login):
    with pytest.raises(HostUnreachable) as told:
        SshTransport("no-such-host.invalid").run(["true"])
    assert "unknown host name" in str(told.value)


@pytest.mark.network
@pytest.mark.slow
def test_an_environment_is_built_there(bench, login, tmp_path, monkeypatch):
    """The password of an index comes along with the job that names it."""
    monkeypatch.setenv("SCRIPTRUN_SECRET_TEAM", "hunter2-for-the-index")
    make_wheel(tmp_path / "index" / "teal", "teal", "7")
    requirements = bench.root / "requirements.txt"
    wheel = make_wheel(bench.root, "mauve", "4")
    address = Environment.add_private_pip_wheel(bench.workspace, wheel)
    wheel.unlink()
    code = "import mauve, six, teal; print(six.__file__, mauve.VERSION)"
    with serving(tmp_path / "index", "me", "hunter2-for-the-index") as host:
        index = f"--extra-index-url http://me:${{secret:team}}@{host}"
        requirements.write_text(f"{index}\nsix\nteal\n{address}\n")
        run = bench.submit(code, requirements=str(requirements))
        assert wait(run) == "Completed", run.standing
    below = [path for path in login.cluster.directory.rglob("*.json*") if path.is_file()]
    assert not [path for path in below if b"hunter2-for" in path.read_bytes()]
    assert str(login.cluster.directory) in log_of(run)
    assert "six" in (run.path / "environment.lock.json").read_text()
    assert " 4" in log_of(run)


@pytest.mark.slow
def test_a_conda_prefix_is_made_there(bench, login, conda_channel):
    channel = login.cluster.directory / "channel"
    shutil.copytree(conda_channel, channel)
    environment = Environment("conda")
    environment.python.conda_dependencies = CondaDependencies.from_dict(
        {"dependencies": ["pin", "tool"], "channels": [channel.as_uri()]}
    )
    code = "import os, sys, red; print(red.VERSION, sys.prefix, os.environ['TOOL_HOME'], sep='|')"
    config = ScriptRunConfig(
        bench.source(code), script="job.py", environment=environment, compute_target=bench.target
    )
    run = Experiment(bench.workspace, "conda").submit(config)
    assert wait(run) == "Completed", run.standing.reason
    version, prefix, home = log_of(run).strip().split("|")
    assert version == "1.0"
    assert prefix.startswith(str(login.cluster.directory / "shared folder"))
    assert home == f"{prefix}/share/tool"
    assert files.read_json(str(run.path / "environment.lock.json"))["kind"] == "conda"
