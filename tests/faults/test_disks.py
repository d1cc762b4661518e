"""Disks that are full or read-only, sources that cannot be read, logs of a gigabyte."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys

import pytest

from scriptrun.engines.local.engine import Local
from scriptrun.queue import tickets
from scriptrun.spec.errors import UserErrorException
from scriptrun.testing import jobs
from scriptrun.testing.jobs import Bench, log_of, until, wait
from scriptrun.testing.scripts import GATED

FILLS = """
import sys
handle = open("outputs/fill", "wb", buffering=0)
try:
    while True:
        handle.write(b"x" * 4096)
except OSError as error:
    if sys.argv[1] == "says":
        raise SystemExit(7)
"""


def run_folders(bench):
    return [path for day in bench.workspace.runs_folder.iterdir() for path in day.iterdir()]


@pytest.mark.parametrize(("what", "state"), [("says", "Failed"), ("hides", "Completed")])
def test_a_script_that_fills_the_disk_ends_in_its_true_state(small_disk, what, state):
    bench = Bench(small_disk("4m"), Local())
    run = bench.submit(FILLS, [what])
    assert wait(run) == state
    assert run.standing.exit_code == (7 if what == "says" else 0)
    full = f"the disk of {bench.root} is full (No space left on device)"
    assert (full in run.standing.reason) == (what == "says")
    warned = any(full in warning for warning in run.get_details()["warnings"])
    assert warned == (what == "hides")
    assert (run.path / "outputs" / "fill").stat().st_size > 1_000_000


def test_a_full_disk_refuses_a_submission_and_leaves_nothing(small_disk):
    disk = small_disk("4m")
    bench = Bench(disk, Local())
    bench.run("print('there is room')")
    before = run_folders(bench)
    with open(disk / "fill", "wb", buffering=0) as handle:
        try:
            while True:
                handle.write(b"x" * 512)
        except OSError:
            pass
    with pytest.raises(UserErrorException, match=r"No space left|is full"):
        bench.submit(source=bench.root / "source")
    assert run_folders(bench) == before
    assert not tickets.waiting(tickets.queue_of(bench.workspace.id))
    os.unlink(disk / "fill")
    assert bench.run("print('again')").get_status() == "Completed"


def test_a_disk_that_fills_while_a_run_waits(small_disk, tmp_path):
    """What waits when the disk is full is started when it has room again, or fails with a reason."""
    disk = small_disk("4m")
    bench = Bench(disk, Local(max_runs=1))
    gate = tmp_path / "gate"
    source = bench.source(GATED)
    first = bench.submit(source=source, arguments=[str(gate)])
    until(lambda: "began" in log_of(first))
    second = bench.submit(source=source, arguments=[str(gate)])
    with open(disk / "fill", "wb", buffering=0) as handle:
        try:
            while True:
                handle.write(b"x" * 512)
        except OSError:
            pass
    gate.touch()
    assert wait(first) == "Completed"
    os.unlink(disk / "fill")
    assert wait(second) in ("Completed", "Failed")
    assert second.get_status() == "Completed" or "No space left" in second.standing.reason


ELSEWHERE = """
import os, sys
try:
    with open(sys.argv[1], "wb", buffering=0) as handle:
        while True: handle.write(b"x" * 4096)
finally:
    if sys.argv[2] == "cleans": os.unlink(sys.argv[1])
