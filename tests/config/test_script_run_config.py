"""ScriptRunConfig: what counts, what is overruled, what is refused."""

from __future__ import annotations

import copy
import enum
import warnings
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scriptrun import (
    DockerConfiguration,
    Environment,
    MpiConfiguration,
    PyTorchConfiguration,
    RunConfiguration,
    ScriptRunConfig,
    TensorflowConfiguration,
)
from scriptrun.config.describe import describe
from scriptrun.config.reader import ConfigReader
from scriptrun.spec.errors import RunConfigurationException
from scriptrun.spec.job import Distribution


@dataclass(frozen=True)
class Cluster:
    name: str = "gpu-cluster"


def test_nothing_is_looked_up_by_the_constructor():
    config = ScriptRunConfig("/no/such/place", "none.py", ["--alpha", 0.5])
    assert config.run_config.script is None
    assert config.arguments == ["--alpha", 0.5]
    assert config.run_config.max_run_duration_seconds is None
    assert config.run_config.environment.name == "default-environment"


def test_the_run_config_is_live():
    config = ScriptRunConfig(".", "train.py")
    config.run_config.target = Cluster()
    config.run_config.node_count = 3
    config.run_config.environment = Environment("mine")
    config.run_config.max_run_duration_seconds = 60
    config.run_config.environment_variables = {"A": 1}
    config.arguments.append("--late")
    described = describe(config)
    assert described.target == Cluster()
    assert described.distribution == Distribution("nodes", 3)
    assert described.environment.name == "mine"
    assert described.max_run_duration_seconds == 60
    assert described.variables == {"EXAMPLE_ENV_VAR": "EXAMPLE_VALUE", "A": "1"}
    assert described.arguments == ("--late",)
    assert described.run_definition["target"] == "gpu-cluster"


def test_run_config_wins_and_one_warning_names_all(recwarn):
    run_config = RunConfiguration()
    run_config.target = "cpu"
    config = ScriptRunConfig(
        ".",
        "train.py",
        run_config=run_config,
        compute_target=Cluster(),
        environment=Environment.from_docker_image("mine", "org/x"),
        distributed_job_config=MpiConfiguration(2, 2),
        docker_runtime_config=DockerConfiguration(True),
        max_run_duration_seconds=60,
    )
    assert config.run_config is run_config and describe(config).target == "cpu"
    assert len(recwarn) == 1
    message = str(recwarn[0].message)
    assert "compute_target='gpu-cluster' (run_config has 'cpu')" in message
    assert "environment='mine' (run_config has 'default-environment')" in message
    assert "max_run_duration_seconds=60 (run_config has None)" in message
    assert recwarn[0].filename == __file__
    assert [each.argument for each in config.overruled] == [
        "compute_target",
        "environment",
        "distributed_job_config",
        "docker_runtime_config",
        "max_run_duration_seconds",
    ]
    assert config.overruled_warnings == [message]


def test_no_warning_where_both_say_the_same():
    run_config = RunConfiguration()
    run_config.target = "gpu-cluster"
    run_config.environment = Environment("mine")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ScriptRunConfig(
            ".",
            "a.py",
            run_config=run_config,
            compute_target=Cluster(),
            environment=Environment("mine"),
        )


def test_script_arguments_and_command_beat_those_of_run_config():
    run_config = RunConfiguration("old.py", ["--old"])
    both = describe(ScriptRunConfig(".", "new.py", ["--new"], run_config))
    assert (both.script, both.arguments) == ("new.py", ("--new",))
    neither = describe(ScriptRunConfig(".", run_config=run_config))
    assert (neither.script, neither.arguments) == ("old.py", ("--old",))
    command = describe(ScriptRunConfig(".", command="python a.py", run_config=run_config))
    assert (command.script, command.command, command.arguments) == (None, "python a.py", ())
    assert command.run_definition["command"] == "python a.py"


def test_arguments_become_texts_as_python_writes_them(tmp_path):
    import numbers

    class Odd(int):
        pass

    given = ["--a", 0.1, 1e-5, True, None, tmp_path, Odd(3), Fraction(1, 2), "", "$HOME", "é\n"]
    assert isinstance(given[7], numbers.Number)
    described = describe(ScriptRunConfig(".", Path("sub/train.py"), tuple(given)))
    assert described.script == str(Path("sub/train.py"))
    assert described.arguments == (
        "--a", "0.1", "1e-05", "True", "None", str(tmp_path), "3", "1/2", "", "$HOME", "é\n",
    )  # fmt: skip
    assert described.run_definition["arguments"] == list(described.arguments)


