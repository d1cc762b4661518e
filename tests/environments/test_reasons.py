from __future__ import annotations

import json

import pytest
from wheel_making import make_wheel

from scriptrun.environments import dependency_paths, ensure


def test_what_pulled_what(request_of, locks, said, wheels):
    make_wheel(wheels, "top", "1.0", needs=("blue", "red; extra == 'colours'"))
    ready = ensure.ensure(request_of("top", name="t"), locks, said.append)
    parents = dependency_paths.reverse_dependencies(ready.sites)
    assert parents == {"top": [], "blue": ["top"], "red": ["blue", "top[colours]"]}
    assert dependency_paths.shortest_chain("blue", parents, ["Top>=1"]) == ["top", "blue"]
    assert dependency_paths.shortest_chain("top", parents, ["top"]) == ["top"]
    assert dependency_paths.shortest_chain("red", parents, ["red", "top"]) == ["red"]
    assert dependency_paths.shortest_chain("red", parents, []) == []


def test_conda_packages_say_what_they_depend_on(tmp_path):
    meta = tmp_path / "conda-meta"
    meta.mkdir()
    records = {"numpy": ["python >=3.11,<3.12.0a0", "libblas"], "python": [], "libblas": []}
    for name, depends in records.items():
        (meta / f"{name}-1-0.json").write_text(json.dumps({"name": name, "depends": depends}))
    (meta / "history").write_text("")
    parents = dependency_paths.reverse_dependencies((), str(tmp_path))
    assert parents == {"numpy": [], "python": ["numpy"], "libblas": ["numpy"]}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Scikit_Learn[all]>=1; python_version > '3'", "scikit-learn"),
        ("conda-forge::numpy=1.16", "numpy"),
        ("six @ https://example.org/six.whl", "six"),
        ("./lib", ""),
        ("git+https://example.org/x.git", ""),
        ("", ""),
    ],
)
def test_names_in_requirements(line, name):
    assert dependency_paths.requirement_name(line) == name
