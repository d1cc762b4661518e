"""All builders pass the shipped suite, against the real uv, real interpreters and real packages."""

from __future__ import annotations

import sys

import pytest

from scriptrun.spec.environment import CONDA, INTERPRETER, PACKAGES, EnvironmentSpec
from scriptrun.testing.builders import BuilderSuite, BuildingSuite


@pytest.fixture(autouse=True)
def own_uv_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path_factory.mktemp("uv-cache")))


class TestExisting(BuilderSuite):
    @pytest.fixture
    def spec(self):
        return EnvironmentSpec(INTERPRETER, interpreter=sys.executable)

    @pytest.fixture
    def other(self):
        return EnvironmentSpec(INTERPRETER, interpreter=sys._base_executable)

    @pytest.fixture
    def hopeless(self, tmp_path):
        return EnvironmentSpec(INTERPRETER, interpreter=str(tmp_path / "bin" / "python"))

    @pytest.fixture
    def hopeless_word(self, tmp_path):
        return str(tmp_path / "bin" / "python")


@pytest.mark.network
class TestUv(BuildingSuite):
    @pytest.fixture
    def spec(self):
        return EnvironmentSpec(PACKAGES, pip=("six==1.16.0",))

    @pytest.fixture
    def other(self):
        return EnvironmentSpec(PACKAGES, pip=("iniconfig==2.0.0",))

    @pytest.fixture
    def hopeless(self):
        return EnvironmentSpec(PACKAGES, pip=("six==99.0",))

    @pytest.fixture
    def hopeless_word(self):
        return "six==99.0"


class TestConda(BuildingSuite):
    @pytest.fixture
    def spec(self, conda):
        return EnvironmentSpec(CONDA, conda=("pin",), channels=(conda,))

    @pytest.fixture
    def other(self, conda):
        return EnvironmentSpec(CONDA, conda=("green=1.0=fast_0",), channels=(conda,))

    @pytest.fixture
    def hopeless(self, conda):
        return EnvironmentSpec(CONDA, conda=("blue=2", "red=1"), channels=(conda,))

    @pytest.fixture
    def hopeless_word(self):
        return "red"
