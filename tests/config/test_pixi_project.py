"""A project of pixi as an environment: a lock that rattler wrote, over a channel made here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from index_server import serving
from wheel_making import make_wheel

from scriptrun import Environment
from scriptrun.environments import ensure
from scriptrun.environments.conda import platforms as conda_platforms
from scriptrun.preparation import build as build_environment
from scriptrun.spec.errors import EnvironmentException

#: writes a lock of version 7 as pixi does, with conda's blue 1.0 (not the newest) and red
WRITE = """\
import asyncio, os, pathlib, rattler, sys
from rattler.lock import LockChannel, LockFile, LockPlatform
channel, cache, wheel, subdir, path = sys.argv[1:]
records = asyncio.run(rattler.solve(
    sources=[rattler.Channel(channel)], specs=[rattler.MatchSpec("blue 1.0"), rattler.MatchSpec("python")],
    gateway=rattler.Gateway(cache_dir=pathlib.Path(cache)), virtual_packages=[],
))
platform = LockPlatform(subdir)
lock = LockFile([platform])
lock.set_channels("default", [LockChannel(channel)])
for each in records:
    lock.add_conda_package("default", platform, each)
lock.add_pypi_package("default", platform, "mauve", "4", wheel)
lock.to_path(pathlib.Path(path))
os._exit(0)
"""


@pytest.fixture
def project(conda, tmp_path):
    """A folder with a lock, of this platform unless told otherwise."""
    pytest.importorskip("rattler")
    wheel = make_wheel(tmp_path / "wheels", "mauve", "4")

    def made(subdir: str = "") -> Path:
        arguments = [
            conda,
            str(tmp_path / "repodata"),
            wheel.as_uri(),
            subdir or conda_platforms.subdir(),
        ]
        line = [sys.executable, "-c", WRITE, *arguments, str(tmp_path / "pixi.lock")]
        subprocess.run(line, check=True)
        return tmp_path

    return made


def test_a_project_has_what_its_lock_says(project, conda, tmp_path):
    made = Environment.from_pixi_project("ours", project())
    assert Environment.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    spec = build_environment.spec_of(made)
    ready = ensure.ensure(spec, tmp_path / "locks", lambda _: None)
    code = "import blue, mauve; print(blue.__file__, mauve.VERSION)"
    said = subprocess.check_output([ready.python, "-c", code], text=True)
    assert str(ready.place) in said and said.strip().endswith("4")
    locked = {each["name"]: each["version"] for each in ready.lock["conda"]}
    assert locked["blue"] == "1.0" and all(each["sha256"] for each in ready.lock["conda"])


def test_what_there_is_not_is_said(project, tmp_path):
    with pytest.raises(EnvironmentException, match=r"pixi\.lock' does not exist"):
        Environment.from_pixi_project("ours", tmp_path)
    folder = project()
    with pytest.raises(EnvironmentException, match="no environment 'gpu'") as caught:
        Environment.from_pixi_project("ours", folder, "gpu")
    assert "default" in caught.value.hint
    (folder / "pixi.lock").write_text("version: 6\nno: lock\n")
    with pytest.raises(EnvironmentException):
        Environment.from_pixi_project("ours", folder)
    other = "osx-arm64" if conda_platforms.subdir() != "osx-arm64" else "win-64"
    project(other)
    with pytest.raises(EnvironmentException, match=f"has no packages for .*{other}"):
        Environment.from_pixi_project("ours", folder)


#: as pixi writes it, version 6: PyPI's packages by address and digest
SIX = """\
version: 6
environments:
  default:
    channels:
    - url: {channel}
    indexes:
    - {index}
    packages:
      {subdir}:
      - pypi: {index}violet/violet-1.0-py3-none-any.whl
packages:
- pypi: {index}violet/violet-1.0-py3-none-any.whl
  name: violet
  version: '1.0'
  sha256: {digest}
"""


def test_a_lock_of_version_six_without_a_python(conda, tmp_path):
    pytest.importorskip("rattler")
    make_wheel(tmp_path / "index" / "violet", "violet", "1.0")
    with serving(tmp_path / "index") as host:
        text = SIX.format(
            channel=conda, index=f"http://{host}/", subdir=conda_platforms.subdir(), digest="0" * 64
        )
    (tmp_path / "pixi.lock").write_text(text)
    made = Environment.from_pixi_project("ours", tmp_path)
    assert made.python.conda_dependencies.pip_packages == [f"violet==1.0 --hash=sha256:{'0' * 64}"]
    with pytest.raises(EnvironmentException, match="has no Python"):
        ensure.ensure(build_environment.spec_of(made), tmp_path / "locks", lambda _: None)
