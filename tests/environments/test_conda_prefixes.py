"""Conda environments that are there: found where tools keep them, read, and built again."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from wheel_making import make_wheel

from scriptrun.environments.conda import prefixes as conda_prefixes
from scriptrun.environments.ensure import ensure
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.spec.environment import CONDA, EnvironmentSpec


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A home with nothing in it, and no environment active."""
    for name in [each for each in os.environ if each.startswith(("CONDA", "MAMBA"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prefix(path: Path) -> str:
    (path / "conda-meta").mkdir(parents=True)
    return str(path)


def test_environments_of_all_tools_are_found_by_name(home, monkeypatch):
    (home / ".conda").mkdir()
    noted = prefix(home / "somewhere" / "noted")
    (home / ".conda" / "environments.txt").write_text(f"{home}/gone/mine\n{noted}\n")
    places = {
        "noted": noted,
        "forged": prefix(home / "miniforge3" / "envs" / "forged"),
        "micro": prefix(home / "roots" / "envs" / "micro"),
        "listed": prefix(home / "team" / "listed"),
        "condarc": prefix(home / "rc" / "condarc"),
        "test": prefix(home / "project" / ".pixi" / "envs" / "test"),
        "beside": prefix(home / "own" / "envs" / "beside"),
        "active": prefix(home / "own" / "envs" / "active"),
    }
    monkeypatch.setenv("MAMBA_ROOT_PREFIX", str(home / "roots"))
    monkeypatch.setenv("CONDA_ENVS_PATH", str(home / "team"))
    monkeypatch.setenv("CONDA_PREFIX", places["active"])
    (home / ".condarc").write_text(f"envs_dirs: [{home}/rc]\n")
    (home / "project" / "below").mkdir()
    monkeypatch.chdir(home / "project" / "below")
    assert {name: conda_prefixes.find(name) for name in places} == places
    assert conda_prefixes.find(noted) == noted
    assert conda_prefixes.find("mine") is None
    assert conda_prefixes.find("base") is None
    base = prefix(home / "own")
    assert conda_prefixes.find("base") == base


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://conda.anaconda.org/conda-forge/linux-64", "conda-forge"),
        ("https://conda.anaconda.org/conda-forge/", "conda-forge"),
        ("conda-forge", "conda-forge"),
        ("https://repo.anaconda.com/pkgs/main/linux-64", "defaults"),
        ("https://mirror.example.org/team/noarch", "https://mirror.example.org/team"),
        ("<unknown>", ""),
    ],
)
def test_channels_are_named_as_people_write_them(address, name):
    assert conda_prefixes.channel_name(address) == name


def test_a_real_prefix_is_read_and_built_again(home, conda, wheels, locks, said, tmp_path):
    ready = ensure(
        EnvironmentSpec(CONDA, conda=("pin", "tool"), channels=(conda,)), locks, said.append
    )
    make_wheel(wheels, "added", "1.2")
    words = ["pip", "install", "--no-index", "--find-links", str(wheels), "added"]
    own = subprocess.check_output([ready.python, "-c", "import sys; print(sys.version.split()[0])"])
    command = [uv_tool.binary(), *words, "--python", ready.python]
    subprocess.run(command, check=True, capture_output=True)
    found = conda_prefixes.content(ready.place)
    assert found["channels"] == [conda]
    assert found["dependencies"] == [
        *("blue=1.0", "pin=1.0", f"python={own.decode().strip()}", "red=1.0", "tool=1.0"),
        {"pip": ["added==1.2"]},
    ]
    [added] = Path(ready.sites[0]).glob("added-*.dist-info")
    told = {"url": "https://example.org/a.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}
    (added / "direct_url.json").write_text(json.dumps(told))
    assert "added @ git+https://example.org/a.git@abc" in found_pip(ready.place)
    again = EnvironmentSpec(
        CONDA, conda=tuple(found["dependencies"][:-1]), channels=tuple(found["channels"])
    )
    assert ensure(again, tmp_path / "others", said.append).lock["conda"] == ready.lock["conda"]


def found_pip(place: str) -> list[str]:
    return conda_prefixes.content(place)["dependencies"][-1]["pip"]
