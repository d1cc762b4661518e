"""``.runconfig`` files: the SDK's own, those that people wrote by hand, and broken ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scriptrun import CondaDependencies, Environment, RunConfiguration
from scriptrun.config import yaml_text
from scriptrun.config.camel_case import from_wire, to_wire
from scriptrun.config.data_sections import Data, DataReferenceConfiguration, OutputData
from scriptrun.spec.errors import RunConfigurationException, UserErrorException

DATA = Path(__file__).parent / "data"


@pytest.fixture
def project(tmp_path):
    """A project with the SDK's files in .azureml/."""
    folder = tmp_path / "project" / ".azureml"
    folder.mkdir(parents=True)
    for name in ("default.runconfig", "full.runconfig", "conda_dependencies.yml"):
        shutil.copy(DATA / name, folder)
    return folder.parent


def written(tmp_path, text, name="train.runconfig"):
    (tmp_path / name).write_text(text)
    return RunConfiguration.load(tmp_path / name)


def said(tmp_path, text):
    with pytest.raises(RunConfigurationException) as caught:
        written(tmp_path, text)
    return str(caught.value)


@pytest.mark.parametrize("name", ["default", "full"])
def test_the_sdks_files_come_back_byte_for_byte(project, tmp_path, name):
    config = RunConfiguration.load(project, name)
    config.save(tmp_path / "other", name)
    saved = tmp_path / "other" / ".azureml"
    assert (saved / f"{name}.runconfig").read_text() == (DATA / f"{name}.runconfig").read_text()
    assert (saved / "conda_dependencies.yml").read_text() == (
        DATA / "conda_dependencies.yml"
    ).read_text()
    assert RunConfiguration.load(tmp_path / "other", name) == config


def test_the_default_file_holds_the_defaults(project):
    config = RunConfiguration.load(project, "default.runconfig")
    config.environment.python.conda_dependencies_file = None
    assert config == RunConfiguration()


def test_what_the_full_file_says(project):
    config = RunConfiguration.load(project, "full")
    assert config.arguments == ["--a", "1", "--data", "$AZUREML_DATAREFERENCE_foo"]
    assert (config.target, config.node_count, config.mpi.process_count_per_node) == (
        "cpu-cluster",
        3,
        2,
    )
    assert config.environment.environment_variables == {"A": "1"}
    reference = config.data_references["foo"]
    assert isinstance(reference, DataReferenceConfiguration)
    assert reference.path_on_data_store == "path/x"
    assert isinstance(config.data["ds"], Data)
    assert config.data["ds"].data_location.dataset.id.startswith("0000")
    output = config.output_data["o"]
    assert isinstance(output, OutputData)
    assert output.additional_options.upload_options.source_globs.patterns == ["*.txt"]
    assert output.additional_options.registration_options.tags == {"k": "v"}


@pytest.mark.parametrize("folder", [".azureml", "aml_config", ""])
@pytest.mark.parametrize("file", ["train.runconfig", "train", "train.yml"])
def test_where_a_name_is_looked_for(tmp_path, monkeypatch, folder, file):
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / file).write_text("script: found.py\n")
    assert RunConfiguration.load(tmp_path, "train").script == "found.py"
    assert RunConfiguration.load(path=str(tmp_path / folder / file)).script == "found.py"
    monkeypatch.chdir(tmp_path)
    assert RunConfiguration.load("train").script == "found.py"


def test_a_missing_name_tells_the_nearest(project):
    with pytest.raises(RunConfigurationException, match=r"'defautl'.*did you mean 'default'"):
        RunConfiguration.load(project, "defautl")
    with pytest.raises(RunConfigurationException, match="No single run configuration"):
        RunConfiguration.load(project)
    RunConfiguration.delete(project, "default")
    assert RunConfiguration.load(project).target == "cpu-cluster"


