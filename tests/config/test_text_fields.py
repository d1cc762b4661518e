"""Every field that ends as text has the text that stands in the file."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun import CondaDependencies, RunConfiguration, ScriptRunConfig
from scriptrun.cli.options import set_field
from scriptrun.config import describe, yaml_text
from scriptrun.config.camel_case import from_wire, to_wire
from scriptrun.core import mlflow_runs
from scriptrun.migration.formats import read_job
from scriptrun.store import yaml_file

#: unquoted in a file, YAML 1.1 or 1.2 reads each of these as something else than text
NASTY = [
    *("3.10", "0123", "08", "1e3", "1.50", "1.0", "+.5", "0o17", "0x1F", "0b11", "1_000"),
    *("12:30:00", "yes", "No", "on", "off", "y", "true", "True", "FALSE", "2020-01-01", ".inf"),
    *(".NaN", "1.10.0", "010", "1E5", "-0", "+1", "12345678901234567890", "1.0e+20", "9007199254740993.0"),
]  # fmt: skip
each_text = pytest.mark.parametrize("text", NASTY)


def loaded(folder, text):
    (folder / "x.runconfig").write_text(text, "utf-8")
    return RunConfiguration.load(folder / "x.runconfig")


def given_to_the_job(config):
    described = describe.describe(ScriptRunConfig(".", run_config=config))
    return list(described.arguments)


@each_text
def test_a_run_configuration(tmp_path, text):
    config = loaded(
        tmp_path,
        f"script: a.py\narguments: [--v, {text}]\ntarget: {text}\n"
        f"environment: {{version: {text}, environmentVariables: {{A: {text}, {text}: b}}}}\n"
        f"environmentVariables: {{B: {text}}}\ndocker: {{shmSize: {text}, arguments: [{text}]}}\n",
    )
    assert given_to_the_job(config) == ["--v", text]
    assert (config.target, config.environment.version) == (text, text)
    assert config.environment.environment_variables == {"A": text, text: "b"}
    assert config.environment_variables == {"B": text}
    assert (config.docker.shm_size, config.docker.arguments) == (text, [text])
    config.save(tmp_path, "again")
    again = RunConfiguration.load(tmp_path, "again")
    assert given_to_the_job(again) == ["--v", text] and again.docker == config.docker
    assert again.environment.environment_variables == {"A": text, text: "b"}


def test_a_run_configuration_as_json(tmp_path):
    config = loaded(tmp_path, '{"script": "a.py", "arguments": [3.10, 1e3, 5, true, "x"]}')
    assert given_to_the_job(config) == ["3.10", "1e3", "5", "true", "x"]


def test_numbers_of_fields_that_are_numbers(tmp_path):
    config = loaded(tmp_path, "nodeCount: 0o17\nmaxRunDurationSeconds: 0600\n")
    assert (config.node_count, config.max_run_duration_seconds) == (15, 600)


@given(st.lists(st.text() | st.floats() | st.integers() | st.booleans() | st.sampled_from(NASTY)))
@settings(deadline=None)
def test_arguments_of_any_kind_are_given_as_python_gives_them(arguments):
    config = RunConfiguration("a.py", arguments)
    problems: list[str] = []
    value = yaml_text.load(yaml_text.dump(to_wire(config)), "x")
    again = from_wire(RunConfiguration(), value, "", problems)
    assert list(map(str, again.arguments)) == list(map(str, arguments)) and not problems


def test_what_python_gives_is_as_python_writes_it():
    config = RunConfiguration("a.py", [3.10, 1e-5, True, 0.50])
    assert given_to_the_job(config) == ["3.1", "1e-05", "True", "0.5"]


@each_text
def test_set(text):
    config = RunConfiguration("a.py")
    set_field.apply(config, f"environment_variables.A={text}")
    assert config.environment_variables["A"] == text


def test_set_of_a_list():
    config = RunConfiguration("a.py")
    set_field.apply(config, 'arguments=["--v", 3.10, 1e3, 5]')
    assert config.arguments == ["--v", "3.10", "1e3", 5]


@pytest.mark.parametrize(
    "text", [text for text in NASTY if text[0].isalnum() and not {*"+:"} & {*text}]
)
def test_a_conda_file(tmp_path, text):
    (tmp_path / "env.yml").write_text(
        f"name: {text}\nchannels: [{text}]\ndependencies:\n- {text}\n- pip: [{text}]\n", "utf-8"
    )
    conda = CondaDependencies(tmp_path / "env.yml")
    assert (conda.conda_packages, conda.pip_packages, conda.conda_channels) == ([text],) * 3
    assert conda.as_dict()["name"] == text


@each_text
def test_a_job_of_azure_ml(tmp_path, text):
    (tmp_path / "job.yml").write_text(
        f"command: run ${{{{inputs.v}}}} ${{{{inputs.w}}}}\ndisplay_name: {text}\n"
        f"inputs: {{v: {text}, w: {{type: string, default: {text}}}}}\n"
        f"environment_variables: {{A: {text}}}\ntags: {{t: {text}}}\n"
        f"environment: {{image: ubuntu, conda_file: {{dependencies: [python={text}]}}}}\n",
        "utf-8",
    )
    job = read_job.read(tmp_path / "job.yml")
    assert job.config.command.replace("'", "") == f"run {text} {text}"
    assert job.config.run_config.environment_variables == {"A": text}
    assert f"{{'t': {text!r}}}" in job.lost[0]


@each_text
def test_an_mlproject(tmp_path, text):
    (tmp_path / "MLproject").write_text(
        f"name: {text}\nentry_points: {{main: {{command: 'run {{p}} {{q}}', parameters: "
        f"{{p: {{type: float, default: {text}}}, q: {{default: {text}}}}}}}}}\n",
        "utf-8",
    )
    command = read_job.read(tmp_path / "MLproject").config.command
    assert command.replace("'", "") == f"run {text} {text}"


@each_text
def test_options_of_a_sweep(tmp_path, text):
    (tmp_path / "job.yml").write_text(
        "type: sweep\ntrial: {command: 'python t.py --v ${{search_space.v}}'}\n"
        f"search_space: {{v: {{type: choice, values: [{text}]}}}}\n"
        "objective: {goal: minimize, primary_metric: m}\nlimits: {max_total_trials: 010}\n",
        "utf-8",
    )
    sweep = read_job.read(tmp_path / "job.yml").sweep
    (kind, (options,)) = sweep.hyperparameter_sampling.as_dict()["space"]["--v"]
    assert (kind, [str(option) for option in options]) == ("choice", [text])
    assert sweep.max_total_runs == 10


@each_text
def test_the_records_of_a_workspace(tmp_path, text):
    path = tmp_path / "1.yaml"
    path.write_text(f"tags: {{a: {text}, {text}: b}}\ndescription: {text}\nfiles: 012\n", "utf-8")
    record = yaml_file.read(path)
    # what a record itself would write for a number or a boolean stays one
    others = {"1.0": 1.0, "1.0e+20": 1e20, ".inf": float("inf"), "true": True}
    others["12345678901234567890"] = 12345678901234567890
    value = others.get(text, text)
    assert record["tags"] == {"a": value, text: "b"} and record["description"] == value
    assert record["files"] == 12
    assert yaml_file.read(path) == record  # from the copy


def test_records_of_earlier_versions_read_the_same(tmp_path):
    # PyYAML wrote these texts unquoted
    (tmp_path / "1.yaml").write_text("commit: 1234e567\nother: 08\nlist: [0o17, 1e3]\nn: 3.0\n")
    record = yaml_file.read(tmp_path / "1.yaml")
    assert record == {"commit": "1234e567", "other": "08", "list": ["0o17", "1e3"], "n": 3.0}


@each_text
def test_runs_of_mlflow(tmp_path, text):
    folder = tmp_path / "1"
    folder.mkdir()
    (folder / "meta.yaml").write_text(f"name: {text}\nstatus: 3\n", "utf-8")
    assert mlflow_runs.experiment_names(tmp_path) == {text}


@pytest.mark.parametrize("text", ["~", "null", "Null", "NULL", ""])
def test_nulls_among_texts_are_texts(tmp_path, text):
    config = loaded(
        tmp_path,
        f"script: a.py\narguments:\n- --v\n- {text}\ndocker:\n  arguments:\n  - {text}\n"
        f"environmentVariables: {{{text or 'V'}: a}}\n",
    )
    assert given_to_the_job(config) == ["--v", text]
    assert config.docker.arguments == [text]
    assert config.environment_variables == {text or "V": "a"}
    config.save(tmp_path, "again")
    assert given_to_the_job(RunConfiguration.load(tmp_path, "again")) == ["--v", text]


def test_a_null_in_a_command(tmp_path):
    config = loaded(tmp_path, "command: [python, train.py, ~, 010]\n")
    assert describe.describe(ScriptRunConfig(".", run_config=config)).command == (
        "python train.py ~ 010"
    )


@pytest.mark.parametrize("null", ["~", "null", ""])
def test_a_null_where_a_value_may_be_missing_is_none(tmp_path, null):
    config = loaded(
        tmp_path,
        f"script: a.py\narguments: {null}\ntarget: {null}\nframework: {null}\npriority: {null}\n"
        f"environment: {null}\nenvironmentVariables: {{A: {null}}}\nhistory: {null}\n",
    )
    assert (config.arguments, config.target, config.framework) == ([], None, "Python")
    assert (config.priority, config.environment_variables) == (None, {"A": None})
    config = loaded(
        tmp_path, f"environment: {{python: {{condaDependencies: {null}, interpreterPath: x}}}}\n"
    )
    assert config.environment.python.interpreter_path == "x"


def test_nulls_of_json_and_of_python(tmp_path):
    config = loaded(tmp_path, '{"script": "a.py", "arguments": [null, NaN, -Infinity]}')
    assert given_to_the_job(config) == ["null", "NaN", "-Infinity"]
    config = RunConfiguration("a.py", ["--v", None])
    config.save(tmp_path, "of_python")
    assert given_to_the_job(config) == ["--v", "None"]
    assert given_to_the_job(RunConfiguration.load(tmp_path, "of_python")) == ["--v", "None"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_files_that_other_systems_write(tmp_path, encoding):
    (tmp_path / "x.runconfig").write_text("script: a.py\r\narguments: [ä]\r\n", encoding)
    config = RunConfiguration.load(tmp_path / "x.runconfig")
    assert given_to_the_job(config) == ["ä"]
    (tmp_path / "env.yml").write_text("dependencies:\r\n- python=3.10\r\n", encoding)
    assert CondaDependencies(tmp_path / "env.yml").get_python_version() == "3.10"


def test_nulls_of_imported_jobs(tmp_path):
    (tmp_path / "job.yml").write_text(
        "command: run ${{inputs.v}}\ninputs: {v: ~}\nenvironment: {image: ubuntu}\n", "utf-8"
    )
    assert read_job.read(tmp_path / "job.yml").config.command == "run null"
    (tmp_path / "MLproject").write_text(
        "entry_points: {main: {command: 'run {p}', parameters: {p: {default: ~}}}}\n", "utf-8"
    )
    assert read_job.read(tmp_path / "MLproject").config.command == "run null"
