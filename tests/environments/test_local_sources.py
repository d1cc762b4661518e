"""A requirement that is a directory here is built anew when what is in it has changed."""

from __future__ import annotations

import subprocess

import pytest

from scriptrun.environments import ensure
from scriptrun.environments.uv import local_sources
from scriptrun.spec.environment import PACKAGES, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "mylib"
version = "1"
[tool.setuptools]
py-modules = ["mylib"]
"""


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "my lib"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "mylib.py").write_text("answer = 1\n")
    return folder


def spec_of(library):

    lines = (str(library),)
    return EnvironmentSpec(PACKAGES, pip=lines, local=local_sources.digests([str(library)]))


def answer(ready):
    code = "import mylib; print(mylib.answer)"
    return subprocess.run([ready.python, "-c", code], capture_output=True, text=True).stdout.strip()


@pytest.mark.network
@pytest.mark.slow
def test_a_changed_directory_is_built_anew(tmp_path, library):
    plain = library.rename(tmp_path / "mylib")
    locks, said = tmp_path / "locks", []
    first = ensure.ensure(spec_of(plain), locks, said.append)
    assert answer(first) == "1"
    (plain / "mylib.py").write_text("answer = 2\n")
    second = ensure.ensure(spec_of(plain), locks, said.append)
    assert answer(second) == "2"
    assert first.key != second.key
    assert answer(first) == "1", "the first one's place stays as it was"


@pytest.mark.network
@pytest.mark.slow
def test_what_has_changed_since_it_was_locked_is_not_installed(tmp_path, library, monkeypatch):
    plain = library.rename(tmp_path / "mylib")
    locks = tmp_path / "locks"
    first = ensure.ensure(spec_of(plain), locks, print)
    spec = spec_of(plain)
    (plain / "mylib.py").write_text("answer = 3\n")
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(tmp_path / "another"))
    with pytest.raises(EnvironmentException, match="has changed since"):
        ensure.ensure(spec, locks, print, lockfile=first.lock)


def test_paths_are_found_in_all_forms(library):
    for text in (
        f"{library}",
        f"{library}[extra]; os_name == 'posix'",
        f"mylib @ file://{library}",
    ):
        assert local_sources.local_path(text) == str(library)
    assert local_sources.local_path("six==1.0") is None
    assert local_sources.local_path("/no/such/thing") is None