"""


@pytest.mark.parametrize("end", ["leaves", "cleans"])
def test_another_disk_that_a_script_fills_is_named(small_disk, tmp_path, end):
    disk = small_disk("2m")
    bench = Bench(tmp_path, Local())
    run = bench.run(ELSEWHERE, [str(disk / "fill"), end], variables={"TMPDIR": str(disk)})
    assert run.get_status() == "Failed" and run.standing.exit_code == 1
    said = "a disk was full" if end == "cleans" else f"the disk of {disk} is full"
    assert run.standing.reason.startswith(said), run.standing.reason
    assert "No space left on device" in run.standing.reason


def fill(disk, inodes=False):
    """Leave no room on ``disk`` for bytes, or for files."""
    try:
        for number in range(1 << 20) if inodes else ():
            (disk / f"fill-{number}").touch()
        with open(disk / "fill", "wb", buffering=0) as handle:
            for size in (4096, 512, 1):
                with contextlib.suppress(OSError):
                    while True:
                        handle.write(b"x" * size)
    except OSError:
        pass


#: commands, and the places that they write to; all others must succeed
WRITES = {
    "list": (),
    "show": (),
    "logs": (),
    "doctor": None,
    "cancel --all": (),
    "compute list": (),
    "run -d train.py": ("workspace", "cache"),
    "env build --requirements requirements.txt": ("workspace", "cache", "home"),
    "data register table a.txt": ("workspace",),
    "model register model a.txt": ("workspace",),
    "download --output {disk}/here": ("workspace", "cache", "home", "tmp"),
    "sweep -d train.py --param lr=0.1..0.9 --metric x --max-runs 2": ("workspace", "cache"),
}


class Places:
    """A workspace with a run, a cache, a home and a temporary folder; one on a disk of its own."""

    def __init__(self, root, what, disk):
        self.root, self.disk = root, disk
        self.folders = {name: root / name for name in ("workspace", "cache", "home", "tmp")}
        self.folders[what] = disk
        for folder in self.folders.values():
            folder.mkdir(exist_ok=True)
        self.environ = {
            **os.environ,
            "SCRIPTRUN_CACHE": str(self.folders["cache"]),
            "SCRIPTRUN_RUNTIME": str(self.folders["cache"] / "runtime"),
            "HOME": str(self.folders["home"]),
            "TMPDIR": str(self.folders["tmp"]),
        }
        workspace = self.folders["workspace"]
        (workspace / "train.py").write_text("open('outputs/a', 'w').write('a' * 1000)")
        (workspace / "a.txt").write_text("a")
        (workspace / "requirements.txt").touch()
        assert self.scriptrun("run train.py").returncode == 0
        (workspace / "train.py").write_text("open('outputs/b', 'w').write('b' * 1000)")

    def scriptrun(self, line):
        return subprocess.run(
            [sys.executable, "-m", "scriptrun", *line.format(disk=self.disk).split()],
            cwd=self.folders["workspace"],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=jobs.PATIENCE,
        )


@pytest.mark.slow
@pytest.mark.parametrize("how", ["full", "inodes", "read-only"])
@pytest.mark.parametrize("what", ["workspace", "cache", "home", "tmp"])
def test_every_command_names_the_disk_or_does_without_it(small_disk, tmp_path, what, how):
    disk = small_disk("6m,nr_inodes=500")
    places = Places(tmp_path, what, disk)
    if how == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    else:
        fill(disk, inodes=how == "inodes")
    for line, written in WRITES.items():
        done = places.scriptrun(line)
        assert done.returncode in (0, 1, 2), (line, done.stderr)
        assert "Traceback" not in done.stderr
        if written is None:
            continue
        if what not in written:
            assert done.returncode == 0, (line, done.stderr)
        elif done.returncode:
            assert f"the disk of {disk} " in done.stderr, (line, done.stderr)
        if done.returncode == 0 and line.startswith(("list", "show")):
            assert "Completed" in done.stdout


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_runs_are_listed_without_an_index_that_can_be_written(small_disk, tmp_path, how):
    """Also where the cache has never been used."""
    disk = small_disk("2m")
    places = Places(tmp_path, "workspace", tmp_path / "workspace")
    places.environ["SCRIPTRUN_CACHE"] = str(disk)
    places.environ["SCRIPTRUN_RUNTIME"] = str(disk / "runtime")
    if how == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    else:
        fill(disk)
    for line in ("list", "show", "logs"):
        done = places.scriptrun(line)
        assert done.returncode == 0, done.stderr
    assert "Completed" in places.scriptrun("list").stdout


def elsewhere(bench, words, order):
    return subprocess.run(
        [*words, *jobs.submitter()], input=json.dumps(order), capture_output=True, text=True
    )


def test_a_read_only_workspace_is_told_in_a_sentence(tmp_path, bound_by_permissions):
    bench = Bench(tmp_path, Local())
    bench.run("print('while it can be written')")
    order = bench.order(source=bench.root / "source")
    before = jobs.tree(bench.workspace.directory)
    folders = [bench.workspace.directory, *bench.workspace.directory.rglob("*")]
    folders = [path for path in folders if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        done = elsewhere(bench, bound_by_permissions, order)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert re.search(r"Exception: Cannot write .*: Permission denied", done.stderr)
    assert jobs.tree(bench.workspace.directory) == before
    assert bench.run("print('again')").get_status() == "Completed"


def test_the_runs_of_a_read_only_workspace_can_be_listed(tmp_path, small_disk):
    disk = small_disk("8m")
    bench = Bench(disk, Local())
    run = bench.run("print('while it could be written')")
    remounted = subprocess.run(["mount", "-o", "remount,ro", disk], capture_output=True, text=True)
    assert remounted.returncode == 0, remounted.stderr
    found = list(jobs.Run.list(run.experiment))
    assert [(each.id, each.get_status()) for each in found] == [(run.id, "Completed")]
    with pytest.raises(UserErrorException, match="Read-only file system"):
        bench.submit(source=disk / "source")


def test_a_file_of_the_source_that_cannot_be_read_is_named(tmp_path, bound_by_permissions):
    bench = Bench(tmp_path, Local())
    source = bench.source("print('never')")
    (source / "secret.bin").write_bytes(b"x")
    (source / "secret.bin").chmod(0)
    done = elsewhere(bench, bound_by_permissions, bench.order(source=source))
    assert done.returncode != 0
    assert "secret.bin" in done.stderr
    assert not list(bench.workspace.runs_folder.rglob("job.json"))
    (source / "secret.bin").chmod(0o600)
    assert wait(bench.submit(source=source)) == "Completed"


@pytest.mark.slow
def test_a_log_of_a_gigabyte(small_disk):
    bench = Bench(small_disk("1200m"), Local())
    run = bench.run(
        "import os\nline = b'%0999d\\n' % 7\nfor _ in range(1000): os.write(1, line * 1000)\n"
        "print('the end')"
    )
    assert run.get_status() == "Completed"
    assert (run.path / "user_logs" / "std_log.txt").stat().st_size == 10**9 + 8
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import re, sys; from scriptrun import Run, Workspace; "
            "run = Run.get(Workspace(sys.argv[1]), sys.argv[2]); before = run.get_details(); "
            "run.wait_for_completion(show_output=True); "
            "status = open('/proc/self/status').read(); "  # rusage holds the parent's peak too
            "print(re.search(r'VmHWM:\\s+(\\d+)', status)[1], file=sys.stderr)",
            str(bench.root),
            run.id,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert int(done.stderr.split()[-1]) < 200_000, "it is streamed, not read whole (KiB)"


def test_a_deaf_script_is_killed_at_its_time_limit(tmp_path):
    bench = Bench(tmp_path, Local())
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(3600)"
    grace = {"AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC": "0.2"}
    run = bench.overrun(code, variables=grace, came=lambda run: log_of(run))
    assert run.get_status() == "Failed"
    assert "max_run_duration_seconds" in run.standing.reason
    assert log_of(run) == "deaf\n"
