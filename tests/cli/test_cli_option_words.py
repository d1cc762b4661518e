"""What the options of `compute`, `datastore add` and `run` say, from words to settings."""

from __future__ import annotations

import argparse
import json
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptrun.cli import common_arguments, compute, dispatch
from scriptrun.cli.options import data_names, distribution, run_name
from scriptrun.cli.options import datastore as datastore_options
from scriptrun.config.run_configuration import RunConfiguration
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.core.dataset import Dataset
from scriptrun.core.datastore import Datastore
from scriptrun.core.workspace import Workspace
from scriptrun.data.datastores import records
from scriptrun.data.errors import DatastoreException
from scriptrun.spec.errors import RunConfigurationException, UserErrorException

in_tmp_path = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    root = tmp_path / "work"
    root.mkdir()
    monkeypatch.chdir(root)
    made = Workspace.create("w", path=root)
    (root / "photos").mkdir()
    Datastore.register_local(made, "photos", str(root / "photos"))
    return made


# how a job is spread


def spread(*words):
    args = dispatch.parser_of("run").parse([*words, "train.py"])
    made = RunConfiguration()
    distribution.apply(args, made)
    return made


@pytest.mark.parametrize(
    ("words", "nodes", "per_node"),
    [
        (["--mpi"], 1, 1),
        (["--mpi", "--nodes", "3"], 3, 1),
        (["--mpi", "--nodes", "2", "--processes", "8"], 2, 4),
        (["--mpi", "--processes", "5"], 1, 5),
    ],
)
def test_mpi_shares_the_processes_among_the_nodes(words, nodes, per_node):
    made = spread(*words)
    assert (made.node_count, made.mpi.process_count_per_node) == (nodes, per_node)


def test_processes_that_the_nodes_cannot_share_are_refused():
    with pytest.raises(UserErrorException) as caught:
        spread("--mpi", "--nodes", "2", "--processes", "3")
    assert "3" in str(caught.value)
    assert "2" in str(caught.value)


@pytest.mark.parametrize(("words", "backend"), [([], "gloo"), (["--gpus", "2"], "nccl")])
def test_pytorch_talks_as_the_hardware_can(words, backend):
    made = spread("--pytorch", "--processes", "2", *words)
    assert made.pytorch.communication_backend == backend
    assert made.pytorch.process_count == 2


@pytest.mark.parametrize("words", [[], ["--tensorflow"]])
def test_processes_want_a_way_to_find_each_other(words):
    with pytest.raises(UserErrorException):
        spread("--processes", "2", *words)


def test_tensorflow_has_a_worker_a_node():
    made = spread("--tensorflow", "--nodes", "3")
    assert made.tensorflow.worker_count == 3
    assert made.tensorflow.parameter_server_count == 0


def test_nodes_alone_are_only_counted():
    assert (spread("--nodes", "4").node_count, spread().node_count) == (4, 1)


def test_resources_are_asked_for_only_where_they_are_given(tmp_path):
    def asked(*words):
        config = ScriptRunConfig(str(tmp_path), "train.py")
        distribution.request_resources(
            dispatch.parser_of("run").parse([*words, "train.py"]), config
        )
        return config.cpus, config.gpus, config.memory

    assert asked() == (None, None, None)
    cpus, gpus, memory = asked("--cpus", "2", "--memory", "3GB")
    assert (str(cpus), gpus, str(memory)) == ("2", None, "3GB")


# options of a compute target


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], {}),
        (["--max-runs", "4"], {"max_runs": 4}),
        (["--max-runs=4"], {"max_runs": 4}),
        (["--max-runs=4", "--max-runs", "5"], {"max_runs": 5}),
        (["--max-runs", "none"], {"max_runs": None}),
        (["--max_runs", "None"], {"max_runs": None}),
    ],
)
def test_options_of_a_local_target(words, found):
    assert compute._parse_options("Local", words) == found


@pytest.mark.parametrize(
    "words",
    [
        ["--max-runs"],
        ["--max-runs", "many"],
        ["--max-runs", "1.5"],
        ["--max-runs", "true"],
        ["--max-runs", '"4"'],
        ["--max-runs", ""],
        ["--partition", "gpu"],
        ["max-runs", "4"],
        ["4"],
    ],
)
def test_an_option_that_says_nothing_is_refused_with_its_name(words):
    with pytest.raises(UserErrorException) as caught:
        compute._parse_options("Local", words)
    assert words[0].removeprefix("--") in str(caught.value)
    assert "Traceback" not in caught.value.hint


def texts_of(kind):
    return [
        name
        for name, annotated in compute._option_types(kind).items()
        if annotated.startswith("str")
    ]


@in_tmp_path
@given(value=st.text().filter(lambda text: text.lower() != "none"), data=st.data())
def test_a_text_option_is_kept_as_it_stands(value, data):
    name = data.draw(st.sampled_from(texts_of("Slurm")))
    flag = f"--{name.replace('_', '-')}"
    assert compute._parse_options("Slurm", [f"{flag}={value}"]) == {name: value}
    assert compute._parse_options("Slurm", [flag, value]) == {name: value}


