"""How the SDK v1 described jobs (ScriptRunConfig, Estimators): each observed line is held here."""

from __future__ import annotations

import sys
import warnings

import behaviours
import pytest

from scriptrun import (
    Environment,
    MpiConfiguration,
    PyTorchConfiguration,
    RunConfiguration,
    ScriptRunConfig,
    TensorflowConfiguration,
)
from scriptrun.dropin import one_time_notes
from scriptrun.dropin.azureml.compute import AmlCompute, ComputeTarget
from scriptrun.dropin.azureml.dataset import Dataset
from scriptrun.dropin.azureml.estimators import (
    Chainer,
    Estimator,
    Mpi,
    PyTorch,
    SKLearn,
    TensorFlow,
)
from scriptrun.dropin.azureml.experiment import Experiment
from scriptrun.dropin.azureml.workspace import Workspace
from scriptrun.spec.errors import RunConfigurationException

LINES = {
    # ScriptRunConfig
    "holds its nine parameters; one pattern serves every target": (
        "test_one_pattern_serves_every_target",
    ),
    "no target or 'local' is this machine; an object or a name": (
        "test_one_pattern_serves_every_target",
    ),
    "no environment means default-environment on DEFAULT_CPU_IMAGE": (
        "test_without_an_environment",
        "differs: no environment given: a default image with `azureml-defaults`",
    ),
    "arguments keep their types; a text or a tuple will do": ("test_arguments_keep_their_types",),
    "the constructor checks no file; submit does": ("test_files_are_looked_for_at_submission",),
    "command is a text or a list, joined by blanks for a shell": ("test_commands_go_to_a_shell",),
    "$LOCAL_RANK and its kin in arguments are expanded on the node": (
        "test_variables_of_the_system_are_expanded",
    ),
    "max_run_duration_seconds ends a longer job; 30 days by default": (
        "test_time_limits",
        "differs: a job ended after 30 days by default",
        "differs: a job over its time limit was canceled",
    ),
    "run_config overrules all but script, arguments and command": (
        "test_run_config_has_the_say",
        "differs: settings given together with `run_config` were silently ignored",
    ),
    "src.run_config is live between submissions": ("test_run_config_is_live",),
    "resume_from appends --resume-from, mounted as MODEL_LOCATION": ("test_resume_from_a_path",),
    "how distributed_job_config maps to run_config": (
        "test_how_distribution_is_told",
        "test_other_distributions_are_refused",
    ),
    "unknown attributes are rejected, any value of a known one is taken": (
        "test_unknown_attributes_are_rejected",
    ),
    # Estimators
    "script_params become arguments in order; '' or None is a flag; a list is spread": (
        "test_script_params_become_arguments",
    ),
    "inputs= attaches named datasets without arguments": ("test_inputs_go_along",),
    "environment_definition cannot be combined with what it replaces; variables go to run_config": (
        "test_environment_definition_excludes_others",
    ),
    "several nodes or processes need a distribution; a target is required; files in the source": (
        "test_what_an_estimator_needs",
        "differs: several nodes of an Estimator needed an AmlCompute or Kubernetes",
    ),
    "versions and defaults of the frameworks": ("test_versions_of_the_frameworks",),
    "Estimators are deprecated and work": ("test_estimators_are_deprecated_and_work",),
}


def test_every_line_is_held():
    assert not behaviours.not_held(LINES, globals())


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(one_time_notes, "_said", {"cloud", "vm_size"})


@pytest.fixture
def source(tmp_path, monkeypatch):
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "train.py").write_text("import os, sys\nprint(sys.argv[1:], os.environ.get('A'))\n")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def ws(source):
    return Workspace.create("ws")


@pytest.fixture
def submitted(ws):
    """Submits a configuration, waits, and gives what the script printed and the run."""

    def submit(config):
        run = Experiment(ws, "e").submit(config)
        run.wait_for_completion()
        return (run.path / "user_logs" / "std_log.txt").read_text().splitlines(), run

    return submit


def old(kind, *args, **kwargs):
    """An Estimator, with its DeprecationWarning expected."""
    with pytest.warns(DeprecationWarning, match="ScriptRunConfig"):
        return kind(*args, **kwargs)


def test_one_pattern_serves_every_target(ws, submitted):
    config = AmlCompute.provisioning_configuration(vm_size="STANDARD_D2_V2", max_nodes=4)
    cluster = ComputeTarget.create(ws, "cpu-cluster", config)
    own = Environment("own")
    own.python.user_managed_dependencies = True
    for target in (None, "local", "cpu-cluster", cluster):
        config = ScriptRunConfig(
            source_directory="src",
            script="train.py",
            arguments=["--x", 1],
            compute_target=target,
            environment=own,
            distributed_job_config=None,
            max_run_duration_seconds=600,
            docker_runtime_config=None,
        )
        lines, run = submitted(config)
        assert lines == ["['--x', '1'] None"]
        assert run.get_details()["target"] == (
            "cpu-cluster" if target in ("cpu-cluster", cluster) else "local"
        )


