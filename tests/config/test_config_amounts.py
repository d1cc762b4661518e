"""What is asked for: sizes, counts, nodes and processes; and what is wrong with it."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun import RunConfiguration, ScriptRunConfig
from scriptrun.config import distribution_spec, frameworks, resources
from scriptrun.config.distributed import (
    MpiConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from scriptrun.config.environments import images
from scriptrun.config.reader import ConfigReader, is_plain
from scriptrun.config.section_base import Section, did_you_mean
from scriptrun.spec.job import Distribution, Resources
from scriptrun.spec.values import fresh


@pytest.mark.parametrize(
    ("given_", "size"),
    [
        (0, 0),
        (17, 17),
        ("17", 17),
        ("1k", 1024),
        ("1KiB", 1024),
        ("1 kb", 1024),
        ("16G", 16 << 30),
        (" 16 GiB ", 16 << 30),
        ("1.5M", 3 << 19),
        ("2T", 2 << 40),
        ("", None),
        ("G", None),
        ("-1G", None),
        ("1,5G", None),
        ("1e3", None),
        ("16 gigabytes", None),
        ("1.G", None),
        (True, None),
        (1.5, None),
        (None, None),
        ([16], None),
        (b"16G", None),
    ],
)
def test_sizes(given_, size):
    assert resources.parse_size(given_) == size


@given(
    number=st.integers(0, 10**6),
    unit=st.sampled_from("KMGTkmgt"),
    end=st.sampled_from(["", "B", "iB", "ib"]),
)
def test_units_are_powers_of_1024_in_any_case(number, unit, end):
    power = "KMGT".index(unit.upper()) + 1
    assert resources.parse_size(f"{number}{unit}{end}") == number * 1024**power


def config_problems(config, resolve=None):
    return ConfigReader(config).problems(resolve)


def read_words(config):
    reader = ConfigReader(config)
    return (reader.script, reader.command), reader.arguments


def _job(distributed=None, nodes=1, **asked):
    config = ScriptRunConfig(".", script="a.py", distributed_job_config=distributed)
    if distributed is None:
        config.run_config.node_count = nodes
    for name, value in asked.items():
        setattr(config, name, value)
    return config


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (_job(), Resources()),
        (_job(cpus=4, gpus=0, memory="1G"), Resources(cpus=4, gpus=0, memory=1 << 30)),
        (_job(MpiConfiguration(3, 2), cpus_per_process=2), Resources(cpus=6)),
        (_job(MpiConfiguration(3, 2), cpus=2), Resources(cpus=2)),
        (_job(PyTorchConfiguration("Nccl", 8, 2), gpus_per_process=1), Resources(gpus=4)),
        (_job(PyTorchConfiguration("Nccl", 8, 2), memory_per_process="2k"), Resources(memory=8192)),
        (_job(TensorflowConfiguration(2, 3), cpus_per_process=2), Resources(cpus=6)),
        (_job(TensorflowConfiguration(2, 3), gpus_per_process=1), Resources(gpus=1)),
        (_job(gpus=2, gpu_binding="process"), Resources(gpus=2, gpu_binding="process")),
    ],
)
def test_what_a_node_is_asked_for(config, found):
    assert resources.problems(resources.requested(config)) == []
    assert (
        resources.node_resources(
            resources.requested(config), distribution_spec.distribution(config.run_config)
        )
        == found
    )


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"cpus": 0}, ["cpus", "0"]),
        ({"cpus": True}, ["cpus", "True"]),
        ({"cpus": 2.0}, ["cpus", "2.0"]),
        ({"gpus": -1}, ["gpus", "-1"]),
        ({"gpus_per_process": "one"}, ["gpus_per_process", "'one'"]),
        ({"memory": "lots"}, ["memory", "'lots'", "16G"]),
        ({"memory": 0}, ["memory", "0"]),
        ({"memory_per_process": "0G"}, ["memory_per_process", "'0G'"]),
        ({"cpus": 1, "cpus_per_process": 2}, ["cpus_per_process", "1", "2"]),
        ({"gpu_binding": "rank"}, ["gpu_binding", "'rank'", "process"]),
    ],
)
def test_amounts_that_cannot_be(asked, named):
    (said,) = resources.problems(resources.requested(_job(**asked)))
    assert all(each in said for each in named)


def test_all_amounts_that_cannot_be_are_told_at_once():
    assert (
        len(
            resources.problems(
                resources.requested(_job(cpus=0, gpus=-1, memory="x", gpu_binding=""))
            )
        )
        == 4
    )


def _run(communicator, nodes=1, **counts):
    config = RunConfiguration()
    config.communicator, config.node_count = communicator, nodes
    for name, value in counts.items():
        section, _, field = name.partition("__")
        setattr(getattr(config, section), field, value)
    return config


@pytest.mark.parametrize(
    ("config", "spread"),
    [
        (_run("None"), Distribution()),
        (_run(None), Distribution()),
        (_run("None", 3), Distribution("nodes", 3)),
        (_run("IntelMpi", 2, mpi__process_count_per_node=4), Distribution("mpi", 2, 4, 8)),
        (_run("OPENMPI", 1), Distribution("mpi", 1, 1, 1)),
        (_run("Gloo", 2), Distribution("pytorch", 2, 1, None, {"backend": "gloo"})),
        (_run("Nccl", 2, pytorch__process_count=8), Distribution("pytorch", 2, 4, 8, {"backend": "nccl"})),
        (
            _run("ParameterServer", 3, tensorflow__parameter_server_count=0),
            Distribution("tensorflow", 3, 1, None, {"workers": 3, "parameter_servers": 0}),
        ),
    ],
)  # fmt: skip
def test_how_many_processes_run_where(config, spread):
    assert distribution_spec.problems(config) == []
    assert distribution_spec.distribution(config) == spread


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (_run("None", 0), ["node_count", "0"]),
        (_run("None", True), ["node_count", "True"]),
        (_run("None", 1.0), ["node_count", "1.0"]),
        (_run("Mpi", 1, mpi__process_count_per_node="4"), ["mpi.process_count_per_node", "'4'"]),
        (_run("Nccl", 1, pytorch__process_count=0), ["pytorch.process_count", "0"]),
        (_run("Nccl", 3, pytorch__process_count=4), ["4", "3"]),
        (_run("ParameterServer", 1, tensorflow__parameter_server_count=-1), ["parameter_server", "-1"]),
        (_run("Horovod"), ["'Horovod'", "Gloo"]),
    ],
)  # fmt: skip
def test_nodes_and_processes_that_cannot_be(config, named):
    (said,) = distribution_spec.problems(config)
    assert all(each in said for each in named)


@given(total=st.integers(1, 64), nodes=st.integers(1, 16))
def test_each_node_gets_the_same_share_or_it_is_said(total, nodes):
    config = _run("Nccl", nodes, pytorch__process_count=total)
    spread = distribution_spec.distribution(config)
    assert spread.processes_per_node * nodes >= total
    fits = spread.processes_per_node * nodes == total
    assert (distribution_spec.problems(config) == []) is fits


def test_a_section_that_counts_differently_is_a_note_and_only_of_its_own_kind():
    config = _run("Mpi", 2, mpi__node_count=4, pytorch__node_count=5)
    (said,) = distribution_spec.notes(config)
    assert all(each in said for each in ("mpi.node_count", "2", "4"))
    assert distribution_spec.notes(_run("None", 2, mpi__node_count=4)) == []
    assert distribution_spec.notes(_run("Mpi", 4, mpi__node_count=4)) == []


def test_what_is_data_is_asked_of_the_caller_and_its_none_is_a_problem():
    thing, other = object(), object()
    config = ScriptRunConfig(".", script="a.py", arguments=["--in", thing, other])
    (said,) = config_problems(config, lambda value: "text" if value is thing else None)
    assert "arguments[2]" in said
    assert len(config_problems(config)) == 2


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, True),
        ("", True),
        (1.5, True),
        (True, True),
        (PurePosixPath("a"), True),
        (Decimal("1"), True),
        (1j, True),
        (b"a", False),
        ([], False),
        (object(), False),
    ],
)
def test_values_that_need_no_help_to_become_text(value, plain):
    assert is_plain(value) is plain


class _Data:
    path_on_datastore = "a/b"


@pytest.mark.parametrize(
    ("change", "asks"),
    [
        ({}, False),
        ({"arguments": ["--a", 1, None]}, False),
        ({"arguments": ["--a", _Data()]}, True),
        ({"arguments": ["$AZUREML_DATAREFERENCE_x"]}, True),
        ({"arguments": "--a $AZUREML_DATAREFERENCE_x"}, True),
        ({"script": None, "command": ["cat", _Data()]}, True),
        ({"script": None, "command": "cat $AZUREML_DATAREFERENCE_x"}, True),
        ({"resume_from": _Data()}, True),
        ({"resume_from": "some/folder"}, False),
    ],
)
def test_whether_a_job_asks_for_data(change, asks):
    config = ScriptRunConfig(".", **{"script": "a.py", **change})
    assert ConfigReader(config).may_use_data is asks
    assert ConfigReader("no config").may_use_data is False


def test_a_variable_may_be_data():
    config = ScriptRunConfig(".", script="a.py")
    config.run_config.environment_variables = {"A": "plain"}
    assert not ConfigReader(config).may_use_data
    config.run_config.environment_variables = {"A": _Data()}
    assert ConfigReader(config).may_use_data


def test_script_and_arguments_of_the_run_config_count_where_none_are_given():
    run = RunConfiguration(script="inner.py", arguments=["--inner"])
    config = ScriptRunConfig(".", run_config=run)
    assert read_words(config) == (
        ("inner.py", ""),
        ["--inner"],
    )
    config = ScriptRunConfig(".", script="outer.py", arguments=["--outer"], run_config=run)
    assert (ConfigReader(config).script, ConfigReader(config).arguments) == (
        "outer.py",
        ["--outer"],
    )
    assert read_words(ScriptRunConfig(".", command="ls", run_config=run))[0] == (
        None,
        "ls",
    )


@pytest.mark.parametrize(
    ("causes", "bad"),
    [
        ("preempted, node-lost", []),
        (["exit:1", "exit:137", "signal:SIGKILL", "time-limit"], []),
        ("exit:0", ["exit:0"]),
        (["exit:", "exit:1000", "signal:kill", "Preempted"], ["exit:", "exit:1000", "signal:kill", "Preempted"]),
        (["preempted", 3], ["3"]),
        ("", ["''"]),
    ],
)  # fmt: skip
def test_causes_for_which_a_run_is_started_again(causes, bad):
    config = _job(retry_on=causes)
    said = config_problems(config)
    assert len(said) == len(bad)
    assert all(each in text for each, text in zip(bad, said, strict=True))


@pytest.mark.parametrize(
    ("warn", "limit", "good"),
    [(5, 10, True), (10, 10, False), (0, 10, False), (-1, 10, False), (5, None, False), (None, None, True), (0.5, 1, True)],
)  # fmt: skip
def test_a_warning_comes_before_the_end(warn, limit, good):
    config = _job(warn_before_seconds=warn)
    config.run_config.max_run_duration_seconds = limit
    assert (config_problems(config) == []) is good


@pytest.mark.parametrize("retries", [-1, "2", None, 1.5])
def test_retries_are_a_whole_number(retries):
    (said,) = config_problems(_job(retries=retries))
    assert repr(retries) in said


@pytest.mark.parametrize("name", ["", "A=B", "A\0", 3, None])
def test_names_that_no_variable_can_have(name):
    config = _job()
    config.run_config.environment_variables = {"GOOD": "1", name: "x"}
    (said,) = config_problems(config)
    assert repr(name) in said


def test_arguments_in_one_text_must_be_words():
    config = ScriptRunConfig(".", script="a.py", arguments="--name 'open")
    (said,) = config_problems(config)
    assert "--name 'open" in said
    assert config_problems(ScriptRunConfig(".", script="a.py", arguments="--name 'a b'")) == []


@pytest.mark.parametrize("values", [[1, 2], (1,), {"a": 1}, {1}])
def test_a_list_within_arguments_is_named_with_its_place(values):
    (said,) = config_problems(ScriptRunConfig(".", script="a.py", arguments=["a", values]))
    assert "arguments[1]" in said
    assert type(values).__name__ in said


def test_a_long_value_is_not_shown_whole():
    (said,) = config_problems(ScriptRunConfig("x" * 3, script=["x" * 100]))
    assert "x" * 100 not in said


@pytest.mark.parametrize("framework", frameworks.VERSIONS)
def test_each_framework_has_its_default_among_its_versions(framework):
    default, known = frameworks.VERSIONS[framework]
    assert default in known
    names = {
        frameworks.curated_name(framework, version, gpu)
        for version in known
        for gpu in (True, False)
    }
    assert len(names) == len(known) * (1 if framework == "SKLearn" else 2)
    assert framework.lower() in frameworks.environment_name(framework)


def test_names_of_old_estimators_environments():
    assert frameworks.environment_name("") == "estimator"
    assert frameworks.curated_name("PyTorch", "1.4", True) == "AzureML-PyTorch-1.4-GPU"
    assert frameworks.curated_name("SKLearn", "0.20.3", False) == "AzureML-Scikit-learn-0.20.3"


@pytest.mark.parametrize(
    ("image", "azures"),
    [
        (None, True),
        ("", True),
        (images.DEFAULT_CPU_IMAGE, True),
        (images.INTEL_MPI_GPU_IMAGE, True),
        ("todrabas/aml_rapids:latest", True),
        ("todrabas/aml_rapids:other", False),
        ("mcr.microsoft.com/other:1", False),
        ("registry.example/mcr.microsoft.com/azureml/x", False),
        ("ubuntu:22.04", False),
    ],
)
def test_images_that_are_no_wish_of_the_users(image, azures):
    assert images.is_azure_image(image) is azures


class Inner(Section):
    depth: int = 0


class Outer(Section):
    count: int = 1
    names: list = fresh(list)
    inner: Inner = fresh(Inner)

    @property
    def doubled(self):
        return self.count * 2

    @doubled.setter
    def doubled(self, value):
        self.count = value // 2


class Wider(Outer):
    extra: str = ""


def test_fields_are_inherited_in_order_and_shown():
    assert list(Wider.fields) == ["count", "names", "inner", "extra"]
    assert repr(Outer(count=2)) == "Outer(count=2, names=[], inner=Inner(depth=0))"
    assert Outer().names is not Outer().names
    assert Outer().inner is not Outer().inner


def test_sections_are_equal_by_content_and_kind():
    assert Outer(count=2) == Outer(count=2) != Outer(count=3)
    assert Wider() != Outer()
    assert Outer() != {"count": 1, "names": [], "inner": Inner()}
    with pytest.raises(TypeError):
        hash(Outer())


def test_a_section_takes_no_other_names_but_private_ones_and_properties():
    made = Outer()
    with pytest.raises(AttributeError, match="'count'"):
        made.cuont = 3
    with pytest.raises(AttributeError, match="'count'"):
        made.cuont
    with pytest.raises(AttributeError):
        Outer(nothing=1)
    with pytest.raises(AttributeError):
        made._nothing
    made.doubled = 10
    assert (made.count, made._count, made.doubled) == (5, 5, 10)
    made._count = 7
    made._note = "kept"
    assert (made.count, made._note) == (7, "kept")
    assert "_note" not in made.values()


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("Nmae", ["name", "other"], "'name'"),
        ("NODECOUNT", ["node_count"], "'node_count'"),
        ("zzz", ["b", "a"], "a, b"),
        ("zzz", [], "."),
    ],
)
def test_the_nearest_name_is_told_else_all(name, known, said):
    assert said in did_you_mean(name, known)


def test_a_path_is_taken_for_source_and_script():
    config = ScriptRunConfig(PurePosixPath("a"), script=PurePosixPath("b.py"))
    assert config_problems(config) == []
    assert os.fspath(ConfigReader(config).script) == "b.py"


#: what each of these settings cannot be
WRONG = {
    "retry_on": [5, 1.5, {}, object()],
    "retries": [True, -1, "3", 1.5, None],
    "warn_before_seconds": ["x", True, float("nan"), [1], -1],
    "memory": ["1" * 400 + "G", -5, True, "-1G", "1e5", "९G", [], 0],
    "cpus": [True, -1, "2", 1.5],
    "gpus": [True, -1, "2"],
    "gpu_binding": [5, None, []],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_what_a_setting_cannot_be_is_a_problem(name, value):
    config = ScriptRunConfig(".", script="train.py", max_run_duration_seconds=100)
    assert ConfigReader(config).problems() == []
    setattr(config, name, value)
    assert len(ConfigReader(config).problems()) == 1


def test_no_causes_are_no_problem():
    config = ScriptRunConfig(".", script="train.py")
    config.retry_on = None
    assert ConfigReader(config).problems() == []
    assert ConfigReader(config).retry_causes == []


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.lists(st.none() | st.integers() | st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3) | st.integers(), st.none() | st.text(), max_size=2),
    st.just(object()),
)
SETTINGS = [
    *("source_directory", "script", "arguments", "command", "resume_from", "run_config"),
    *("distributed_job_config", "retries", "retry_on"),
    *("warn_before_seconds", "gpu_binding", *resources.NAMES),
    *(f"{name}_per_process" for name in resources.NAMES),
]


@given(st.dictionaries(st.sampled_from(SETTINGS), ANYTHING, max_size=4))
def test_settings_of_any_kind_are_problems_and_no_errors(values):
    config = ScriptRunConfig(".", script="train.py")
    for name, value in values.items():
        setattr(config, name, value)
    assert isinstance(ConfigReader(config).problems(), list)


@given(st.dictionaries(st.sampled_from(sorted(RunConfiguration.fields)), ANYTHING, max_size=4))
def test_fields_of_any_kind_are_problems_and_no_errors(values):
    config = ScriptRunConfig(".", script="train.py")
    vars(config.run_config).update(values)
    assert isinstance(ConfigReader(config).problems(), list)