def test_an_option_of_several_is_gathered():
    several = [n for n, kind in compute._option_types("Slurm").items() if kind.startswith("tuple")]
    assert several
    for name in several:
        flag = f"--{name.replace('_', '-')}"
        assert compute._parse_options("Slurm", [flag, "a=1", f"{flag}=b"]) == {name: ["a=1", "b"]}
        assert compute._parse_options("Slurm", [flag, "a", flag, "none"]) == {name: None}


# datastores


def registered(workspace, *words):
    args = dispatch.parser_of("datastore").parse(["add", *words])
    return datastore_options.build_registration(args)(workspace)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x"], ["--local", "--s3"]),
        (["x", "--s3", "--gcs", "--bucket", "b"], ["--s3", "--gcs"]),
        (["x", "--s3"], ["--bucket"]),
        (["x", "--azure-blob"], ["--account", "--container"]),
        (["x", "--azure-blob", "--account", "a"], ["--container"]),
        (["x", "--local", "p", "--bucket", "b"], ["--bucket", "--local"]),
        (["x", "--local", "p", "--anonymous"], ["--anonymous"]),
        (["x", "--local", "p", "--option", "a=b"], ["--option"]),
        (["x", "--s3", "--tenant", "t"], ["--tenant", "--bucket"]),
        (["x", "--sftp", "http://h/p"], ["sftp://"]),
        (["x", "--sftp", "h/p"], ["sftp://"]),
        (["x", "--fsspec", "h/p"], ["PROTOCOL://"]),
        (["x", "--fsspec", "memory://h/p", "--option", "a"], ["'a'"]),
        (["x", "--fsspec", "memory://h/p", "--option", "=a"], ["'=a'"]),
    ],
)
def test_a_datastore_that_is_not_described_is_refused(workspace, words, said):
    with pytest.raises(UserErrorException) as caught:
        registered(workspace, *words)
    told = f"{caught.value.message} {caught.value.hint} {getattr(caught.value, 'reasons', '')}"
    assert all(word in told for word in said), told
    assert records.names(workspace).count("x") == 0


def test_all_that_is_wrong_with_a_datastore_is_said_at_once(workspace):
    with pytest.raises(RunConfigurationException) as caught:
        registered(workspace, "x", "--s3", "--tenant", "t", "--account", "a")
    assert len(caught.value.reasons) == 3


@pytest.mark.parametrize(
    "address", ["sftp://me:hunter2@host/p", "sftp://host/p?token=hunter2", "ssh://a:hunter2@h"]
)
def test_an_address_with_a_password_is_refused_and_not_repeated(workspace, address):
    with pytest.raises(UserErrorException) as caught:
        registered(workspace, "x", "--sftp", address)
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"
    kept = "".join(p.read_text() for p in workspace.directory.rglob("*.json"))
    assert "hunter2" not in kept


def test_an_address_is_taken_apart(workspace):
    made = datastore_options._fsspec_arguments(
        "sftp", {"url": "sftp://me@host:2222/a%20b/c", "secret": "s", "options": ["x=1=2"]}
    )
    assert made == {
        "protocol": "sftp",
        "path": "/a b/c",
        "options": {"host": "host", "port": 2222, "username": "me", "x": "1=2"},
        "secret": "s",
    }


def test_every_kind_of_datastore_is_a_call_that_takes_its_options():
    import inspect

    for name, kind in datastore_options.KINDS.items():
        takes = inspect.signature(getattr(Datastore, kind.method)).parameters
        for _, theirs in (*kind.required, *kind.optional):
            assert theirs in takes, (name, theirs)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["--local", "photos"], "AbstractDatastore"),
        (["--s3", "--bucket", "b", "--root", "r", "--region", "eu"], "AbstractDatastore"),
        (["--azure-blob", "--account", "a", "--container", "c", "--anonymous"], "AzureBlob"),
        (["--http", "http://example.org/data"], "AbstractDatastore"),
    ],
)
def test_a_datastore_that_is_described_is_registered(workspace, words, kind):
    made = registered(workspace, "x1", *words)
    assert made.name == "x1"
    assert "x1" in records.names(workspace)
    assert any(kind in cls.__name__ for cls in type(made).__mro__)


# how data is named


@pytest.mark.parametrize("version", ["x", "-1", "1.0", "", " 1", "Latest", "v1"])
def test_a_version_that_is_none_is_refused(workspace, version):
    with pytest.raises(UserErrorException) as caught:
        data_names.get_registered(workspace, f"mnist@{version}")
    assert repr(version) in str(caught.value)