def test_partial_old_and_commented_files_load(tmp_path):
    config = written(
        tmp_path,
        "# The script\nscript: train.py\narguments: []\ncommunicator: Mpi\n"
        "autoPrepareEnvironment: true\nprepareEnvironment: false\nnodeCount: 2\n"
        "environment:\n  docker:\n    enabled: true\n    gpuSupport: true\n    arguments:\n"
        "  python:\n    userManagedDependencies: true\n    interpreterPath: /usr/bin/python3\n"
        "containerInstance:\n  region:\n  cpuCores: 1\nhistory:\n",
    )
    assert (config.communicator, config.node_count) == ("Mpi", 2)
    assert config.environment.docker.enabled and config.environment.docker.arguments == []
    assert config.environment.python.interpreter_path == "/usr/bin/python3"
    assert config.history.output_collection is True
    assert config.framework == "Python"


OLD_DEFAULT = """
# The script to run.
script: train.py
arguments: []
target: local
framework: PySpark
communicator: None
autoPrepareEnvironment: true
maxRunDurationSeconds:
nodeCount: 1
environment:
# Environment variables set for the run.
  environmentVariables:
    EXAMPLE_ENV_VAR: EXAMPLE_VALUE
  python:
    userManagedDependencies: false
    interpreterPath: python
    condaDependenciesFile: aml_config/conda_dependencies.yml
  docker:
    enabled: true
    baseImage: mcr.microsoft.com/azureml/base:0.2.4
    sharedVolumes: true
    gpuSupport: false
    arguments: []
    baseImageRegistry:
      address:
      username:
      password:
  spark:
    repositories:
    - https://mmlspark.azureedge.net/maven
    packages:
    - group: com.microsoft.ml.spark
      artifact: mmlspark_2.11
      version: '0.12'
    precachePackages: true
  databricks:
    mavenLibraries: []
    eggLibraries: []
history:
  outputCollection: true
spark:
  configuration:
    spark.app.name: Azure ML Experiment
hdi:
  yarnDeployMode: cluster
mpi:
  processCountPerNode: 1
dataReferences: {}
sourceDirectoryDataStore:
amlcompute:
  vmSize:
  retainCluster: false
  clusterMaxNodeCount: 1
"""


def test_the_default_file_of_2019_loads_with_its_conda_file(tmp_path):
    folder = tmp_path / "aml_config"
    folder.mkdir()
    (folder / "local.runconfig").write_text(OLD_DEFAULT)
    CondaDependencies.create(pip_packages=["numpy"]).save(folder)
    config = RunConfiguration.load(tmp_path, "local")
    assert "numpy" in config.environment.python.conda_dependencies.pip_packages
    assert config.environment.python.missing_file is None
    assert config.environment.spark.packages[0]["version"] == "0.12"
    assert config.amlcompute.cluster_max_node_count == 1
    assert config.environment.docker.base_image_registry.password is None


def test_json_loads_even_with_tabs(tmp_path):
    text = '{\n\t"script": "train.py",\n\t"nodeCount": 2,\n\t"arguments": ["--x", 1, true]\n}'
    config = written(tmp_path, text)
    assert (config.script, config.node_count, config.arguments) == (
        "train.py",
        2,
        ["--x", 1, "true"],
    )
    loose = written(tmp_path, "{script: train.py,\n # JSON as people write it\n 'nodeCount': 2,}")
    assert loose.node_count == 2


def test_an_empty_file_is_all_defaults(tmp_path):
    assert written(tmp_path, "# nothing\n") == RunConfiguration()


def test_texts_stay_as_they_were_written(tmp_path):
    config = written(
        tmp_path,
        "environment:\n  version: 010\n  environmentVariables:\n    A: 1.10\n    B: yes\n"
        "    C: 2020-01-01\n    D: 'null'\n    E:\nspark:\n  configuration:\n    n: 1\n    t: true\n",
    )
    variables = config.environment.environment_variables
    assert variables == {"A": "1.10", "B": "yes", "C": "2020-01-01", "D": "null", "E": None}
    assert config.environment.version == "010"
    assert config.spark.configuration == {"n": 1, "t": True}


def test_a_command_may_be_a_list(tmp_path):
    assert written(tmp_path, "command: [python, 'a.py --x']\n").command == ["python", "a.py --x"]
    assert written(tmp_path, "command: python a.py\n").command == "python a.py"


