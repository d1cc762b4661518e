"""A conda channel of this machine's own Python, made once for all workers of a test session."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

MAKER = Path(__file__).parent.parent / "ci" / "conda" / "channel.py"
sys.path.insert(0, str(MAKER.parent))
from channel import ODD  # noqa: E402, F401 (for tests)


@pytest.fixture(scope="session")
def conda_channel(tmp_path_factory) -> Path:
    """The channel; tests that change packages copy it first."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    channel = shared / "conda-channel"
    with open(shared / "conda-channel.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (channel / "made").exists():
            subprocess.run([sys.executable, MAKER, channel], check=True)
            (channel / "made").touch()
    return channel


@pytest.fixture(scope="session")
def conda_cache(tmp_path_factory) -> Path:
    """rattler's cache of a worker: what one test has unpacked, the next one links."""
    return tmp_path_factory.mktemp("rattler")


@pytest.fixture
def conda(conda_channel, conda_cache, monkeypatch) -> str:
    """The channel's address; nobody's settings for conda count."""
    for name in [each for each in os.environ if each.startswith(("CONDA_", "MAMBA_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("SCRIPTRUN_CONDA", raising=False)
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(conda_cache))
    monkeypatch.setenv("CONDARC", os.devnull)
    return conda_channel.as_uri()
