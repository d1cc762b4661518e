"""The exit codes of the table: every command ends as it says."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from scriptrun.cli.help import exit_codes
from scriptrun.testing.jobs import PATIENCE

SCRIPT = """
import random, sys
from scriptrun import Run
run = Run.get_context()
run.log("loss", 0.5)
if "random" in sys.argv:
    run.log("drawn", random.random())
if "fail" in sys.argv:
    sys.exit(7)
"""
NOT_SUPPORTED = "from azureml.core import Nothing\nprint(Nothing)\n"
SUPPORTED = "from azureml.core import Workspace\nprint(Workspace)\n"
#: the command, the words, and the exit code, in this order in one workspace
CASES = [
    ("run", "run -n good train.py", 0),
    ("run", "run -n bad train.py -- fail", 1),
    ("run", "run --dry-run train.py", 0),
    ("run", "run -n drawn train.py -- random", 0),
    ("run", "run --detach -n later train.py -- fail", 0),
    ("run", "run --detach -n slow slow.py", 0),
    ("run", "run nothing.py", 2),
    ("logs", "logs later --follow", 1),
    ("wait", "wait later", 1),
    ("wait", "wait good", 0),
    ("wait", "wait slow --timeout 0.1s", 124),
    ("logs", "logs later", 0),
    ("logs", "logs good --follow", 0),
    ("rerun", "rerun good", 0),
    ("rerun", "rerun bad", 1),
    ("rerun", "rerun good --verify", 0),
    ("rerun", "rerun drawn --verify", 1),
    ("sweep", "sweep train.py --param a=1,2 --metric loss --max-runs 1", 0),
    ("sweep", "sweep train.py --param a=1,2", 2),
    ("best", "best loss", 0),
    ("best", "best loss no-such-run", 1),
    ("diff", "diff good bad", 0),
    ("diff", "diff good bad --exit-code", 1),
    ("diff", "diff good good --exit-code", 0),
    ("shell", "shell good -- sh -c true", 0),
    ("config get", "config get compute", 1),
    ("compute check", "compute check local", 0),
    ("datastore check", "datastore check workspaceblobstore", 0),
    ("datastore check", "datastore check gone", 3),
    ("exec", "exec --check supported.py", 0),
    ("exec", "exec --check not_supported.py", 1),
    ("exec", "exec --check nothing.py", 2),
    ("exec", "exec ends.py", 9),
    ("exec", "exec raises.py", 1),
    ("exec", "exec", 2),
    ("migrate", "migrate --check supported.py", 1),
    ("migrate", "migrate --check train.py", 0),
    ("doctor", "doctor --fsck", 0),
    ("serve", "serve --entry score.py --test sample.json", 0),
    ("serve", "serve --entry score.py -n up --detach", 0),
    ("serve", "serve --entry raises.py -n broken", 1),
    ("serve", "serve --entry nothing.py", 2),
    ("service test", "service test up sample.json", 0),
    ("service test", "service test broken sample.json", 1),
    ("service logs", "service logs up", 0),
    ("service logs", "service logs broken --follow", 1),
    ("service reload", "service reload up", 0),
    ("service reload", "service reload broken", 1),
    ("service restart", "service restart up", 0),
    ("service restart", "service restart broken", 1),
    ("service start", "service start broken", 1),
    ("service remove", "service remove up broken", 0),
    ("service remove", "service remove up", 2),
]
#: in tests of their own: they need an engine that refuses, damage, a signal, or packages
ELSEWHERE = {
    ("run", 3),
    ("sweep", 3),
    ("rerun", 2),
    ("rerun", 3),
    ("run", 130),
    ("sweep", 130),
    ("rerun", 130),
    ("serve", 130),
    ("sweep", 1),
    ("doctor", 1),
    ("wait", 130),
    ("remove", 1),
    ("prune", 1),
    ("compute check", 1),
    ("env diff", 1),
}


@pytest.fixture
def equipped(user):
    user.writes("train.py", SCRIPT)
    user.writes("supported.py", SUPPORTED)
    user.writes("not_supported.py", NOT_SUPPORTED)
    user.writes("slow.py", "import time\ntime.sleep(3600)\n")
    user.writes("ends.py", "raise SystemExit(9)\n")
    user.writes("raises.py", "raise ValueError\n")
    user.writes("score.py", "def init():\n    pass\n\ndef run(data):\n    return data\n")
    user.writes("sample.json", "{}")
    user.writes("shelf/file", "")
    user.does("init")
    user.does("datastore", "add", "gone", "--local", user.here / "shelf")
    user.writes("shelf/file", "").unlink()
    (user.here / "shelf").rmdir()
    user.writes("shelf", "not a directory")
    return user


@pytest.mark.slow
def test_every_command_ends_as_the_table_says(equipped):
    user = equipped
    codes = {}
    for _, line, _ in CASES:
        done = subprocess.run(
            user.argv(*line.split()), cwd=user.here, env=user.environ, capture_output=True
        )
        codes[line] = done.returncode
    assert codes == {line: code for _, line, code in CASES}
    tried = {(command, code) for command, _, code in CASES}
    listed = {(command, code) for command, found in exit_codes.SPECIAL.items() for code in found}
    assert listed - tried == ELSEWHERE
    user.does("cancel", "slow")
    shell = user.types("shell", "good", "--", sys.executable, "-c", "raise SystemExit(5)")
    assert shell.code == 5


def test_an_interrupt_and_a_closed_pipe(user):
    user.writes("slow.py", "import time\nprint('begun', flush=True)\ntime.sleep(3600)\n")
    process = subprocess.Popen(
        user.argv("run", "slow.py"), cwd=user.here, env=user.environ, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    process.stdout.close()
    assert user.runs()[0]["state"] == "Running"
    user.does("cancel", "--all")
    process = subprocess.Popen(
        user.argv("help", "--json"), cwd=user.here, env=user.environ, stdout=subprocess.PIPE
    )
    process.stdout.close()
    assert process.wait(PATIENCE) == 141
