"""A secret given to a run is in no file, argument or temporary folder that another user can read."""

from __future__ import annotations

import os
import secrets
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from index_server import serving
from wheel_making import make_wheel

from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.store.secrets import vault
from scriptrun.testing.jobs import PATIENCE, log_of, until, wait

#: begins, waits for the file that is its first argument, and exits with its second
SCRIPT = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_DFL)
print("began", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
sys.exit(int(sys.argv[2]))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only on Linux")


class Place:
    """Everything that scriptrun writes for a user, below one folder, and what others see of it."""

    def __init__(self, root: Path, umask: int) -> None:
        self.root, self.umask = root, umask
        self.mark = secrets.token_hex(12)
        self.gate = root / "gate"
        for name in ("project", "tmp", "home"):
            (root / name).mkdir()
        self.environ = {
            **os.environ,
            "HOME": str(root / "home"),
            "TMPDIR": str(root / "tmp"),
            "SCRIPTRUN_CACHE": str(root / "cache"),
            "SCRIPTRUN_RUNTIME": str(root / "cache" / "runtime"),
            "SCRIPTRUN_SLOTS": str(root / "slots"),
            "SCRIPTRUN_SECRETS": str(root / "secrets"),
        }
        (root / "project" / "train.py").write_text(SCRIPT)

    def scriptrun(self, *words: object) -> str:
        """Run a command in the project; its output."""
        done = subprocess.run(
            [sys.executable, "-m", "scriptrun", *map(str, words)],
            cwd=self.root / "project",
            env=self.environ,
            umask=self.umask,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode in (0, 1), done.stderr
        return done.stdout.strip()

    def submit(self, code: int = 0, *options: object) -> Run:
        words = ["--env", f"API_KEY={self.mark}", "--set", f"environment_variables.B={self.mark}"]
        found = self.scriptrun("run", "-d", *words, *options, "train.py", "--", self.gate, code)
        return Run.get(Workspace(self.root / "project"), found.splitlines()[-1])

    def leaks(self) -> list[str]:
        """What shows the secret to others, and what they could write."""
        found = [f"process {pid}: {line!r}" for pid, line in command_lines() if self.mark in line]
        others = stat.S_IROTH | (stat.S_IRGRP if self.umask & 0o020 else 0)
        for path in reachable(self.root, self.umask):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) and mode & others and self.mark.encode() in path.read_bytes():
                found.append(f"{path} can be read")
            ours = path.name != "gate" and not {"slots", "home"} & set(path.parts)  # uv's cache
            if ours and mode & stat.S_IWOTH and not stat.S_ISLNK(mode):
                found.append(f"{path} can be written")
        return found


def command_lines():
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                yield (
                    int(name),
                    Path("/proc", name, "cmdline").read_bytes().decode("utf-8", "replace"),
                )
            except OSError:
                continue


def reachable(root: Path, umask: int):
    """What others can get at below ``root``: folders that they may enter, and what is in them."""
    enter = stat.S_IXOTH | (stat.S_IXGRP if umask & 0o020 else 0)
    pending = [root]
    while pending:
        try:
            entries = list(pending.pop().iterdir())
        except OSError:
            continue
        for path in entries:
            try:
                mode = path.lstat().st_mode
            except OSError:
                continue
            yield path
            if stat.S_ISDIR(mode) and mode & enter:
                pending.append(path)


@pytest.fixture(params=[0o022, 0o000], ids=["umask 022", "umask 000"])
def place(tmp_path, request, monkeypatch):
    (tmp_path / "user").mkdir()
    made = Place(tmp_path / "user", request.param)
    for name, value in made.environ.items():
        monkeypatch.setenv(name, value)
    made.scriptrun("init", "secret")
    return made


def test_a_secret_variable_is_seen_by_nobody_else_in_any_state(place):
    place.scriptrun("compute", "set", "local", "--max-runs", 1)
    running = place.submit(0)
    until(lambda: "began" in log_of(running))
    queued = place.submit(3)
    canceled = place.submit(0)
    assert place.leaks() == []
    place.scriptrun("cancel", canceled.id)
    wait(canceled)
    assert place.leaks() == []
    place.gate.touch()
    assert (wait(running), wait(queued)) == ("Completed", "Failed")
    assert place.leaks() == []
    assert canceled.get_status() == "Canceled"


def test_a_launcher_that_is_killed_leaves_no_secret(place):
    run = place.submit()
    until(lambda: "began" in log_of(run))
    marker = f"SCRIPTRUN_RUN_FOLDER={run.path}".encode()
    script = next(
        pid
        for pid, line in command_lines()
        if "train.py" in line and marker in Path(f"/proc/{pid}/environ").read_bytes()
    )
    parent = int(Path(f"/proc/{script}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    assert wait(run) == "Failed"
    assert place.leaks() == []


@pytest.mark.slow
def test_the_login_of_an_index_is_seen_by_nobody_while_it_is_used(place, tmp_path):
    make_wheel(tmp_path / "index" / "violet", "violet", "1.0")
    with serving(tmp_path / "index", "me", place.mark) as host:
        seen: list[list[str]] = []
        host.hold = lambda: seen.append(place.leaks())
        vault.store("team", place.mark)
        requirements = place.root / "project" / "requirements.txt"
        requirements.write_text("--index-url http://me:${secret:team}@" + host + "\nviolet\n")
        place.gate.touch()
        run = place.submit(0, "--requirements", requirements)
        assert wait(run) == "Completed", run.standing.reason
    assert seen and not any(seen)
    assert place.leaks() == []
