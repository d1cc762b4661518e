"""Jobs and sweeps as Azure ML v2's YAML and as code, and what a proof makes of steps and names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import scriptrun
from scriptrun import BanditPolicy, Datastore, ScriptRunConfig, Workspace
from scriptrun.config.sweeps import early_stopping, hyperdrive, sampling
from scriptrun.migration.formats import shapes, sweeps, v2
from scriptrun.migration.proof import pipelines, recorder, stubs
from scriptrun.spec.environment import INTERPRETER, PACKAGES, EnvironmentSpec
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.job import Distribution, JobSpec, Resources, Target
from scriptrun.spec.job_data import JobData
from scriptrun.store import yaml_reader
from scriptrun.sweeps.record import Sweep

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
SPANS = st.tuples(NUMBERS, NUMBERS).filter(lambda pair: pair[0] < pair[1]).map(list)
OPTIONS = st.one_of(
    st.text(st.characters(exclude_characters="\x85\0", exclude_categories=["Cs"]), max_size=6),
    st.integers(),
    NUMBERS,
    st.booleans(),
)
EXPRESSIONS = st.one_of(
    st.lists(OPTIONS, min_size=1, max_size=3, unique_by=repr).map(lambda o: ["choice", [o]]),
    st.integers(1, 99).map(lambda n: ["randint", [n]]),
    SPANS.map(lambda span: ["uniform", span]),
    SPANS.map(lambda span: ["quniform", [*span, 0.5]]),
    st.tuples(NUMBERS, st.floats(0.1, 9)).map(lambda pair: ["normal", list(pair)]),
)
SPACES = st.dictionaries(
    st.from_regex(r"(--)?[a-z]{1,4}", fullmatch=True), EXPRESSIONS, min_size=1, max_size=3
)


def job(**more):
    return JobSpec("id", "try", "w", "2026-01-01T00:00:00Z", **{"script": "t.py", **more})


def swept(space, **more):
    kinds = {"seed": 3, "child": job().to_dict(), "metric": "m", "goal": "minimize"}
    limits = {"max_total_runs": 9, "max_concurrent_runs": 2, "max_duration_minutes": 90}
    policy = BanditPolicy(slack_amount=0.5).as_dict()
    way = sampling.RandomParameterSampling(space).as_dict()
    return Sweep(**{"sampling": way, "policy": policy, "limits": limits, **kinds, **more})


def read_again(exported, lost):
    found = yaml_reader.parse(exported.text, keep_text=True)
    shapes.check(Path("job.yml"), found, shapes.SWEEP)
    command, flags = sweeps.split_parameters(found["trial"]["command"])
    config = ScriptRunConfig(".", command=[command])
    return sweeps.read(found, config, flags, lost), command


def as_arguments(space):
    """The space, with the options of choices as a job is given them."""
    return {
        name: [kind, [[str(value) for value in values[0]]] if kind == "choice" else values]
        for name, (kind, values) in space.items()
    }


@settings(max_examples=60)
@given(SPACES)
def test_any_space_goes_to_yaml_and_comes_back(space):
    if len({name.lstrip("-") for name in space}) < len(space):
        return  # v2's names have no hyphens before them
    lost: list[str] = []
    exported = sweeps.sweep_job(swept(space), None)
    made, command = read_again(exported, lost)
    wanted = {name if name[0] == "-" else f"--{name}": each for name, each in space.items()}
    assert as_arguments(made.hyperparameter_sampling.as_dict()["space"]) == as_arguments(wanted)
    assert made.hyperparameter_sampling.properties == {"seed": 3}
    assert command == "python t.py" and (lost, exported.lost) == ([], [])
    assert (made.max_total_runs, made.max_concurrent_runs, made.max_duration_minutes) == (9, 2, 90)
    assert made.policy.as_dict() == BanditPolicy(slack_amount=0.5).as_dict()
    assert made.goal == "minimize"


@settings(max_examples=60)
@given(SPACES, st.sampled_from(["maximize", "minimize"]), st.none() | st.integers(1, 9))
def test_a_sweep_as_code_makes_the_same_sweep(space, goal, at_once):
    config = ScriptRunConfig(".", "t.py")
    sweep = hyperdrive.HyperDriveConfig(
        run_config=config,
        hyperparameter_sampling=sampling.RandomParameterSampling(space, {"seed": 5}),
        primary_metric_name='a "m"',
        primary_metric_goal=goal,
        max_total_runs=9,
        max_concurrent_runs=at_once,
        policy=BanditPolicy(evaluation_interval=2, slack_factor=0.1),
    )
    lines, names = sweeps.code(sweep)
    made: dict = {"config": config, **{name: getattr(scriptrun, name) for name in names}}
    exec("\n".join(lines), made)
    again = made["sweep"]
    assert again.hyperparameter_sampling.as_dict() == sweep.hyperparameter_sampling.as_dict()
    assert again.policy.as_dict() == sweep.policy.as_dict() and again.goal == goal
    assert (again.primary_metric_name, again.max_concurrent_runs) == ('a "m"', at_once)
    assert again.problems() == sweep.problems()


@pytest.mark.parametrize(
    ("command", "left", "flags"),
    [
        ("python t.py --lr ${{search_space.lr}}", "python t.py", {"lr": "--lr"}),
        ("t --lr=${{ search_space.lr }} -b  ${{search_space.b}} x", "t x", {"lr": "--lr", "b": "-b"}),
        ("t ${{search_space.lr}} ${{inputs.a}}", "t ${{inputs.a}}", {}),
        ("t", "t", {}),
    ],
)  # fmt: skip
def test_parameters_are_taken_out_of_a_command(command, left, flags):
    assert sweeps.split_parameters(command) == (left, flags)


def test_what_v2_or_scriptrun_lacks_of_a_sweep_is_told():
    policy = early_stopping.AshaPolicy().as_dict()
    made = sweeps.sweep_job(swept({"a": ["randint", [2]]}, policy=policy), None)
    assert any(policy["name"] in each for each in made.lost)
    found = yaml.safe_load(made.text)
    assert "early_termination" not in found and found["limits"]["timeout"] == 5400
    found["sampling_algorithm"] = {"type": "random", "seed": 1, "rule": "sobol"}
    found["early_termination"] = {"type": "other"}
    lost: list[str] = []
    again = sweeps.read(found, ScriptRunConfig(".", "t.py"), {}, lost)
    assert list(again.hyperparameter_sampling.parameter_space) == ["a"]
    assert len(lost) == 3 and any("sobol" in each for each in lost)


@pytest.mark.parametrize("gone", ["objective", "limits"])
def test_a_sweep_without_what_it_needs_is_a_sentence(gone):
    found = yaml.safe_load(sweeps.sweep_job(swept({"a": ["randint", [2]]}), None).text)
    del found[gone]
    with pytest.raises(UserErrorException, match="The sweep has no"):
        sweeps.read(found, ScriptRunConfig(".", "t.py"), {}, [])


# command jobs

WORDS = st.text(
    st.characters(exclude_characters="\x85\0", exclude_categories=["Cs"]), max_size=6
)  # PyYAML loses that one


@settings(max_examples=40)
@given(
    st.dictionaries(st.from_regex(r"[A-Z]{1,4}", fullmatch=True), WORDS, max_size=3),
    st.dictionaries(WORDS, st.none() | WORDS, max_size=3),
)
def test_variables_and_tags_survive_yaml(variables, tags):
    made = yaml.safe_load(v2.command_job(job(variables=variables, tags=tags), None).text)
    assert made.get("environment_variables", {}) == variables
    assert made.get("tags", {}) == {key: value or "" for key, value in tags.items()}


@pytest.mark.parametrize(
    ("spread", "said"),
    [
        (Distribution(), None),
        (Distribution("nodes", 2), None),
        (Distribution("mpi", 2, 4), {"type": "mpi", "process_count_per_instance": 4}),
        (
            Distribution("tensorflow", 3, 1, 3, {"parameter_server_count": 1}),
            {"type": "tensorflow", "worker_count": 2, "parameter_server_count": 1},
        ),
        (
            Distribution("tensorflow", 1, 1, None, {}),
            {"type": "tensorflow", "worker_count": 1, "parameter_server_count": 0},
        ),
    ],
)
def test_how_a_job_is_spread(spread, said):
    made = yaml.safe_load(v2.command_job(job(distribution=spread), None).text)
    assert made.get("distribution") == said
    assert made.get("resources", {}).get("instance_count", 1) == spread.nodes


def test_what_a_v2_job_cannot_say_is_told():
    pin = {"name": "mnist", "version": 3, "roots": [{"datastore": "d", "folder": "/a/"}, {}]}
    inputs = [
        {"name": "one", "kind": "dataset", "mode": "mount", "dataset": pin},
        {"name": "two", "kind": "dataset", "mode": "hdfs", "dataset": {"roots": []}},
    ]
    outputs = [{"name": "out", "mode": "mount", "datastore": "d", "path": None}]
    made = v2.command_job(
        job(
            command="echo ${{x}} $AZUREML_DATAREFERENCE_one",
            passed=("TOKEN",),
            resources=Resources(gpus=1),
            max_run_duration_seconds=0.2,
            environment=EnvironmentSpec(INTERPRETER, interpreter="/usr/bin/python3"),
            data=JobData.from_dict({"inputs": inputs, "outputs": outputs}),
            target=Target("far", "Slurm"),
        ),
        None,
    )
    found = yaml.safe_load(made.text)
    assert list(made.files) == ["job.yml"] and found["compute"] == "azureml:far"
    assert found["command"] == "echo ${{x}} ${{inputs.one}}"
    assert found["inputs"]["one"]["path"] == "azureml://datastores/d/paths/a"
    assert found["inputs"]["two"] == {"type": "uri_folder", "mode": "ro_mount", "path": "./two"}
    assert found["outputs"]["out"]["mode"] == "rw_mount" and found["limits"] == {"timeout": 1}
    for word in (
        "TOKEN",
        "gpus",
        "/usr/bin/python3",
        "${{",
        "several sources",
        "version 3",
        "'two'",
    ):
        assert any(word in each for each in made.lost), word


def test_packages_go_into_a_conda_file_without_their_digests():
    lock = {"python": "3.11.7", "requirements": "six==1.16.0 \\\n    --hash=sha256:abc\n"}
    made = v2.command_job(job(environment=EnvironmentSpec(PACKAGES, pip=("six",))), lock)
    conda = yaml.safe_load(made.files["conda.yml"])
    assert conda["dependencies"] == ["python=3.11.7", "pip", {"pip": ["six==1.16.0"]}]
    assert conda["channels"] == ["conda-forge"] and any("digests" in each for each in made.lost)


# what a proof makes of pipelines and names


def test_a_step_says_the_job_that_it_runs():
    data = pipelines.PipelineValue("made")
    step = pipelines.Step(
        script_name="t.py",
        source_directory=".",
        arguments=["--to", data],
        outputs=[data],
        compute_target="gpu",
    )
    after = pipelines.Step(name="after", inputs=[data, None])
    last = pipelines.Step(name="last")
    last.run_after(after)
    assert last.dependencies() == [after] and after.dependencies() == [step]
    config = step.config()
    assert config.arguments == ["--to", "PipelineValue:made"] and config.run_config.target == "gpu"
    assert step.facts() == {"name": None, "inputs": [], "outputs": ["made"]}
    assert after.facts()["inputs"] == ["made", "None"]
    assert data.as_input().as_mount("x") is data and not hasattr(data, "__len__")


def test_a_step_of_a_configuration_leaves_that_as_it_was():
    class Estimator:
        def to_script_run_config(self):
            return made

    made = ScriptRunConfig(".", "t.py", ["kept"], compute_target="first")
    words = {"estimator_entry_script_arguments": ["a"], "compute_target": "second"}
    config = pipelines.Step(estimator=Estimator(), **words).config()
    assert (config.arguments, config.run_config.target) == (["a"], "second")
    assert (made.arguments, made.run_config.target) == (["kept"], "first")
    assert pipelines.Pipeline().validate() == []


def test_what_is_taken_for_given_is_said_once_and_granted(tmp_path):
    home = Workspace.create("w", path=tmp_path)
    given_ = stubs.Assumptions()
    for _ in range(2):
        given_.note("files")
        given_.note_missing("dataset", "d")
        given_.note_missing("dataset", None)
    assert list(given_.notes) == ["files"] and given_.missing == [("dataset", "d")]
    services = []
    wanted = [("datastore", "s"), ("environment", "e"), ("service", "v")]
    stubs.grant(home, wanted, given_, services.append)
    assert services == ["v"]
    assert Datastore.get(home, "s").root.is_dir()
    assert "e" in home.environments
    assert [re.sub(r"\W+", " ", each) for each in given_.notes][1:] == [
        "the datastore s ", "the environment e ",
    ]  # fmt: skip
    stubs.adopt(home, None)
    assert list(home.compute_targets) == ["local"]


def test_a_job_that_is_refused_is_written_down_as_refused(tmp_path):
    home = Workspace.create("w", path=tmp_path)
    kept = recorder.Recorder()
    kept.record(ScriptRunConfig(tmp_path, "missing.py"), home, {})
    (tmp_path / "t.py").write_text("")
    kept.record(ScriptRunConfig(tmp_path, "t.py", [1]), home, {"name": "s"}, tags={"a": "b"})
    refused, job_ = kept.jobs
    assert "missing.py" in refused["refused"] and list(refused) == ["refused"]
    assert job_["arguments"] in (["1"], ("1",)) and job_["step"] == {"name": "s"}
    assert (job_["experiment"], job_["tags"]) == ("pipeline", {"a": "b"})
    assert not list(home.runs_folder.rglob("job.json"))


CODE = """
import sys
from azureml.core import Workspace, Experiment, ScriptRunConfig, Dataset
ws = Workspace.from_config()
def job(*words):
    return ScriptRunConfig('.', 'submit.py', list(words), compute_target='far')
