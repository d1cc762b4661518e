"""Estimators as code, mlflow's runs, IPython's calls, and the small modules of azureml."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun import (
    CondaDependencies,
    Dataset,
    Datastore,
    Environment,
    MpiConfiguration,
    PyTorchConfiguration,
    ScriptRunConfig,
    TensorflowConfiguration,
    Workspace,
)
from scriptrun.core import mlflow_runs
from scriptrun.core.experiment import Experiment
from scriptrun.dropin import as_code
from scriptrun.dropin.azureml import estimator_to_config, telemetry, version
from scriptrun.dropin.notebook import small_shell
from scriptrun.dropin.notebook.notes import Notes
from scriptrun.spec.errors import RunConfigurationException

NAMES = (
    "source_directory entry_script script_params compute_target vm_size node_count "
    "process_count_per_node distributed_backend distributed_training use_gpu "
    "custom_docker_base_image custom_docker_image image_registry_details user_managed "
    "conda_packages pip_packages conda_dependencies_file_path pip_requirements_file_path "
    "conda_dependencies_file pip_requirements_file environment_variables environment_definition "
    "inputs source_directory_data_store shm_size resume_from max_run_duration_seconds "
    "worker_count parameter_server_count"
).split()


def settings_of(**more):
    usual = {"compute_target": "local", "node_count": 1, "process_count_per_node": 1}
    return {**dict.fromkeys(NAMES), "use_gpu": False, **usual, **more}


@pytest.fixture
def home(tmp_path):
    return Workspace.create("w", path=tmp_path / "home")


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"compute_target": None}, "requires compute_target"),
        ({"node_count": 2}, "requires distributed_training"),
        (
            {"environment_definition": Environment("e"), "use_gpu": True, "shm_size": "1g"},
            "cannot be combined with use_gpu, shm_size",
        ),
        ({"conda_dependencies_file": "../c.yml"}, "outside the source directory"),
        ({"pip_requirements_file": "/r.txt", "source_directory": "/src"}, "'/r.txt' is outside"),
    ],
)
def test_what_makes_no_estimator_is_said_at_once(given_, said):
    with pytest.raises(RunConfigurationException, match=said):
        estimator_to_config.check(settings_of(**given_))
    assert estimator_to_config.check(settings_of(pip_requirements_file="..x")) is None


@pytest.mark.parametrize(
    ("given_", "kind", "facts"),
    [
        ({"distributed_backend": "mpi", "node_count": 3}, MpiConfiguration, {"node_count": 3}),
        (
            {"distributed_training": MpiConfiguration(4, 2), "node_count": 1},
            MpiConfiguration,
            {"process_count_per_node": 4, "node_count": 2},
        ),
        (
            {"distributed_backend": "ps", "worker_count": "2", "parameter_server_count": 1},
            TensorflowConfiguration,
            {"worker_count": 2},
        ),
        ({"distributed_backend": "Nccl"}, PyTorchConfiguration, {"communication_backend": "Nccl"}),
        (
            {"distributed_training": PyTorchConfiguration("Gloo", 8, 1), "node_count": 2},
            PyTorchConfiguration,
            {"process_count": 8, "node_count": 2},
        ),
    ],
)
def test_how_an_estimator_is_spread(given_, kind, facts):
    made = estimator_to_config.build_distribution(settings_of(**given_))
    assert type(made) is kind
    found = {name: getattr(made, name) for name in facts}
    assert {k: str(v).lower() for k, v in found.items()} == {
        k: str(v).lower() for k, v in facts.items()
    }
    assert estimator_to_config.build_distribution(settings_of()) is None


def test_files_of_packages_lie_in_the_source_and_an_input_needs_a_name(tmp_path, home):
    (tmp_path / "r.txt").write_text("six==1.16.0\n")
    given_ = settings_of(
        source_directory=str(tmp_path), entry_script="t.py", pip_requirements_file="r.txt",
        pip_packages=["tqdm"], environment_variables={"A": "1"}, shm_size="8g",
        inputs=[home.get_default_datastore().path("x", "ref")],
    )  # fmt: skip
    config = estimator_to_config.translate(given_, ("", ""))
    run = config.run_config
    assert set(run.environment.python.conda_dependencies.pip_packages) >= {"six==1.16.0", "tqdm"}
    assert run.environment_variables == {"A": "1"} and run.environment.docker.shm_size == "8g"
    assert list(run.data_references) == ["ref"]
    with pytest.raises(NotImplementedError, match="as_named_input"):
        estimator_to_config.translate({**given_, "inputs": ["x"]}, ("", ""))


WORDS = st.lists(
    st.text(max_size=6) | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    max_size=4,
)


@settings(max_examples=30)
@given(
    WORDS,
    st.dictionaries(st.from_regex("[A-Z]{1,3}", fullmatch=True), st.text(max_size=5), max_size=2),
)
def test_the_code_to_write_instead_says_the_same(words, variables):
    environment = Environment("my 'own'")
    environment.python.conda_dependencies = CondaDependencies.create(pip_packages=["six"])
    environment.python.conda_dependencies.add_channel("mine")
    environment.docker.base_image = "me/x:1"
    config = ScriptRunConfig(
        "src",
        "t.py",
        list(words),
        compute_target="gpu",
        environment=environment,
        max_run_duration_seconds=5,
    )
    config.run_config.environment_variables.update(variables)
    first, *lines = as_code.as_code(config, "PyTorch").splitlines()
    assert first.startswith("PyTorch is deprecated")
    space = {
        "Environment": Environment,
        "ScriptRunConfig": ScriptRunConfig,
        "CondaDependencies": CondaDependencies,
    }
    exec("\n".join(lines), space)
    made = space["config"]
    assert (made.source_directory, made.script, made.arguments or []) == ("src", "t.py", words)
    assert made.run_config.environment_variables == variables
    assert made.run_config.target == "gpu" and made.run_config.max_run_duration_seconds == 5
    again, before = made.run_config.environment, environment
    assert list(again.python.conda_dependencies.conda_channels) == list(
        before.python.conda_dependencies.conda_channels
    )
    assert (again.name, again.docker.base_image) == (before.name, "me/x:1")


def test_data_in_the_code_to_write_instead(home, tmp_path):
    store = home.get_default_datastore()
    (tmp_path / "a").write_text("")
    store.upload_files([tmp_path / "a"], show_progress=False)
    named = Dataset.File.from_files((store, "a")).register(home, "d").as_named_input("n").as_mount()
    words = [store.path("x").as_download("here"), named, store.as_mount()]
    config = ScriptRunConfig(".", "t.py", words)
    config.run_config.source_directory_data_store = store.name
    text = as_code.as_code(config, "Estimator")
    assert f"Datastore.get(ws, '{store.name}').path('x').as_download('here')" in text
    assert "Dataset.get_by_name(ws, 'd').as_named_input('n').as_mount()" in text
    assert f"source_directory_data_store = {store.name!r}" in text
    ast.parse(text.partition("\n")[2])
    assert Datastore.get(home, store.name).name == store.name


def mlflow_run(home, name, number, status=3, **more):
    root = home.directory / "mlflow" / "1"
    place = root / f"run{number}"
    for folder in ("metrics", "artifacts/deep", "tags"):
        (place / folder).mkdir(parents=True)
    (root / "meta.yaml").write_text(yaml.safe_dump({"name": name}))
    facts = {"status": status, "start_time": number, "run_name": f"r{number}", **more}
    (place / "meta.yaml").write_text(yaml.safe_dump(facts))
    (place / "metrics" / "loss").write_text("1600000000000 0.5 0\n")
    (place / "artifacts" / "deep" / "a.txt").write_text("x")
    (place / "tags" / "mine").write_text("yes")
    (place / "tags" / "mlflow.user").write_text("me")
    return place


def test_runs_of_mlflow_are_taken_over_once_when_they_have_ended(home):
    mlflow_run(home, "first", 2)
    mlflow_run(home, "first", 1, status=4)
    mlflow_run(home, "first", 3, status=1)
    (mlflow_run(home, "first", 4) / "meta.yaml").write_text("a: [")
    owner = Experiment(home, "first")
    for _ in range(2):
        mlflow_runs.adopt(owner)
        found = {run.display_name: run for run in owner.get_runs()}
        assert set(found) == {"r1", "r2"}
    assert (found["r1"].get_status(), found["r2"].get_status()) == ("Failed", "Completed")
    run = found["r2"]
    assert run.get_metrics() == {"loss": 0.5} and "deep/a.txt" in "".join(run.get_file_names())
    assert run.get_tags() == {"mine": "yes"} and run.get_properties()["mlflow.runId"] == "run2"
    mlflow_runs.adopt(Experiment(home, "other"))
    assert list(Experiment(home, "other").get_runs()) == []


def test_names_of_mlflows_experiments(tmp_path):
    for folder, text in (
        ("0", "name: Default"),
        ("1", "name: mine"),
        ("2", "a: ["),
        ("3", "- x"),
        ("4", ""),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "meta.yaml").write_text(text)
    assert mlflow_runs.experiment_names(tmp_path) == {"mine"}
    assert mlflow_runs.experiment_names(tmp_path / "none") == set()


def test_experiments_of_mlflow_are_listed_unless_they_are_archived(tmp_path):
    home = Workspace.create("home", path=tmp_path)
    for number, name in enumerate(("mine", "put-away")):
        folder = home.directory / "mlflow" / str(number)
        folder.mkdir(parents=True)
        (folder / "meta.yaml").write_text(f"name: {name}")
    Experiment(home, "put-away").archive()
    assert [experiment.name for experiment in Experiment.list(home)] == ["mine"]
    assert list(home.experiments) == ["mine"]
    assert len(Experiment.list(home, view_type="All")) == 2


def test_calls_of_ipython_do_what_its_lines_do(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OWN", "before")
    space = {"__name__": "__main__", "name": "a b"}
    made = small_shell.SmallShell(space, Notes("script.py"))
    made.run_line_magic("env", "OWN=after")
    made.system("echo {name}")
    assert made.getoutput("printf 'one\\ntwo\\n'") == ["one", "two"]
    made.run_cell_magic("writefile", "out.txt", "text\n")
    made.run_cell_magic("bash", "", "echo from bash")
    (tmp_path / "deep").mkdir()
    made.magic("%cd deep")
    out = capfd.readouterr().out
    assert "a b" in out and "from bash" in out
    assert (tmp_path / "out.txt").read_text() == "text\n"
    code = "import os; print(os.environ['OWN'], os.getcwd())"
    said = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert said == ["after", str(tmp_path / "deep")]
    assert small_shell.get_ipython().user_ns is globals()


def test_nothing_is_collected_and_the_version_is_the_last_of_v1():
    assert telemetry.set_diagnostics_collection(True, verbosity=3) is None
    assert json.dumps(telemetry.UserType.EXTERNAL_USER)
    assert version.__version__ == version.VERSION
    assert version.VERSION.startswith("1.")
