"""RunConfigurations that hold no more than a ScriptRunConfig says are taken apart; others stay."""

from __future__ import annotations

import pytest
from tests.migration.versions import jobs, migrated

from scriptrun.migration.findings import LEFT
from scriptrun.workspace import Workspace

HEAD = """\
from azureml.core import Environment, ScriptRunConfig, Workspace
from azureml.core.conda_dependencies import CondaDependencies
from azureml.core.runconfig import DEFAULT_CPU_IMAGE, RunConfiguration

ws = Workspace.from_config()
env = Environment('mine')
"""
TAKE = "src = ScriptRunConfig('.', 'train.py', run_config=rc)\n"


@pytest.fixture(scope="module")
def root(tmp_path_factory, azureml):
    place = tmp_path_factory.mktemp("project")
    Workspace.create("place", path=place)
    return place


@pytest.fixture(autouse=True)
def in_place(root, monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_WORKSPACE", str(root))


@pytest.mark.parametrize(
    "code",
    [
        "rc = RunConfiguration()\nrc.target = 'gpu'\nrc.environment = env\n" + TAKE,
        "rc = RunConfiguration()\n# where\nrc.target = 'gpu'  # the big one\n" + TAKE,
        "rc = RunConfiguration(framework='python', conda_dependencies=CondaDependencies.create("
        "pip_packages=['tqdm']))\nrc.target = 'gpu'\n" + TAKE,
        "rc = RunConfiguration()\nrc.environment.docker.enabled = True\n"
        "rc.environment.docker.base_image = DEFAULT_CPU_IMAGE\n"
        "rc.environment.python.conda_dependencies = CondaDependencies.create(conda_packages=['x'])\n"
        + TAKE,
        "rc = RunConfiguration()\nrc.environment = env\n"
        "rc.environment.python.user_managed_dependencies = True\n" + TAKE,
        "def make(target):\n    rc = RunConfiguration()\n    rc.target = target + 'x'\n"
        "    return ScriptRunConfig(source_directory='.',\n                           run_config=rc,\n"
        "                           script='t.py')\nsrc = make('gpu')\n",
        "rc = RunConfiguration()\nrc.target = 'gpu'\n"
        + TAKE
        + "other = ScriptRunConfig('.', 'test.py', run_config=rc)\n",
    ],
)
def test_it_is_taken_apart(code):
    outcome = migrated(HEAD + code)
    new = outcome.new.decode()
    assert "RunConfiguration(" not in new and "run_config" not in new, outcome.findings
    assert new.count("#") == code.count("#")
    assert jobs(new) == jobs(HEAD + code), new
    assert not migrated(new).is_changed


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("rc.target = 'x'\n", "no ScriptRunConfig"),
        ("rc.node_count = 2\n" + TAKE, "node_count"),
        ("step = PythonScriptStep(runconfig=rc)\n" + TAKE, "something other"),
        ("rc.target = 'a'\nrc.target = 'b'\n" + TAKE, "just once"),
        ("if ws:\n    rc.target = 'a'\n" + TAKE, "just once"),
        (TAKE + "rc.target = 'a'\n", "just once"),
        ("print(rc.target)\n" + TAKE, "is read"),
        ("src = ScriptRunConfig('.', 'a.py', run_config=rc, compute_target='x')\n", "some of it"),
        ("rc.environment.docker.enabled = True\nrc.environment = env\n" + TAKE, "and then set"),
        (TAKE, "nothing is set"),
    ],
)
def test_what_is_not_certain_stays(code, reason):
    outcome = migrated(f"{HEAD}rc = RunConfiguration()\n{code}")
    assert not outcome.is_changed, outcome.diff
    (finding,) = outcome.findings
    assert finding.kind == LEFT and reason in finding.reason