def test_conda_in_the_file_or_beside_it(tmp_path):
    CondaDependencies.create(pip_packages=["beside"]).save(tmp_path / "env.yml")
    beside = written(tmp_path, "environment: {python: {condaDependenciesFile: env.yml}}\n")
    assert "beside" in beside.environment.python.conda_dependencies.pip_packages
    inline = written(
        tmp_path,
        "environment:\n  python:\n    condaDependenciesFile: env.yml\n    condaDependencies:\n"
        "      dependencies:\n      - python=3.10\n",
    )
    assert inline.environment.python.conda_dependencies.get_python_version() == "3.10"


def test_a_conda_file_that_is_gone_is_told_later(tmp_path):
    config = written(tmp_path, "environment: {python: {condaDependenciesFile: gone.yml}}\n")
    assert config.environment.python.missing_file.endswith("gone.yml")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (".", "config/train"),
        (".", "config/train.runconfig"),
        ("config/train.runconfig", None),
        ("config/train", None),
        (".", "kept"),
        (".azureml/kept.runconfig", None),
    ],
)
def test_paths_in_a_file_are_relative_to_the_project(tmp_path, monkeypatch, given, name):
    monkeypatch.chdir(tmp_path)
    text = "environment: {python: {condaDependenciesFile: env/conda.yml}}"
    for folder in ("config", "env", ".azureml"):
        (tmp_path / folder).mkdir()
    (tmp_path / "env/conda.yml").write_text("dependencies: [python=3.9]\n")
    (tmp_path / "config/train.runconfig").write_text(text)
    (tmp_path / ".azureml/kept.runconfig").write_text(text)
    python = RunConfiguration.load(given, name).environment.python
    assert python.missing_file is None
    assert python.conda_dependencies.get_python_version() == "3.9"


def test_a_conda_file_that_is_nowhere_is_named_in_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    text = "environment: {python: {condaDependenciesFile: conda.yml}}"
    (tmp_path / "config/train.runconfig").write_text(text)
    missing = RunConfiguration.load(".", "config/train").environment.python.missing_file
    assert missing == str(tmp_path / "conda.yml")


def test_saving_does_not_write_over_a_conda_file_of_the_users(tmp_path):
    own = "dependencies:\n# mine\n- python=3.9\nchannels: []\n"
    (tmp_path / "env.yml").write_text(own)
    config = written(tmp_path, "environment: {python: {condaDependenciesFile: env.yml}}\n")
    config.save(tmp_path, "same")
    assert RunConfiguration.load(tmp_path, "same") == config
    config.environment.python.conda_dependencies.add_pip_package("x")
    config.save(tmp_path, "changed")
    assert (tmp_path / "env.yml").read_text() == own
    again = RunConfiguration.load(tmp_path, "changed")
    conda = again.environment.python.conda_dependencies
    assert conda == config.environment.python.conda_dependencies


def test_the_environment_in_a_file_of_its_own(tmp_path):
    config = RunConfiguration("train.py", ["--x"])
    config.environment = Environment("mine")
    config.environment.python.conda_dependencies.add_pip_package("numpy")
    config.save(tmp_path, "train", separate_environment_yaml=True)
    assert (tmp_path / ".azureml" / "environment.yml").is_file()
    again = RunConfiguration.load(tmp_path, "train")
    assert again == config and again.environment.name == "mine"


