"""Environments of packages: a disk that fills during the build leaves nothing that counts as one."""

import os
import zipfile

import pytest
from wheel_making import make_wheel

from scriptrun.environments import ensure
from scriptrun.environments.lookup import find
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException


def test_a_disk_that_fills_during_a_build(small_disk, tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with zipfile.ZipFile(make_wheel(tmp_path / "wheels", "big"), "a") as wheel:
        wheel.writestr("big-data.bin", os.urandom(4 << 20))
    options = ("--no-index", f"--find-links {tmp_path / 'wheels'}")
    spec = EnvironmentSpec("packages", pip=("big",), pip_options=options)
    disk = small_disk("3m")
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(disk / "cache"))
    with pytest.raises(EnvironmentException, match="No space left on device") as caught:
        ensure.ensure(spec, tmp_path / "locks", lambda _: None)
    assert "SCRIPTRUN_CACHE" in caught.value.hint
    assert find(spec, tmp_path / "locks") is None
    assert not list((disk / "cache" / "environments").rglob("big-data.bin"))
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(tmp_path / "cache"))
    assert not ensure.ensure(spec, tmp_path / "locks", lambda _: None).cached
