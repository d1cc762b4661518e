"""Requirements are refused for the reasons for which uv would refuse them."""

from __future__ import annotations

import subprocess

import pytest

from scriptrun import CondaDependencies, Environment, Workspace
from scriptrun.environments.uv import requirements as uv_requirements
from scriptrun.environments.uv import tool as uv_tool
from scriptrun.spec import requirement_syntax
from scriptrun.spec.environment import EXACT, PACKAGES, RELAX, EnvironmentSpec
from scriptrun.spec.errors import UserErrorException

INVALID = {
    "foo==1.0 bar": "unexpected '==1.0 bar'",
    "scikit learn": "give each package its own line",
    "numpy 1.2": "use numpy==1.2",
    "numpy=1.2": "use numpy==1.2",
    "numpy[extra]~1.2": "use numpy[extra]~=1.2",
    "numpy=>1.2": "use numpy>=1.2",
    "pandas>>1": "use pandas>1",
    "requests[security": "']' is missing",
    "numpy (>=1": "')' is missing",
    "torch==1.*.2": "unexpected",
    "numpy==latest": "unexpected '==latest'",
    "numpy>=1.0.*": "can only be used with",
    "==3": "begin with the name of a package",
    '"six"': "begin with the name of a package",
    "numpy@1.0": "use numpy==1.0",
    'wheel ; python_version > "3': "marker",
    "numpy ; python_versoin > '3'": "marker",
}
VALID = [
    "numpy",
    "numpy==1.26.4",
    "numpy [extra, more] >= 1.0 , < 2",
    "numpy (>=1.2)",
    "numpy==1.19,",
    "numpy~=1.2",
    "numpy==1.0.post1+local",
    "numpy!=1.5.*; python_version < '3.8' and sys_platform == \"linux\"",
    "numpy; (python_version < '3.8' or os_name == 'nt')",
    "numpy==1.26.4 --hash=sha256:00",
    "numpy==1.26.4  # the last for Python 3.9",
]


@pytest.mark.parametrize("line", INVALID)
def test_a_requirement_that_cannot_be_parsed(line):
    assert INVALID[line] in requirement_syntax.problem(line)


@pytest.mark.parametrize("line", VALID)
def test_a_requirement(line):
    assert not requirement_syntax.problem(line)


@pytest.mark.parametrize(
    "line",
    [
        "-e ./lib",
        "--index-url https://x/simple",
        "./lib[extra]",
        "/wheels/x-1-py3-none-any.whl",
        "x-1-py3-none-any.whl",
        "git+https://x/y.git@main#egg=y",
        "name @ https://x/y.whl",
        "# comment",
        "${secret:NAME}",
        "",
    ],
)
def test_options_paths_and_addresses_are_not_judged(line):
    assert not requirement_syntax.problem(line)


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("NO_SUCH_VERSION", raising=False)
    assert requirement_syntax.problem("numpy==${NO_SUCH_VERSION}") == (
        "the variable NO_SUCH_VERSION is not set"
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a" + " " * 500_000 + "b", "give each package its own line"),
        ("a-" * 500_000, "longer than 10,000 characters"),
        ("a ; " + "(" * 9_000, "nested too deeply"),
    ],
)
def test_hostile_lines_are_refused_at_once(line, reason):
    assert reason in requirement_syntax.problem(line)


def test_uv_thinks_the_same(tmp_path):
    """What we refuse, uv cannot parse; what we take, it can."""
    for line in [*INVALID, *VALID]:
        (tmp_path / "r.txt").write_text(line.partition(" --hash")[0] + "\n")
        command = [uv_tool.binary(), "pip", "compile", "--offline", "--no-deps", "--no-index"]
        done = subprocess.run(
            [*command, str(tmp_path / "r.txt")], capture_output=True, text=True, cwd=tmp_path
        )
        cannot_parse = "Couldn't parse" in done.stderr or "Unexpected '" in done.stderr
        assert cannot_parse == (line in INVALID), done.stderr


@pytest.mark.parametrize("pins", [EXACT, RELAX])
@pytest.mark.parametrize(
    "line", ["pytz==2004d", "torch==1.*.2", "numpy>=1.0.*; python_version < '4'"]
)
def test_versions_that_only_old_code_has_are_for_relaxed_pins(tmp_path, line, pins):
    """A file is read the same for both; relaxed pins get another version."""
    (tmp_path / "r.txt").write_text(f"{line}\n")
    read = Environment.from_pip_requirements("x", tmp_path / "r.txt")
    assert line in read.python.conda_dependencies.pip_packages
    spec = EnvironmentSpec(kind=PACKAGES, pip=(line,), pins=pins)
    assert [line in each for each in uv_requirements.problems(spec)] == [True] * (pins == EXACT)


def test_an_environment_is_refused_before_it_is_registered(tmp_path):
    workspace = Workspace.create("w", path=tmp_path)
    environment = Environment("mine")
    environment.python.conda_dependencies = CondaDependencies.create(
        pip_packages=["numpy=1.2", "pandas", "scikit learn"]
    )
    with pytest.raises(UserErrorException, match="2 problems"):
        environment.register(workspace)
    assert "mine" not in Environment.list(workspace)


def test_files_are_refused_with_all_their_lines(tmp_path):
    (tmp_path / "r.txt").write_text("numpy\n-r more.txt\nfoo=1\n")
    (tmp_path / "more.txt").write_text("# comment\npandas>>1\n")
    with pytest.raises(UserErrorException) as caught:
        Environment.from_pip_requirements("x", tmp_path / "r.txt")
    assert f"{tmp_path}/more.txt, line 2: invalid requirement 'pandas>>1'" in str(caught.value)
    assert f"{tmp_path}/r.txt, line 3: invalid requirement 'foo=1'" in str(caught.value)
    (tmp_path / "c.yml").write_text("dependencies:\n- python=3.11\n- pip:\n  - foo=1\n")
    with pytest.raises(UserErrorException, match=r"c\.yml, line 4: invalid requirement 'foo=1'"):
        Environment.from_conda_specification("x", tmp_path / "c.yml")