def test_a_member_of_an_enum_is_its_value():
    class Mode(str, enum.Enum):  # noqa: UP042
        FAST = "fast"

    run_config = RunConfiguration()
    run_config.environment_variables = {"MODE": Mode.FAST}
    described = describe(ScriptRunConfig(".", "a.py", ["--mode", Mode.FAST], run_config))
    assert described.arguments == ("--mode", "fast")
    assert described.variables["MODE"] == "fast"


def test_a_text_of_arguments_is_split_as_a_shell_does():
    described = describe(ScriptRunConfig(".", "a.py", "--name 'two words' --x=1"))
    assert described.arguments == ("--name", "two words", "--x=1")
    assert (
        "cannot split arguments" in ConfigReader(ScriptRunConfig(".", "a.py", "it's")).problems()[0]
    )


def test_a_command_list_is_joined_by_blanks_and_left_alone():
    described = describe(ScriptRunConfig(".", command=["echo", "$RANK && ls", 3]))
    assert described.command == "echo $RANK && ls 3"


def test_data_is_left_to_the_caller():
    class Data:
        pass

    config = ScriptRunConfig(".", "a.py", ["--in", Data()])
    assert "not a Data" in ConfigReader(config).problems()[0]
    resolve = lambda value: "/mnt/x" if isinstance(value, Data) else None  # noqa: E731
    assert ConfigReader(config).problems(resolve) == []
    assert describe(config, resolve).arguments == ("--in", "/mnt/x")


@pytest.mark.parametrize(
    ("given", "framework", "communicator", "nodes", "distribution"),
    [
        (MpiConfiguration(2, 3), "Python", "IntelMpi", 3, Distribution("mpi", 3, 2, 6)),
        (PyTorchConfiguration("Nccl", 8, 2), "PyTorch", "nccl", 2,
         Distribution("pytorch", 2, 4, 8, {"backend": "nccl"})),
        (PyTorchConfiguration("Gloo", node_count=2), "PyTorch", "gloo", 2,
         Distribution("pytorch", 2, 1, None, {"backend": "gloo"})),
        (TensorflowConfiguration(4, 0), "TensorFlow", "ParameterServer", 4,
         Distribution("tensorflow", 4, 1, None, {"workers": 4, "parameter_servers": 0})),
    ],
)  # fmt: skip
def test_distributed_jobs(given, framework, communicator, nodes, distribution):
    config = ScriptRunConfig(".", "a.py", distributed_job_config=given)
    run = config.run_config
    assert (run.framework, run.communicator, run.node_count) == (framework, communicator, nodes)
    assert describe(config).distribution == distribution


def test_node_count_of_run_config_counts_and_a_note_says_so():
    config = ScriptRunConfig(".", "a.py", distributed_job_config=MpiConfiguration(2, 1))
    config.run_config.node_count = 4
    described = describe(config)
    assert described.distribution == Distribution("mpi", 4, 2, 8)
    assert "run_config.node_count=4 overrides mpi.node_count=1" in described.notes


def test_old_run_configurations_are_distributed_too():
    run_config = RunConfiguration("a.py", communicator="Mpi")
    run_config.node_count = 2
    assert describe(ScriptRunConfig(".", run_config=run_config)).distribution.kind == "mpi"


def bad(**values):
    return ScriptRunConfig(**{"source_directory": ".", "script": "a.py", **values})


def with_run_config(**values):
    config = bad()
    for name, value in values.items():
        setattr(config.run_config, name, value)
    return config


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (bad(command="x"), "script and command cannot be used together"),
        (bad(script=None), "nothing to run"),
        (bad(script=3), "script must be a path in the source directory, not an int (3)"),
        (bad(script=None, command=3), "command must be a string or a list of strings"),
        (bad(script=None, command="x", arguments=["--a"]), "arguments and command cannot be used together"),
        (bad(source_directory=3), "source_directory must be a path"),
        (bad(arguments={"--a": 1}), "arguments must be a flat list, not a dict"),
        (bad(arguments=["--a", [1, 2]]), "arguments[1] is a list ([1, 2]), but arguments must be a flat list"),
        (bad(arguments=[b"x"]), "arguments[0] must be a string"),
        (bad(distributed_job_config="mpi"), "distributed_job_config must be an MpiConfiguration"),
        (bad(max_run_duration_seconds="1h"), "max_run_duration_seconds must be greater than 0, not '1h'"),
        (bad(max_run_duration_seconds=0), "max_run_duration_seconds must be greater than 0, not 0"),
        (bad(environment="AzureML-Minimal"), "environment must be an Environment, not a str"),
        (bad(docker_runtime_config=True), "docker_runtime_config must be a DockerConfiguration"),
        (None, "expected a ScriptRunConfig, not"),
        ("train.py", "expected a ScriptRunConfig, not a str ('train.py')"),
        (bad(run_config="train"), "run_config must be a RunConfiguration, not a str ('train')"),
        (bad(distributed_job_config=PyTorchConfiguration("Nccl", 3, 2)), "multiple of node_count=2"),
        (bad(distributed_job_config=MpiConfiguration(0, 1)), "mpi.process_count_per_node must be an integer of at least 1, not 0"),
        (with_run_config(node_count="2"), "node_count must be an integer of at least 1, not '2'"),
        (with_run_config(communicator="Horovod"), "invalid communicator 'Horovod'"),
        (with_run_config(environment_variables=["A=1"]), "run_config.environment_variables must be a dict"),
        (with_run_config(environment_variables={"A=B": 1}), "invalid variable name 'A=B'"),
    ],
)  # fmt: skip
def test_what_is_refused(config, sentence):
    found = ConfigReader(config).problems()
    assert len(found) == 1 and sentence in found[0]
    with pytest.raises(RunConfigurationException) as caught:
        describe(config)
    assert sentence in str(caught.value)