def test_without_an_environment(submitted):
    config = ScriptRunConfig("src", "train.py")
    section = config.run_config.environment
    assert section.name == "default-environment"
    assert section.docker.base_image.startswith("mcr.microsoft.com/azureml/openmpi")
    _, run = submitted(config)
    assert f"using {sys.executable}" in run.get_details()["notes"][0]


def test_arguments_keep_their_types(submitted):
    values = ["--a", 1, None, True, 0.5]
    config = ScriptRunConfig("src", "train.py", arguments=values)
    assert config.arguments == values
    assert submitted(config)[0] == ["['--a', '1', 'None', 'True', '0.5'] None"]
    for given in ("--a 1", ("--a", 1)):
        assert submitted(ScriptRunConfig("src", "train.py", given))[0] == ["['--a', '1'] None"]


def test_files_are_looked_for_at_submission(ws):
    config = ScriptRunConfig("nowhere", "gone.py")
    assert config.run_config.script is None
    with pytest.raises(RunConfigurationException, match="nowhere"):
        Experiment(ws, "e").submit(config)


def test_commands_go_to_a_shell(ws, submitted):
    words = ["echo one", "two", "&&", "echo $AZUREML_RUN_ID | tr a-z A-Z"]
    lines, run = submitted(ScriptRunConfig("src", command=words))
    assert lines == ["one two", run.id.upper()]
    assert submitted(ScriptRunConfig("src", command="echo 'a  b'"))[0] == ["a  b"]
    both = ScriptRunConfig("src", script="train.py", command="ls")  # not refused here, ...
    with pytest.raises(RunConfigurationException, match="cannot be used together"):
        Experiment(ws, "e").submit(both)


def test_variables_of_the_system_are_expanded(ws):
    two = PyTorchConfiguration(process_count=2)
    words = ["--local_rank=$LOCAL_RANK", "--world", "${WORLD_SIZE}", "$HOME"]
    config = ScriptRunConfig("src", "train.py", words, distributed_job_config=two)
    run = Experiment(ws, "e").submit(config)
    run.wait_for_completion()
    for rank in range(2):
        text = (run.path / "user_logs" / f"std_log_process_{rank}.txt").read_text()
        assert text == f"['--local_rank={rank}', '--world', '2', '$HOME'] None\n"


def test_time_limits(ws):
    assert ScriptRunConfig("src", "train.py").run_config.max_run_duration_seconds is None
    config = ScriptRunConfig("src", command="sleep 3600", max_run_duration_seconds=1)
    run = Experiment(ws, "e").submit(config)
    run.wait_for_completion(raise_on_error=False)
    assert (
        run.get_status() == "Failed" and "max_run_duration_seconds=1" in run.get_details()["reason"]
    )


def test_run_config_has_the_say(submitted):
    kept = RunConfiguration()
    kept.script, kept.arguments = "other.py", ["other"]
    kept.environment = Environment("kept")
    kept.environment.python.user_managed_dependencies = True
    with pytest.warns(UserWarning, match=r"compute_target='x'.*environment='lost'"):
        config = ScriptRunConfig(
            "src",
            "train.py",
            ["mine"],
            run_config=kept,
            compute_target="x",
            environment=Environment("lost"),
            max_run_duration_seconds=1,
        )
    lines, run = submitted(config)
    assert lines == ["['mine'] None"]
    assert run.get_environment().name == "kept"
    assert run.get_details()["runDefinition"]["maxRunDurationSeconds"] is None


def test_run_config_is_live(submitted):
    config = ScriptRunConfig("src", "train.py")
    config.run_config.target = "local"
    seen = []
    for value in ("1", "2"):
        config.run_config.environment_variables = {"A": value}
        config.arguments.append(value)
        seen.append(submitted(config)[0])
    assert seen == [["['1'] 1"], ["['1', '2'] 2"]]


def test_resume_from_a_path(ws, submitted, source):
    store = ws.get_default_datastore()
    store.upload_files([str(source / "train.py")], target_path="models/best")
    config = ScriptRunConfig(
        "src", command="", script="train.py", resume_from=store.path("models/best")
    )
    lines, run = submitted(config)
    assert lines[0].startswith("['--resume-from', '/")
    assert "MODEL_LOCATION" in str(run.job.to_dict()["data"])