run = Experiment(ws, 'x').submit(job(*sys.argv[1:]))
run.wait_for_completion()
assert run.get_status() == 'Completed'
Experiment(ws, 'x').submit(job('data', Dataset.get_by_name(ws, 'mine').as_named_input('d').as_mount()))
raise ValueError('at the end')
"""


@pytest.mark.parametrize(
    ("granted", "count", "stopped"), [([], 1, "mine"), ([["dataset", "mine"]], 2, "at the end")]
)
def test_a_file_is_run_up_to_its_submissions_and_nothing_is_submitted(
    tmp_path, granted, count, stopped
):
    (tmp_path / "submit.py").write_text(CODE)
    home = Workspace.create("w", path=tmp_path / "home")
    result = str(tmp_path / "result.json")
    words = ["submit.py", result, str(tmp_path), json.dumps(granted), "", "--a", "1 2"]
    done = subprocess.run(
        [sys.executable, "-m", recorder.__name__, *words],
        cwd=tmp_path,
        env={**os.environ, "SCRIPTRUN_WORKSPACE": str(home.root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "result.json").read_text())
    assert [each.get("experiment") for each in found["jobs"]] == ["x"] * count, found
    assert found["jobs"][0]["arguments"] == ["--a", "1 2"]
    assert len(found["stopped"]) == 1 and stopped in found["stopped"][0]
    assert found["lacked"] == ([["dataset", "mine"]] if count == 1 else [])
    assert any("mine" in each for each in found["assumed"]) is (count == 2)
    assert not list(home.runs_folder.rglob("job.json"))