def test_saving_needs_a_name(tmp_path):
    with pytest.raises(RunConfigurationException, match="requires a name"):
        RunConfiguration().save(tmp_path)
    RunConfiguration("a.py").save(tmp_path / "x.runconfig")
    assert RunConfiguration.load(tmp_path, "x").script == "a.py"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "environment:\n  docker:\n    shmsize: 2g\n",
            "train.runconfig: environment.docker.shmsize: unknown key; did you mean 'shmSize'?",
        ),
        ("nodeCount: two\n", "train.runconfig: nodeCount: expected an integer, not 'two'"),
        ("nodeCount: 1.5\n", "train.runconfig: nodeCount: expected an integer, not 1.5"),
        ("nodeCount: true\n", "nodeCount: expected an integer, not True"),
        ("arguments: --x 1\n", "arguments: expected a list, not '--x 1'"),
        ("script: [a.py]\n", "script: expected a string, not a list"),
        ("environment:\n- x\n", "environment: expected a mapping, not a list"),
        ("docker:\n  useDocker: perhaps\n", "docker.useDocker: expected true or false, not 'perhaps'"),
        ("dataReferences:\n  foo:\n    mod: x\n", "dataReferences.foo.mod: unknown key; did you mean 'mode'?"),
        ("data:\n  d:\n    dataLocation: /x\n", "data.d.dataLocation: expected a mapping, not '/x'"),
        ("paralleltask:\n  terminalExitCodes: [1, x]\n", "paralleltask.terminalExitCodes[1]: expected an integer"),
        (
            "environment:\n  python:\n    condaDependencies:\n      dependencies: numpy\n",
            "environment.python.condaDependencies: dependencies: expected a list.",
        ),
        ("- a\n", "train.runconfig: expected a mapping, not a list"),
        ("a: b: c\n", "train.runconfig: line 1, column 5: invalid YAML"),
        ('{"a": 1', "train.runconfig: line 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(tmp_path, text, sentence):
    assert sentence in said(tmp_path, text)


def test_all_mistakes_at_once(tmp_path):
    with pytest.raises(RunConfigurationException) as caught:
        written(tmp_path, "nodeCount: x\nscriptt: a\ndocker: 1\n")
    assert len(caught.value.reasons) == 3


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "x.runconfig").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunConfigurationException, match="not UTF-8"):
        RunConfiguration.load(tmp_path / "x.runconfig")


TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=30)
KEYS = TEXT.filter(bool)


@st.composite
def configurations(draw):
    config = RunConfiguration(draw(TEXT), draw(st.lists(TEXT, max_size=4)))
    config.target = draw(TEXT)
    config.node_count = draw(st.integers(-5, 1000))
    config.max_run_duration_seconds = draw(st.none() | st.integers(0, 10**9))
    config.environment_variables = draw(st.dictionaries(KEYS, TEXT, max_size=3))
    config.environment.name = draw(TEXT)
    config.environment.docker.enabled = draw(st.booleans())
    config.environment.docker.base_dockerfile = draw(st.none() | TEXT)
    config.spark.configuration = draw(
        st.dictionaries(KEYS, TEXT | st.integers() | st.booleans() | st.none(), max_size=3)
    )
    config.data_references = {
        name: DataReferenceConfiguration(draw(TEXT), path_on_datastore=draw(TEXT))
        for name in draw(st.lists(KEYS, max_size=2, unique=True))
    }
    return config


@given(configurations())
@settings(max_examples=80, deadline=None)
@example(RunConfiguration("\x85"))
def test_yaml_round_trip(config):
    problems: list[str] = []
    value = yaml_text.load(yaml_text.dump(to_wire(config)), "x")
    assert from_wire(RunConfiguration(), value, "", problems) == config
    assert problems == []


def test_paths_in_a_file_are_found(tmp_path, monkeypatch):
    (tmp_path / "config").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "c.yml").write_text("dependencies: [python=3.10, pip: [six==1.16.0]]\n")
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    for name in ("env/c.yml", "env\\c.yml", "./env/c.yml"):
        (tmp_path / "config" / "t.runconfig").write_text(
            f"environment:\n  python: {{condaDependenciesFile: '{name}'}}\n"
            "  docker: {baseImage: ~, baseDockerfile: ./Dockerfile}\n"
        )
        for config in (
            RunConfiguration.load("../config/t.runconfig"),
            RunConfiguration.load(tmp_path, "config/t"),
        ):
            assert config.environment.python.conda_dependencies.pip_packages == ["six==1.16.0"]
            assert config.environment.docker.base_dockerfile == "FROM x\n"


def test_no_path_is_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.runconfig").write_text("script: a.py\n")
    assert RunConfiguration.load(None).script == "a.py"
    assert RunConfiguration.load(".", "").script == "a.py"


def test_a_dockerfile_that_is_no_text(tmp_path):
    (tmp_path / "Dockerfile").write_bytes(b"FROM \xe9")
    with pytest.raises(UserErrorException, match="it is not UTF-8 text"):
        Environment.from_dockerfile("e", tmp_path / "Dockerfile")


def test_tabs_are_named(tmp_path):
    assert "Use spaces instead of tabs" in said(tmp_path, "script:\ta.py\n")
