"""Kernels are found where Jupyter looks for them, and are what their files say."""

from __future__ import annotations

import json
import sys

import pytest

from scriptrun.dropin.notebook import kernel_specs


@pytest.fixture(autouse=True)
def directories(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "user"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "first"))
    monkeypatch.setattr(kernel_specs, "_SYSTEM", (str(tmp_path / "system"),))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "own"))


def write(folder, name, content):
    place = folder / "kernels" / name
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(content if isinstance(content, str) else json.dumps(content))


def test_the_first_directory_that_has_it_counts(tmp_path):
    places = ["first", "user", "env/share/jupyter", "own/share/jupyter", "system"]
    for number, place in enumerate(places):
        for name in [f"k{later}" for later in range(number, len(places))]:
            write(tmp_path / place, name, {"argv": [f"/{place}/python"]})
    for number, place in enumerate(places):
        spec = kernel_specs.find(f"k{number}", [str(tmp_path / "env")])
        assert spec.python == f"/{places[0]}/python", place
    write(tmp_path / "system", "last", {"argv": ["/system/python3.12"]})
    assert kernel_specs.find("last", []).python == "/system/python3.12"


def test_python_without_a_path_is_that_of_the_kernels_environment(tmp_path):
    env = tmp_path / "env"
    (env / "bin").mkdir(parents=True)
    (env / "bin" / "python").write_text("#!/bin/sh\n")
    (env / "bin" / "python").chmod(0o755)
    write(
        env / "share" / "jupyter", "a", {"argv": ["python"], "env": {"N": 1}, "language": "python"}
    )
    spec = kernel_specs.find("A", [str(env)])
    assert (spec.python, spec.variables) == (str(env / "bin" / "python"), {"N": "1"})
    write(tmp_path / "user", "b", {"argv": ["python3.12", "-m", "x"]})
    assert kernel_specs.find("b", [str(env)]).python == ""


@pytest.mark.parametrize("content", ["", "[]", "{", '{"argv": []}', '{"argv": "python"}', "{}"])
def test_a_damaged_file_is_no_kernel(tmp_path, content):
    write(tmp_path / "user", "k", content)
    assert kernel_specs.find("k", []) is None


@pytest.mark.parametrize("name", ["", "../k", "a/b", "k\0"])
def test_a_name_that_leads_elsewhere_is_no_kernel(tmp_path, name):
    write(tmp_path, "k", {"argv": ["/bin/python"]})
    assert kernel_specs.find(name, []) is None


def test_another_program_is_no_python(tmp_path):
    write(tmp_path / "user", "r", {"argv": ["/usr/bin/R"], "language": "R", "env": 3})
    spec = kernel_specs.find("r", [])
    assert (spec.python, spec.language, spec.program, spec.variables) == ("", "R", "/usr/bin/R", {})
