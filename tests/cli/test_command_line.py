"""What others see of this process's command line."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scriptrun.cli import command_line, crash_report

WORDS = ["run", "--env", "KEY=s3cr3t", "--env=B=s3cr3t", "--env", "PASSED", "--set", "a.b=s3cr3t"]
MASKED = ["run", "--env", "KEY=***", "--env=B=***", "--env", "PASSED", "--set", "a.b=***"]


def test_values_of_variables_and_fields_are_masked():
    assert command_line.masked(WORDS) == MASKED
    rest = ["train.py", "--", "--env", "K=dev"]
    assert command_line.masked([*WORDS, *rest]) == [*MASKED, *rest]


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux")
def test_the_system_shows_masked_arguments_also_of_a_fork(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\nfrom scriptrun.cli import command_line\n"
        "command_line.hide(sys.argv[1:])\n"
        "def show(): os.write(1, open('/proc/self/cmdline', 'rb').read() + b'\\n')\n"
        "if os.fork() == 0: show(); os._exit(0)\n"
        "os.wait(); show()\n"
        "assert 'KEY=s3cr3t' in sys.argv"
    )
    shown = subprocess.check_output([sys.executable, script, *WORDS]).splitlines()
    assert len(shown) == 2
    for line in shown:
        words = line.rstrip(b"\0").split(b"\0")
        assert [word.decode() for word in words[2:]] == MASKED


def test_words_of_another_command_line_are_left_alone():
    before = Path("/proc/self/cmdline").read_bytes() if sys.platform == "linux" else b""
    command_line.hide(["--env", "NOT=mine"])
    assert not before or Path("/proc/self/cmdline").read_bytes() == before


def test_a_bug_report_is_private_and_shows_no_values(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["scriptrun", *WORDS])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path, _ = crash_report.write_down(ValueError("broken"))
    text = Path(path).read_text()
    assert "s3cr3t" not in text and "'KEY=***'" in text
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