def test_versions_of_a_dataset_are_named(workspace):
    for text in ("one", "two"):
        (workspace.root / "photos" / "a.txt").write_text(text)
        dataset = Dataset.File.from_files([(Datastore.get(workspace, "photos"), "a.txt")])
        dataset.register(workspace, "letters", create_new_version=True)
    for named, version in [("letters", 2), ("letters@latest", 2), ("letters@1", 1)]:
        assert data_names.get_registered(workspace, named).version == version
    with pytest.raises(UserErrorException):
        data_names.get_registered(workspace, "letters@3")
    with pytest.raises(UserErrorException) as caught:
        data_names.resolve_dataset(workspace, "letters:1")
    assert "letters@1" in caught.value.hint


@pytest.mark.parametrize(
    "address", ["https://example.org/a.csv", "s3://bucket/a", "HTTP://x/y", "abfss://c@a/p"]
)
def test_an_address_is_a_source_as_it_stands(workspace, address):
    assert data_names.resolve_source(workspace, address) == address


@pytest.mark.parametrize("path", ["", "a.txt", "folder/**/*.png", "a:b", "ü"])
def test_a_path_on_a_datastore_is_a_source(workspace, path):
    datastore, found = data_names.resolve_source(workspace, f"photos:{path}")
    assert (datastore.name, found) == ("photos", path)


def test_a_local_path_is_a_source_if_it_is_there(workspace, monkeypatch):
    root = workspace.root
    monkeypatch.setenv("HOME", str(root))
    for name in ("a.txt", "odd:name.txt", "C:x"):
        (root / name).write_text("")
    for text in ("a.txt", str(root / "a.txt"), "./a.txt", "~/a.txt"):
        assert data_names.resolve_source(workspace, text) == str(root / "a.txt")
    assert data_names.resolve_source(workspace, "odd:name.txt") == str(root / "odd:name.txt")
    assert data_names.resolve_source(workspace, "C:x") == str(root / "C:x")
    assert data_names.resolve_source(workspace, "photos/*.png") == str(root / "photos/*.png")


@pytest.mark.parametrize("text", ["gone.txt", "gone/*.txt", "C:gone"])
def test_a_local_path_that_is_not_there_is_refused(workspace, text):
    with pytest.raises(UserErrorException) as caught:
        data_names.resolve_source(workspace, text)
    assert text in str(caught.value)


def test_a_datastore_that_is_not_there_is_named(workspace):
    with pytest.raises(DatastoreException) as caught:
        data_names.resolve_source(workspace, "nothere:a.txt")
    assert "nothere" in str(caught.value)


def test_a_registered_name_comes_before_a_file_of_that_name(workspace):
    (workspace.root / "photos" / "a.txt").write_text("x")
    (workspace.root / "letters").write_text("a file")
    assert data_names.resolve_dataset(workspace, "letters").name is None
    dataset = Dataset.File.from_files([(Datastore.get(workspace, "photos"), "a.txt")])
    dataset.register(workspace, "letters")
    assert data_names.resolve_dataset(workspace, "letters").name == "letters"
    assert data_names.resolve_dataset(workspace, "./letters").name is None


# verbs


def test_a_verb_is_done_by_the_function_of_its_name():
    parser = argparse.ArgumentParser()
    verbs = {"list": ("the runs", "x"), "show": ("one of them", "x")}
    common_arguments.add_verbs(
        parser, verbs, {"list": lambda verb: None, "show": common_arguments.run_argument}, ("list",)
    )
    assert vars(parser.parse_args(["show", "a", "--json"])) == {
        "verb": "show",
        "run_name": "a",
        "json": True,
    }
    assert vars(parser.parse_args(["show"]))["run_name"] is None
    assert parser.parse_args([]).verb is None
    with pytest.raises(SystemExit):
        parser.parse_args(["list", "--json"])


def test_no_verb_means_list(workspace, capsys):
    args = SimpleNamespace(verb=None, json=True)
    assert common_arguments.run_verb(args, {"list": ("", "data.show")}) == {"datasets": []}
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "datasets": []}


# the names of runs


@pytest.mark.parametrize(
    "name", ["a", "süß 日本", "-x", "a/b", "..", "latest2", "best", "x:1", "#1"]
)
def test_a_name_that_finds_its_run(workspace, name):
    run_name.check(workspace, name)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "it is empty"),
        ("\n", "it is empty"),
        ("x ", "begins or ends with a space"),
        ("a\tb", "control characters"),
        ("\u202egnp", "control characters"),
        ("latest", "it is a selector"),
        ("highest:loss", "it is a selector"),
        ("x" * 201, "it has 201 characters"),
    ],
)
def test_a_name_that_would_not_find_its_run(workspace, name, problem):
    with pytest.raises(UserErrorException, match=problem) as caught:
        run_name.check(workspace, name)
    assert caught.value.hint
    if name:
        with pytest.raises(UserErrorException):
            run_name.check_option(workspace, name)


def test_no_name_is_no_mistake(workspace):
    run_name.check_option(workspace, "")
    run_name.check_option(workspace, None)
