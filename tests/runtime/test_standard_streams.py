"""Standard streams that are closed, as cron jobs and daemons have them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from scriptrun.runtime import standard_streams

CLOSED = ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"]


def shell(line, folder):
    return subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True)


def test_open_streams_stay_as_they_are():
    before = [os.fstat(descriptor) for descriptor in range(3)]
    standard_streams.replace_missing()
    assert [os.fstat(descriptor) for descriptor in range(3)] == before


@pytest.mark.parametrize("closed", CLOSED)
def test_what_is_opened_next_gets_no_standard_stream(closed, tmp_path):
    (tmp_path / "script.py").write_text(
        "import os, sys\n"
        "from scriptrun.runtime import standard_streams\n"
        "standard_streams.replace_missing()\n"
        "log = open('log', 'w')\n"
        "assert log.fileno() > 2\n"
        "print('a line'); print('a line', file=sys.stderr)\n"
        "os.system('echo a line; echo a line >&2')\n"
        "assert sys.stdin.read() == ''\n"
    )
    done = shell(f"{sys.executable} script.py {closed} < /dev/null {closed}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "log").read_text() == ""


@pytest.mark.parametrize("closed", CLOSED)
def test_runs_are_submitted_followed_and_repeated(closed, tmp_path):
    (tmp_path / "train.py").write_text(
        "import os\nprint([os.readlink(f'/proc/self/fd/{n}') for n in (0, 1, 2)])\n"
    )
    command = f"{sys.executable} -m scriptrun"
    for words in ("init", "run train.py", "logs", "list", "show --json", "rerun", "cancel"):
        done = shell(f"{command} {words} {closed}", tmp_path)
        assert done.returncode == 0, f"{words}: {done.stderr}"
    logs = list(tmp_path.glob(".scriptrun/runs/*/*/user_logs/std_log.txt"))
    assert len(logs) == 2
    for log in logs:
        assert log.read_text() == f"{['/dev/null', str(log), str(log)]}\n"


@pytest.mark.parametrize("closed", CLOSED)
def test_a_script_of_the_users_own_submits_and_waits(closed, tmp_path):
    (tmp_path / "train.py").write_text("print(1)")
    (tmp_path / "submit.py").write_text(
        "mine = open('mine', 'w')\n"
        "from scriptrun import Experiment, ScriptRunConfig, Workspace\n"
        "workspace = Workspace.create('w', path='home')\n"
        "run = Experiment(workspace, 'e').submit(ScriptRunConfig('.', 'train.py'))\n"
        "run.wait_for_completion(show_output=True)\n"
        "open('state', 'w').write(run.get_status())\n"
    )
    done = shell(f"{sys.executable} submit.py {closed}", tmp_path)
    assert (tmp_path / "state").read_text() == "Completed", done.stderr
    assert (tmp_path / "mine").read_text() == ""
