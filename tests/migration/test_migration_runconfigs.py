"""RunConfigurations that hold no more than a ScriptRunConfig says are taken apart; others stay.

So are those that a file beside the code says.
"""

from __future__ import annotations

import pytest
from tests.migration.versions import jobs, migrated

from scriptrun.core.workspace import Workspace
from scriptrun.migration.findings import LEFT_ALONE
from scriptrun.migration.proof import prove

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
        ("rc.node_count += 2\n" + TAKE, "node_count"),
        ("rc.script = 'a.py'\n" + TAKE, "script"),
        (
            "rc.node_count = 2\nrun(ScriptRunConfig('.', 't.py', run_config=rc))\n",
            "unnamed ScriptRunConfig",
        ),
        ("rc.node_count = 2\n" + TAKE + TAKE.replace("src", "two"), "several"),
        (TAKE + "rc.node_count = 2\n", "after it is passed on"),
        ("step = PythonScriptStep(runconfig=rc)\n" + TAKE, "something other"),
        ("rc.target = 'a'\nrc.target = 'b'\n" + TAKE, "exactly once"),
        ("if ws:\n    rc.target = 'a'\n" + TAKE, "exactly once"),
        (TAKE + "rc.target = 'a'\n", "exactly once"),
        ("print(rc.target)\n" + TAKE, "is read"),
        ("src = ScriptRunConfig('.', 'a.py', run_config=rc, compute_target='x')\n", "some of it"),
        (
            "rc.environment.docker.enabled = True\nrc.environment = env\n" + TAKE,
            "and then replaced",
        ),
        (TAKE, "it has no settings"),
    ],
)
def test_what_is_not_certain_stays(code, reason):
    outcome = migrated(f"{HEAD}rc = RunConfiguration()\n{code}")
    assert not outcome.is_changed, outcome.diff
    (finding,) = outcome.findings
    assert finding.kind == LEFT_ALONE and reason in finding.reason


@pytest.mark.parametrize("lead", ["", "rc.target = 'gpu'\n"])
def test_what_only_its_run_config_says_is_set_there_afterwards(lead):
    code = (
        f"rc = RunConfiguration()\n{lead}rc.node_count = 2\n"
        "rc.mpi.process_count_per_node = 2  # both\nrc.communicator = 'OpenMpi'\n"
        "rc.environment_variables['B'] = '2'\nrc.environment_variables['A'] = ws.name.upper()\n"
        "rc.history.output_collection = False\n" + TAKE
    )
    outcome = migrated(HEAD + code)
    new = outcome.new.decode()
    assert "RunConfiguration(" not in new, outcome.findings
    assert "rc_process_count_per_node = 2  # both\nrc_A = ws.name.upper()\nsrc = Scr" in new
    assert new.index("src.run_config.node_count = 2\n") < new.index("run_config.communicator")
    assert jobs(new) == jobs(HEAD + code), new
    assert not migrated(new).is_changed


# read from a file

