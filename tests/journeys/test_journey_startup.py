"""What the command loads: starting it is fast because of what it leaves alone."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest

HEAVY = {"asyncio", "pathspec", "psutil", "pydantic", "rich", "rich_argparse", "typer", "yaml"}
HEAVY |= {"tomlkit", "tomllib"}
#: what is not needed to start a run
LATE = {"sqlite3", "subprocess", "threading", "shutil", "tempfile", "difflib", "scriptrun.core.run"}


def loaded(user, *words) -> list[str]:
    """The modules that the command loads, in their order."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "scriptrun", *words],
        cwd=user.here, env=user.environ, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return re.findall(r"^import time: .*\| +(\S+)$", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("environment", [[], ["--requirements", "requirements.txt"]])
def test_a_warm_run(user, environment):
    user.writes("train.py", "print('x')\n")
    user.writes("requirements.txt", "")
    time.sleep(0.1)  # what was written in this moment is read again: it could change unseen
    user.does("run", *environment, "train.py")
    names = loaded(user, "run", *environment, "train.py")
    assert not set(names) & HEAVY
    before = set(
        names[: names.index("scriptrun.cli.terminal.output")]
    )  # the first that shows the run
    assert "scriptrun.submission.submit" in before
    assert sorted(before & LATE) == []


@pytest.mark.parametrize("words", [["list"], ["show"], ["logs"], ["--help"], ["run", "--help"]])
def test_looking(user, words):
    user.writes("train.py", "print('x')\n")
    user.does("run", "train.py")
    assert not set(loaded(user, *words)) & HEAVY