@pytest.mark.parametrize(
    ("given", "framework", "communicator", "nodes"),
    [
        (MpiConfiguration(process_count_per_node=2, node_count=3), "Python", "IntelMpi", 3),
        (PyTorchConfiguration("Nccl", node_count=2), "PyTorch", "nccl", 2),
        (PyTorchConfiguration("Gloo", process_count=3, node_count=2), "PyTorch", "gloo", 2),
        (TensorflowConfiguration(worker_count=3), "TensorFlow", "ParameterServer", 3),
    ],
)
def test_how_distribution_is_told(given, framework, communicator, nodes):
    found = ScriptRunConfig("src", "train.py", distributed_job_config=given).run_config
    assert (found.framework, found.communicator, found.node_count) == (
        framework,
        communicator,
        nodes,
    )


def test_other_distributions_are_refused(ws):
    with pytest.raises(RunConfigurationException, match="Gloo"):
        PyTorchConfiguration("mpi")
    other = ScriptRunConfig("src", "train.py", distributed_job_config=object())
    with pytest.raises(RunConfigurationException, match="distributed_job_config must be"):
        Experiment(ws, "e").submit(other)


def test_unknown_attributes_are_rejected():
    for section in (RunConfiguration(), Environment("e")):
        with pytest.raises(AttributeError, match="nonsense"):
            section.nonsense = 1
        section.environment_variables = 5


def test_script_params_become_arguments(ws):
    params = {"--a": 1, "--flag": "", "--none": None, "--list": ["x", "y"], "--zero": 0}
    made = old(
        Estimator, "src", compute_target="local", entry_script="train.py", script_params=params
    )
    words = ["--a", 1, "--flag", "--none", "--list", "x", "y", "--zero", 0]
    assert made.to_script_run_config().arguments == words


READS = """
from azureml.core import Run
run = Run.get_context()
print(sorted(run.input_datasets), run.input_datasets["table"].to_pandas_dataframe()["x"].tolist())
"""


def test_inputs_go_along(ws, submitted, source):
    (source / "reads.py").write_text(READS)
    (source / "a.csv").write_text("x,y\n1,2\n3,4\n")
    table = ws.get_default_datastore()
    table.upload_files([str(source / "a.csv")], target_path="t")
    named = Dataset.Tabular.from_delimited_files((table, "t/a.csv")).as_named_input("table")
    made = old(
        Estimator,
        "src",
        compute_target="local",
        entry_script="reads.py",
        inputs=[named],
        user_managed=True,
    )
    lines, run = submitted(made)
    assert lines == ["['table'] [1, 3]"]
    assert list(run.job.arguments) == []


def test_environment_definition_excludes_others():
    own = Environment("own")
    for more in (
        {"pip_packages": ["x"]},
        {"use_gpu": True},
        {"custom_docker_image": "i"},
        {"shm_size": "1g"},
    ):
        with pytest.raises(
            RunConfigurationException, match="environment_definition cannot be combined with"
        ):
            Estimator(
                "src",
                compute_target="local",
                entry_script="t.py",
                environment_definition=own,
                **more,
            )
    made = old(
        Estimator,
        "src",
        compute_target="local",
        entry_script="t.py",
        environment_variables={"A": "1"},
    )
    assert made.run_config.environment_variables == {"A": "1"}
    assert "A" not in made.run_config.environment.environment_variables


def test_what_an_estimator_needs(source):
    (source.parent / "outside.txt").write_text("six\n")
    for words, more in {
        "requires compute_target": {"compute_target": None},
        "requires distributed_training": {"node_count": 2},
        "above 1 requires distributed_training": {"process_count_per_node": 2},
        "is outside the source directory": {"pip_requirements_file": "../outside.txt"},
    }.items():
        given = {"compute_target": "local", "entry_script": "train.py", **more}
        with pytest.raises(RunConfigurationException, match=words):
            Estimator("src", **given)
    made = old(
        Estimator,
        "src",
        compute_target="local",
        entry_script="train.py",
        node_count=2,
        process_count_per_node=2,
        distributed_training=Mpi(),
    )
    assert made.to_script_run_config().run_config.node_count == 2


def test_versions_of_the_frameworks():
    given = {"compute_target": "local", "entry_script": "train.py"}
    for kind, version in (
        (PyTorch, "1.4"),
        (TensorFlow, "1.13"),
        (Chainer, "5.1.0"),
        (SKLearn, "0.20.3"),
    ):
        made = old(kind, "src", **given)
        assert made.framework_version == version
    assert PyTorch.get_supported_versions() == ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6"]
    known = TensorFlow.get_supported_versions()
    assert known == ["1.10", "1.12", "1.13", "2.0", "2.1", "2.2", "2.3"]
    with pytest.raises(RunConfigurationException, match=r"9\.9"):
        PyTorch("src", framework_version="9.9", **given)


def test_estimators_are_deprecated_and_work(submitted):
    made = old(
        Estimator,
        "src",
        compute_target="local",
        entry_script="train.py",
        script_params={"--a": 1},
        user_managed=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # it was said when it was made
        assert submitted(made)[0] == ["['--a', '1'] None"]