FULL = """\
script: other.py
arguments: [--a, 1, it's]
target: gpu
framework: PyTorch
communicator: Nccl
nodeCount: 2
maxRunDurationSeconds: 600
pytorch: {communicationBackend: Nccl, processCount: 4, nodeCount: 2}
history: {outputCollection: false}
environmentVariables: {A: '1'}
docker: {useDocker: true, shmSize: 4g}
environment:
  name: mine
  environmentVariables: {B: '2'}
  python: {condaDependenciesFile: conda.yml}
"""
MPI = "communicator: IntelMpi\nnodeCount: 3\nmpi: {processCountPerNode: 2, nodeCount: 3}\n"
OWN = "environment: {python: {userManagedDependencies: true, condaDependenciesFile: gone.yml}}\n"
CONDA = """\
environment:
  name: theirs
  python:
    condaDependencies: {channels: [c], dependencies: [python=3.9, {pip: [tqdm==4.66.1]}]}
"""
DATA = "dataReferences: {d: {dataStoreName: workspaceblobstore, pathOnDataStore: x, mode: mount}}\n"
LOAD = "rc = RunConfiguration.load('.', 'train')\n"


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A function that puts a run configuration beside the code, which runs there."""

    def put(content: str):
        (tmp_path / ".azureml").mkdir()
        (tmp_path / ".azureml" / "train.runconfig").write_text(content)
        (tmp_path / "conda.yml").write_text("name: x\ndependencies: [{pip: [six, 'tqdm>4']}]\n")
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return put


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (FULL, LOAD + TAKE),
        (FULL, LOAD + "src = ScriptRunConfig(source_directory='.', run_config=rc)\n"),
        (FULL, TAKE.replace("rc)", "RunConfiguration.load('.', 'train'))")),
        (OWN, LOAD + "rc.history.output_collection = False\n" + TAKE),
        (FULL, LOAD + "src = ScriptRunConfig('.', 'a.py', ['--b', ws.name], run_config=rc)\n"),
        (FULL, LOAD + "src = ScriptRunConfig('.', command='echo', run_config=rc)\n"),
        (FULL, LOAD + "rc.target = 'cpu'\nrc.environment = env\n" + TAKE),
        (MPI, LOAD + "rc.environment.python.user_managed_dependencies = True\n" + TAKE),
        (OWN, "where = '.azureml/train.runconfig'\nrc = RunConfiguration.load(where)\n" + TAKE),
        (CONDA, "rc = RunConfiguration.load(name='train', path='./.azureml/..')\n" + TAKE),
        (MPI, LOAD + TAKE + "other = ScriptRunConfig('.', 'test.py', run_config=rc)\n"),
        ("command: [echo, hi]\n", LOAD + "src = ScriptRunConfig('.', run_config=rc)\n"),
        (
            DATA,
            "def make():\n    rc = RunConfiguration.load('.', 'train')\n"
            "    made = ScriptRunConfig('.', 'train.py', run_config=rc)\n    return made\n"
            "src = make()\n",
        ),
    ],
)
def test_what_a_file_says_the_code_says(beside, content, code):
    beside(content)
    old = jobs(HEAD + code)
    outcome = migrated(HEAD + code, to="scriptrun")
    new = outcome.new.decode()
    assert "RunConfiguration.load" not in new and "run_config=" not in new, outcome.findings
    assert jobs(new) == old and old, new
    assert not migrated(new, to="scriptrun").is_changed


@pytest.mark.parametrize(
    ("content", "code", "reason"),
    [
        (FULL, "rc = RunConfiguration.load(ws.name, 'train')\n" + TAKE, "reads is uncertain"),
        (FULL, "rc = RunConfiguration.load('.', 'gone')\n" + TAKE, "is missing"),
        (FULL, "rc = RunConfiguration.load('/', 'train')\n" + TAKE, "is missing"),
        (FULL, "rc = RunConfiguration.load(__file__, 'train')\n" + TAKE, "reads is uncertain"),
        (FULL, LOAD + "src = ScriptRunConfig('.', ws.name, run_config=rc)\n", "its own script"),
        (
            FULL,
            LOAD + "print(ScriptRunConfig('.', 'a.py', run_config=rc))\n",
            "unnamed ScriptRunConfig",
        ),
        (FULL, LOAD + TAKE + "other = ScriptRunConfig('.', 'b.py', run_config=rc)\n", "several"),
        (FULL, LOAD + "rc.node_count = 1\n" + TAKE, "distribution"),
        ("nonsense: 1\n", LOAD + TAKE, "unknown key"),
        (OWN.replace("true", "false"), LOAD + TAKE, "gone.yml is missing"),
        ("data: {x: {dataLocation: {dataset: {id: d}}}}\n", LOAD + TAKE, "cannot express"),
        (CONDA, LOAD + TAKE, "cannot express in code"),
    ],
)
def test_what_a_file_says_stays_where_it_is_not_certain(beside, content, code, reason):
    beside(content)
    outcome = migrated(HEAD + code)
    assert not outcome.is_changed, outcome.diff
    (finding,) = outcome.findings
    assert finding.kind == LEFT_ALONE and reason in finding.reason and finding.advice


def test_a_file_elsewhere_is_not_taken_for_the_one_beside_the_code(beside):
    (beside(MPI) / "inner").mkdir()
    outcome = migrated(HEAD + LOAD.replace("'.'", "'..'") + TAKE, path="inner/submit.py")
    assert not outcome.is_changed and "not next to the code" in outcome.findings[0].reason


def test_the_proof_of_a_file_that_was_read(beside):
    place = beside(FULL + DATA) / "submit.py"
    text = (
        HEAD + LOAD + TAKE + "from azureml.core import Experiment\nExperiment(ws, 'x').submit(src)"
    )
    (place.parent / "train.py").touch()
    outcome = migrated(text, to="scriptrun", path=str(place))
    proof = prove.prove(str(place), outcome.old, outcome.new)
    assert outcome.is_changed and proof.standing == prove.SAME, proof
