"""Pythons that uv brings: a real interpreter of this machine, packed, stands for the download."""

import hashlib
import json
import os
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from scriptrun.environments import ensure
from scriptrun.environments.interpreter import discovery as interpreter_discovery
from scriptrun.environments.interpreter import download as interpreter_download
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException


@pytest.fixture
def only_own(tmp_path, monkeypatch):
    """No Python is here but the one that runs this."""
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "pythons"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(interpreter_discovery, "_SYSTEM", ())


def packed(prefix: Path, target: Path) -> None:
    """The interpreter below ``prefix``, without what its tests and packages weigh."""

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        unwanted = {
            "test",
            "site-packages",
            "__pycache__",
            "share",
            "include",
            "idlelib",
            "ensurepip",
        }
        return (
            None if unwanted & set(member.name.split("/")) or member.name.endswith(".a") else member
        )

    with tarfile.open(target, "w:gz", compresslevel=1) as tar:
        tar.add(prefix, "python", filter=kept)


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Let uv know of one download: Python 3.X of this machine (not our own minor version)."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    own = f"{sys.version_info[0]}.{sys.version_info[1]}."
    there = sorted(each for each in root.glob("3.*") if not each.name.startswith(own))
    if not there:
        pytest.skip("this machine has no Python of pyenv that could be packed")
    prefix = next((each for each in there if each.name.startswith("3.8.")), there[-1])
    archive = tmp_path / "python.tar.gz"
    packed(prefix, archive)
    major, minor, patch = map(int, prefix.name.split("."))
    download = {
        "name": "cpython",
        "arch": {"family": platform.machine(), "variant": None},
        "os": "linux",
        "libc": "gnu",
        "major": major,
        "minor": minor,
        "patch": patch,
        "prerelease": "",
        "url": archive.as_uri(),
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "variant": None,
        "build": "1",
    }
    known = tmp_path / "downloads.json"
    known.write_text(
        json.dumps({f"cpython-{prefix.name}-linux-{platform.machine()}-gnu": download})
    )
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(known))
    return prefix.name, archive


def test_uv_brings_a_python_that_is_not_here(offer, only_own, locks, said, tmp_path):
    version, _ = offer
    minor = version.rpartition(".")[0]
    spec = EnvironmentSpec("packages", python=minor)
    assert ensure.check(spec) == []
    ready = ensure.ensure(spec, locks, said.append)
    assert any(f"downloading {version} with uv" in line for line in said)
    code = "import sys; print(sys.base_prefix, sys.version_info[:3])"
    where = subprocess.check_output([ready.python, "-c", code], text=True)
    assert str(tmp_path / "pythons") in where and str(tuple(map(int, version.split(".")))) in where
    assert interpreter_discovery.missing(f"=={minor}.*") == "" and interpreter_download.obtain(
        minor, said.append, lambda: False
    )


def test_what_cannot_be_brought_is_a_sentence(offer, only_own, locks, said, monkeypatch):
    version, archive = offer
    minor = version.rpartition(".")[0]
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    archive.unlink()
    with pytest.raises(EnvironmentException) as caught:
        ensure.ensure(EnvironmentSpec("packages", python=minor), locks, said.append)
    assert f"uv failed to download {version}" in caught.value.message
    assert own in caught.value.message and "UV_PYTHON_INSTALL_MIRROR" in caught.value.hint
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    (reason,) = ensure.check(EnvironmentSpec("packages", python=minor))
    assert f"installed: {own}" in reason and "UV_PYTHON_DOWNLOADS=never" in reason
    monkeypatch.delenv("UV_PYTHON_DOWNLOADS")
    (reason,) = ensure.check(EnvironmentSpec("packages", python="3.47"))
    assert "3.47" in reason and "uv python install" in reason