def test_all_reasons_come_at_once():
    config = bad(command="x", arguments=[[1]], max_run_duration_seconds=-1, environment=3)
    with pytest.raises(RunConfigurationException) as caught:
        describe(config)
    assert len(caught.value.reasons) == 4


def test_resume_from_is_handed_on():
    source = object()
    assert describe(bad(resume_from=source)).resume_from is source


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("argument", "no attribute 'argument', so setting it has no effect; did you mean 'argum"),
        ("evironment", "did you mean 'run_config.environment'"),
        ("environment", "set run_config.environment."),
        ("compute_target", "set run_config.target."),
        ("distributed_job_config", "of run_config"),
        ("qqq", "'qqq', so setting it has no effect"),
    ],
)
def test_a_name_that_it_does_not_have_is_warned_of_once_and_kept(name, told):
    config = ScriptRunConfig(".", "train.py")
    with pytest.warns(UserWarning) as warned:
        setattr(config, name, 1)
    assert [told in str(each.message) for each in warned] == [True] and getattr(config, name) == 1
    assert warned[0].filename == __file__


def test_names_that_it_has_are_set_without_a_word(recwarn):
    class Mine(ScriptRunConfig):
        def __init__(self):
            super().__init__(".", "train.py")
            self.flavour = self.compute_target = "sweet"

    config = copy.deepcopy(ScriptRunConfig(".", "train.py"))
    for name in ("source_directory", "script", "command", "arguments", "run_config", "identity"):
        setattr(config, name, None)
    config.retries, config.memory, config._own = 2, "1G", 3
    assert Mine().flavour == "sweet" and not recwarn.list
    with pytest.raises(AttributeError, match="did you mean 'environment'"):
        ScriptRunConfig(".").run_config.evironment = None


@pytest.mark.parametrize(
    "arguments",
    [
        ["--on", np.bool_(True), np.array(3), np.datetime64("2020-01-01")],
        np.array(["--on", "True", "3", "2020-01-01"]),
        pd.Series(["--on", "True", "3", "2020-01-01"]),
    ],
    ids=["items", "array", "series"],
)
def test_arguments_may_be_numpys_and_pandas_values(arguments):
    described = describe(ScriptRunConfig(".", "train.py", arguments))
    assert described.arguments == ("--on", "True", "3", "2020-01-01")
    config = ScriptRunConfig(".", "train.py")
    config.run_config.arguments = arguments
    assert describe(config).arguments == ("--on", "True", "3", "2020-01-01")


@pytest.mark.parametrize(
    "value", [np.arange(3), pd.Series([1, 2]), pd.DataFrame({"a": [1]}), pd.NA], ids=type
)
def test_an_argument_of_several_values_is_refused_by_its_place(value):
    with pytest.raises(RunConfigurationException) as caught:
        describe(ScriptRunConfig(".", "train.py", ["--x", value]))
    assert "arguments[1] must be a string, a number, a path" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_counts_may_be_numpys_integers():
    two = np.int64(2)
    config = ScriptRunConfig(
        ".", "train.py", distributed_job_config=PyTorchConfiguration("Gloo", two, np.int32(2))
    )
    config.run_config.max_run_duration_seconds = np.float32(60)
    config.run_config.environment_variables = {"A": two, "B": np.bool_(True), "C": Path("x")}
    config.retries, config.cpus, config.memory = two, two, np.int64(1 << 30)
    described = describe(config)
    assert (described.distribution.nodes, described.distribution.processes) == (2, 2)
    assert (described.retry.limit, described.resources.cpus) == (2, 2)
    assert {name: described.variables[name] for name in "ABC"} == {"A": "2", "B": "True", "C": "x"}
