"""Real uv over real wheels, made here: no network, nothing written outside the tests' directories."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from wheel_making import make_wheel

from scriptrun.spec.environment import PACKAGES, EnvironmentSpec

PIP_VARIABLES = ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT")


@pytest.fixture(autouse=True)
def own_uv(tmp_path_factory, monkeypatch):
    """uv with a cache of its own and nobody's settings."""
    home = tmp_path_factory.mktemp("uv")
    for name in [n for n in os.environ if n.startswith("UV_")] + list(PIP_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_CACHE_DIR", str(home / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


@pytest.fixture
def wheels(tmp_path) -> Path:
    """A folder of wheels: red 1.0 and 2.0, blue 1.0 (which needs red), old (for Python 3.8)."""
    folder = tmp_path / "wheels"
    make_wheel(folder, "red", "1.0")
    make_wheel(folder, "red", "2.0")
    make_wheel(folder, "blue", "1.0", needs=("red<2",))
    make_wheel(folder, "old", "1.0", tag="cp38")
    return folder


@pytest.fixture
def request_of(wheels):
    """Make a request whose packages come from ``wheels`` alone."""

    def make(*lines: str, **fields: object) -> EnvironmentSpec:
        options = ("--no-index", f"--find-links {wheels}")
        return EnvironmentSpec(PACKAGES, pip=lines, pip_options=options, **fields)

    return make


@pytest.fixture
def locks(tmp_path) -> Path:
    return tmp_path / "locks"


@pytest.fixture
def said() -> list[str]:
    """What was logged: hand ``said.append`` over."""
    return []
