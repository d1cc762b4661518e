"""Projects of uv and headers of scripts as environments: real uv locks over wheels made here."""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from wheel_making import make_wheel

from scriptrun import Environment, ScriptRunConfig
from scriptrun.config import describe
from scriptrun.config.environments import uv_project
from scriptrun.config.environments.request import environment_spec
from scriptrun.environments import ensure
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.spec.errors import EnvironmentException

HEADER = """\
#!/usr/bin/env python
# /// script
# requires-python = ">=3.8"
# dependencies = ["violet", "mine[more]; python_version >= '3'"]
# [[tool.uv.index]]
# name = "house"
# url = "{index}"
# explicit = true
# [tool.uv.sources]
# violet = {{ index = "house" }}
# mine = {{ path = "wheels/mine-1.0-py3-none-any.whl" }}
# ///
import violet
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An index below ``index``, wheels below ``wheels``, and uv with nobody's settings."""
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_DEFAULT_INDEX", (tmp_path / "none").as_uri())
    (tmp_path / "none").mkdir()
    make_wheel(tmp_path / "index" / "violet", "violet", "1.0")
    make_wheel(tmp_path / "wheels", "mine", "1.0")
    return tmp_path


def link(folder: Path, name: str) -> None:
    """Make the page of a package in the index."""
    place = folder / "index" / name
    (place / "index.html").write_text("".join(map(_line, sorted(place.glob("*.whl")))))


def _line(wheel: Path) -> str:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f'<a href="{wheel.name}#sha256={digest}">{wheel.name}</a>\n'


def built(made: Environment, folder: Path) -> ensure.ReadyEnvironment:
    return ensure.ensure(environment_spec(made), folder / "locks", lambda _: None)


def test_a_scripts_header_says_what_it_runs_in(folder):
    link(folder, "violet")
    script = folder / "train.py"
    script.write_text(HEADER.format(index=(folder / "index").as_uri()))
    config = ScriptRunConfig(str(folder), script="train.py")
    described = describe.describe(config)
    assert described.environment.python == ">=3.8" and described.environment.name == "train.py"
    conda = described.run_definition["environment"]["python"]["condaDependencies"]
    assert conda["uv"]["index"][0]["explicit"] is True
    ready = ensure.ensure(described.environment, folder / "locks", lambda _: None)
    code = "import violet, mine; print(violet.VERSION, mine.VERSION)"
    assert subprocess.check_output([ready.python, "-c", code], text=True).strip() == "1.0 1.0"
    again = yaml.safe_load(
        Environment.from_script("e", script).python.conda_dependencies.serialize_to_string()
    )
    assert again["uv"]["sources"] == {"violet": {"index": "house"}}


def test_an_environment_that_was_chosen_stands_over_the_header(folder):
    (folder / "train.py").write_text(HEADER.format(index="https://index.invalid/simple"))
    mine = Environment("mine")
    mine.python.user_managed_dependencies = True
    described = describe.describe(ScriptRunConfig(str(folder), script="train.py", environment=mine))
    assert described.environment.kind == "interpreter" and described.environment.name == "mine"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("# /// script\n# dependencies = [\n# ///\n", "is not valid TOML"),
        ("# /// script\n# dependencies = 'numpy'\n# ///\n", "must be a list of strings"),
        ("# /// script\n# requires-python = 3\n# ///\n", "'requires-python' must be a string"),
        ("# /// script\n# requires-python = 'new'\n# ///\n", "invalid requires-python = 'new'"),
        ("# /// script\n# dependencies = []\nimport six\n", "is not closed"),
        ("# /// script\n# dependencies = []\n# ///\n\n" * 2, "has 2 '# /// script' blocks"),
        ("# /// script\n# [tool.uv.sources]\n# a = {workspace = true}\n# ///\n", "workspace"),
        ("print('none')\n", "no inline script metadata"),
    ],
)
def test_headers_that_cannot_be_understood(tmp_path, header, said):
    (tmp_path / "s.py").write_text(header)
    with pytest.raises(EnvironmentException, match=said):
        Environment.from_script("s", tmp_path / "s.py")


PROJECT = """\
[project]
name = "lilac"
version = "3"
requires-python = ">=3.8"
dependencies = ["violet"]
[project.optional-dependencies]
more = ["mine"]
[dependency-groups]
dev = ["red"]
docs = ["blue"]
[[tool.uv.index]]
url = "index"
default = true
"""


@pytest.fixture
def project(folder, monkeypatch):
    for name in ("red", "blue", "mine"):
        make_wheel(folder / "index" / name, name, "1.0")
    for place in (folder / "index").iterdir():
        link(folder, place.name)
    (folder / "pyproject.toml").write_text(PROJECT)
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    lock(folder)
    make_wheel(folder / "index" / "violet", "violet", "2.0")
    link(folder, "violet")
    return folder


def lock(folder: Path) -> None:
    uv_tool.run(["lock", "--project", str(folder)], str(folder), lambda _: None, lambda: False)


def versions(ready: ensure.ReadyEnvironment) -> set[str]:
    code = "import importlib.metadata as m; print(*(d.name + d.version for d in m.distributions()))"
    return set(subprocess.check_output([ready.python, "-I", "-c", code], text=True).split())


def test_a_project_has_what_its_lock_says(project):
    made = Environment.from_uv_project("lilac", project)
    assert versions(built(made, project)) == {"violet1.0", "red1.0"}, (
        "uv.lock stands, not the index"
    )
    more = Environment.from_uv_project("lilac", project, groups=["docs"], extras=["more"])
    assert versions(built(more, project)) == {"violet1.0", "mine1.0", "blue1.0"}
    assert Environment.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    (project / ".python-version").write_text("# ours\ncpython@3.11\n")
    assert uv_project.read_project(project, None, (), True).get_python_version() == "3.11"


def test_a_wheel_that_is_another_than_the_locked_one_is_refused(project):
    lock = project / "uv.lock"
    assert "sha256:" in lock.read_text()
    lock.write_text(re.sub("sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", lock.read_text()))
    with pytest.raises(EnvironmentException, match="not match the lockfile"):
        built(Environment.from_uv_project("lilac", project), project)


@pytest.mark.parametrize("missing", ["pyproject.toml", "uv.lock"])
def test_what_is_missing_is_said(project, missing):
    (project / missing).unlink()
    with pytest.raises(EnvironmentException, match=f"{missing}' does not exist"):
        Environment.from_uv_project("lilac", project)
    (project / missing).write_text("= no")
    with pytest.raises(EnvironmentException):
        Environment.from_uv_project("lilac", project)


def test_a_script_with_a_lock_beside_it(folder):
    link(folder, "violet")
    script = folder / "locked.py"
    index = (folder / "index").as_uri()
    script.write_text(
        f'# /// script\n# dependencies = ["violet"]\n# [[tool.uv.index]]\n# url = "{index}"\n# ///\n'
    )
    uv_tool.run(["lock", "--script", str(script)], str(folder), lambda _: None, lambda: False)
    make_wheel(folder / "index" / "violet", "violet", "2.0")
    link(folder, "violet")
    assert versions(built(Environment.from_script("s", script), folder)) == {"violet1.0"}
