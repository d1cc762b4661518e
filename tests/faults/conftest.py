"""What fault tests need of the machine; with CI=true a missing part fails instead of skipping."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess

import pytest
from machine import lacking


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts a file system of a size (``4m``) of its own; unmounted afterwards."""
    mounted = []

    def mount(size):
        place = tmp_path / f"disk-{len(mounted)}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place]
        done = None
        if os.geteuid() == 0 and shutil.which("mount"):
            done = subprocess.run(command, capture_output=True)
        if done is None or done.returncode != 0:
            lacking("a small file system cannot be mounted here (it takes root)")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        with contextlib.suppress(OSError):
            subprocess.run(["umount", "-l", place], capture_output=True)


@pytest.fixture
def bound_by_permissions():
    """The words that start a command for which files' permissions count, even if we are root."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        lacking("root reads and writes everything, and setpriv is not there to prevent it")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
