"""The command line as processes of their own, in a bench's workspace."""

from __future__ import annotations

import subprocess
import sys

from scriptrun.testing.jobs import PATIENCE


def start(bench, *words):
    """Start a command; ``ended`` waits for it."""
    return subprocess.Popen(
        [sys.executable, "-m", "scriptrun", *words],
        cwd=bench.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    """Wait for a command's end; its exit code, and what it wrote to both streams."""
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in out + err
    return process.returncode, out, err


def command(bench, *words):
    """Run a command to its end; see ``ended``."""
    return ended(start(bench, *words))
