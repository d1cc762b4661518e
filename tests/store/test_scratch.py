"""Temporary folders, and what a killed process leaves of them."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys

import pytest

from scriptrun.store import scratch
from scriptrun.testing.jobs import PATIENCE

pytestmark = pytest.mark.skipif(os.name != "posix", reason="only on POSIX")

HOLD = """
import sys, time
from scriptrun.store.scratch import Scratch
with Scratch("build", sys.argv[1]) as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    process.folder = process.stdout.readline().strip()
    yield process
    process.kill()
    process.communicate(timeout=PATIENCE)


def test_it_is_private_and_removed(tmp_path):
    with scratch.Scratch("lock", str(tmp_path)) as folder:
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        assert "lock" in os.path.basename(folder)
    assert not list(tmp_path.iterdir())


def test_the_next_one_removes_what_a_killed_process_left(tmp_path, holder):
    (tmp_path / "other").mkdir()
    holder.send_signal(signal.SIGKILL)
    holder.wait(PATIENCE)
    assert os.path.isdir(holder.folder)
    with scratch.Scratch("other", str(tmp_path)) as folder:
        assert sorted(os.listdir(tmp_path)) == sorted(["other", os.path.basename(folder)])


def test_a_living_ones_is_left_alone(tmp_path, holder):
    with scratch.Scratch("other", str(tmp_path)):
        assert os.path.isdir(holder.folder)
    holder.communicate("", timeout=PATIENCE)
    assert not os.path.exists(holder.folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only as root")
def test_another_users_is_left_alone(tmp_path):
    theirs = tmp_path / f"{scratch.PREFIX}build-theirs"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    scratch.sweep(str(tmp_path))
    assert theirs.is_dir()
