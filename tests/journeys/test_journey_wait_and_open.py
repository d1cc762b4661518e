"""Waiting for runs, and opening what they left."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from scriptrun.runtime.injob.short_names import short_name
from scriptrun.testing.jobs import PATIENCE, kill

#: ends when the file named by its first argument exists, with the second as its exit code
GATED = """
import os, sys, time
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
sys.exit(int(sys.argv[2]))
"""
OPENER = """#!/bin/sh
echo "$1" > {seen}
exit {code}
"""


@pytest.fixture
def gated(user):
    """Start a run that ends once ``user.here / name`` exists."""
    user.writes("gated.py", GATED)
    user.does("compute", "set", "local", "--max-runs", "4")

    def start(name, code=0):
        words = ["--", str(user.here / name), code]
        return user.does("run", "-d", "-n", name, "gated.py", *words).out.strip()

    return start


class Waiting:
    """``scriptrun wait`` in a process of its own."""

    def __init__(self, user, *words):
        self.process = subprocess.Popen(
            user.argv("wait", *words),
            cwd=user.here,
            env=user.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self):
        return self.process.stdout.readline()

    def ends(self):
        out, err = self.process.communicate(timeout=PATIENCE)
        assert "Traceback" not in err
        return self.process.returncode, out, err


def open_gate(user, name):
    (user.here / name).touch()


def test_each_run_has_a_line_as_it_ends(user, gated):
    first, second, third = gated("a"), gated("b", 3), gated("c")
    waiting = Waiting(user, first, "b", third, first)
    open_gate(user, "c")
    assert waiting.line().startswith(f"Completed  c ({third}) after ")
    open_gate(user, "b")
    failed = waiting.line()
    assert failed.startswith(f"Failed     b ({second}) after ")
    assert failed.endswith(": gated.py exited with code 3\n")
    open_gate(user, "a")
    code, out, err = waiting.ends()
    assert (code, err) == (1, "")
    assert out.startswith(f"Completed  a ({first})") and out.count("\n") == 1
    assert user.does("wait", first, third).out.count("\n") == 2  # they ended before


def test_any_of_a_query_as_json(user, gated):
    first, second = gated("a"), gated("b")
    waiting = Waiting(user, "-q", "name=a or name=b", "--any", "--json")
    user.waits_for("Running", second)
    open_gate(user, "b")
    code, out, _ = waiting.ends()
    records = {record["id"]: record for record in json.loads(out)["runs"]}
    assert code == 0
    assert records[second]["state"] == "Completed" and records[second]["exit_code"] == 0
    assert records[second]["ended"].endswith("Z") and records[second]["name"] == "b"
    assert records[first]["state"] != "Completed" and records[first]["ended"] is None
    open_gate(user, "a")
    user.does("wait", first)


def test_timeout_and_interrupt_leave_the_run_alone(user, gated):
    run = gated("a")
    named = f"{user.does('show', run).out.split()[3]} ({run})"
    late = user.types("wait", run, "--timeout", "0.2s")
    assert late.code == 124 and late.out == ""
    assert late.err == f"Timed out after 0.2s. Run {named} is still active.\n"
    user.waits_for("Running", run)
    waiting = Waiting(user, run, "latest-is-not-a-name")
    assert waiting.ends()[0] == 2
    other = gated("b")
    waiting = Waiting(user, run, other)
    open_gate(user, "b")
    waiting.line()
    waiting.process.send_signal(signal.SIGINT)
    code, _, err = waiting.ends()
    assert code == 130
    assert f"Stopped waiting; the runs continue. Run {named} is still active." in err
    assert user.does("show", run, "--json").json["state"] == "Running"
    open_gate(user, "a")
    assert user.does("wait", run).out.startswith("Completed")
    wrong = user.types("wait", "--timeout", "soon")
    assert wrong.code == 2 and "Invalid duration 'soon'" in wrong.err


def test_nothing_to_wait_for(user, gated):
    open_gate(user, "a")
    user.does("wait", gated("a"))
    assert user.does("wait", "-q", "queued or running").err.startswith("No matching runs")
    assert user.types("wait", "-q", "running", "a").code == 2


def test_queued_lost_and_removed_runs(user, gated):
    open_gate(user, "done")
    user.does("wait", gated("done"))
    user.does("compute", "set", "local", "--max-runs", "1")
    lost = gated("a")
    user.waits_for("Running", lost)
    queued, removed = gated("b"), gated("c")
    waiting = Waiting(user, "done", lost, queued, removed)
    assert " done (" in waiting.line()
    folder = next(path for path in user.run_folders() if path.name == removed)
    folder.rename(user.here / "elsewhere")
    assert waiting.line().startswith(f"Missing    {removed}: Run '{removed}' no longer exists")
    (record,) = (path for path in user.run_folders() if path.name == lost)
    guard = json.loads((record / "attempts/1/node-0.start.json").read_text())["pid"]
    events = [json.loads(line) for line in (record / "events/node-0.jsonl").open()]
    began = next(event for event in events if event["kind"] == "began")
    for pid in (guard, began["launcher"]["pid"], began["pid"]):
        kill(pid)
    assert waiting.line().startswith(f"Failed     a ({lost})")
    open_gate(user, "b")
    assert waiting.line().startswith(f"Completed  b ({queued})")
    assert waiting.ends()[0] == 1


def test_a_sweep_and_a_run_that_waits_for_itself(user):
    user.writes("t.py", "import sys\nfrom scriptrun import Run\nRun.get_context().log('m', 1)\n")
    words = ["--param", "x=1,2", "--metric", "m", "--max-runs", "2", "-d"]
    sweep = user.does("sweep", "t.py", *words).out.strip()
    assert user.does("wait", sweep).out.startswith(f"Completed  {short_name(sweep)} ({sweep})")
    user.writes("self.py", "import os, sys\nsys.exit(os.system(sys.argv[1]) >> 8)\n")
    command = " ".join(user.argv("wait", "itself"))
    failed = user.types("run", "-n", "itself", "self.py", "--", command)
    assert failed.code == 1
    assert "which cannot wait for itself" in user.does("logs", "itself").out


@pytest.fixture
def desktop(user):
    """A desktop whose ``xdg-open`` records what it opens; returns what it has opened."""
    seen = user.here / "seen"

    def set_up(code=0):
        opener = user.writes("bin/xdg-open", OPENER.format(seen=seen, code=code))
        opener.chmod(0o755)
        user.environ["PATH"] = f"{opener.parent}{os.pathsep}{os.environ['PATH']}"
        user.environ["DISPLAY"] = ":7"
        for name in ("SSH_CONNECTION", "SSH_TTY"):
            user.environ.pop(name, None)
        return lambda: seen.read_text().strip()

    return set_up


MODEL = """
import os
os.makedirs('outputs/deep', exist_ok=True)
open('outputs/deep/plot.png', 'w').write('x')
os.symlink('/etc/hostname', 'outputs/name')
"""


def test_open_a_run_and_its_files(user, desktop):
    opened = desktop()
    user.writes("train.py", MODEL)
    user.does("run", "train.py")
    (folder,) = user.run_folders()
    assert user.does("open").out == f"Opened {folder}\n" and opened() == str(folder)
    plot = folder / "outputs/deep/plot.png"
    user.does("open", folder.name, "outputs/deep/plot.png")
    assert opened() == str(plot)
    record = user.does("open", "outputs/deep", "--json").json
    assert record["run"] == folder.name and record["path"] == str(plot.parent)
    assert record["opened"] is True
    assert opened() == str(plot.parent)
    assert user.does("open", "--print", "outputs/deep/plot.png").out == f"{plot}\n"
    assert opened() == str(plot.parent)
    near = user.types("open", "outputs/deep/plt.png")
    assert near.code == 2 and "'outputs/deep/plot.png' of the latest run?" in near.err
    for name in ("../../workspace.json", "/etc/hostname", "outputs/nothing"):
        assert "has no file or folder" in user.types("open", folder.name, name).err
    assert opened() == str(plot.parent)


def test_links_out_of_the_run_are_not_opened(user, desktop):
    opened = desktop()
    user.writes("train.py", "")
    user.does("run", "train.py")
    (folder,) = user.run_folders()
    (folder / "outputs").mkdir(exist_ok=True)
    (folder / "outputs/name").symlink_to("/etc/hostname")
    refused = user.types("open", folder.name, "outputs/name")
    assert refused.code == 2
    assert "is a link to '/etc/hostname', outside the run" in refused.err
    assert user.does("open", "--json").json["opened"]
    assert opened() == str(folder)


def test_without_a_desktop_the_path_is_printed(user, desktop):
    user.writes("train.py", "")
    user.does("run", "train.py")
    (folder,) = user.run_folders()
    desktop(code=4)
    failed = user.does("open")
    assert (failed.out, failed.err) == (
        f"{folder}\n",
        "xdg-open failed with exit code 4; printing the path.\n",
    )
    assert "SSH session" in user.does("open", SSH_CONNECTION="1 2 3 4").err
    assert "no display" in user.does("open", DISPLAY="", WAYLAND_DISPLAY="").err
    missing = user.does("open", PATH=str(folder))
    assert missing.out == f"{folder}\n" and "xdg-open is not installed" in missing.err
