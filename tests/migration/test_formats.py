"""Jobs in other systems' formats: read by those systems' own tools where they are here."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun import (
    Environment,
    MpiConfiguration,
    PyTorchConfiguration,
    ScriptRunConfig,
    TensorflowConfiguration,
)
from scriptrun.config import planning
from scriptrun.migration.formats import FORMATS, export
from scriptrun.migration.formats.facts import line_of
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.job import JobSpec, Target

LOADER = """
import sys
from azure.ai.ml import load_job
job = load_job(sys.argv[1])
problems = job._validate()
print(problems.passed, job.command, job.resources and job.resources.instance_count)
print(type(job.distribution).__name__, job.limits and job.limits.timeout, sep="|")
"""
DATA = {
    "inputs": [
        {"name": "mnist", "kind": "reference", "mode": "mount", "datastore": "blobs", "path": "a/b"}
    ],
    "outputs": [{"name": "made", "mode": "upload", "datastore": "blobs", "path": "out/{run-id}"}],
}


def job_of(config: ScriptRunConfig, **more: object) -> JobSpec:
    described = planning.describe(config)
    fields = {
        "id": "digits_1_abc",
        "experiment": "digits",
        "workspace": "w",
        "created": "2026-01-01T00:00:00Z",
        "source_directory": str(config.source_directory),
        "script": described.script,
        "arguments": described.arguments,
        "command": described.command,
        "environment": described.environment,
        "distribution": described.distribution,
        "variables": described.variables,
        "max_run_duration_seconds": described.max_run_duration_seconds,
        "target": Target("gpu-cluster", "Slurm", {"partition": "gpu"}),
    }
    return JobSpec(**{**fields, **more})


def packages(*lines: str) -> Environment:
    made = Environment("packs")
    for line in lines:
        made.python.conda_dependencies.add_pip_package(line)
    return made


def usual(tmp_path, **more):
    (tmp_path / "train.py").write_text("import sys; print(sys.argv[1:])")
    words = ["--alpha", 0.5, "a b", "it's", "$HOME"]
    environment = packages("six==1.16.0")
    return ScriptRunConfig(tmp_path, "train.py", words, environment=environment, **more)


@pytest.fixture
def load():
    python = os.environ.get("SCRIPTRUN_TEST_V2_PYTHON")
    if not python:
        pytest.skip("SCRIPTRUN_TEST_V2_PYTHON names no interpreter that has azure-ai-ml")

    def call(folder):
        done = subprocess.run(
            [python, "-c", LOADER, "job.yml"], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout.splitlines()

    return call


def written(made, folder):
    folder.mkdir(exist_ok=True)
    for name, text in made.files.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("distributed", "shown"),
    [
        (None, "NoneType"),
        (PyTorchConfiguration("Gloo", 4, 2), "PyTorchDistribution"),
        (MpiConfiguration(2, 2), "MpiDistribution"),
        (TensorflowConfiguration(2, 1), "TensorFlowDistribution"),
    ],
)
def test_the_v2_package_loads_what_is_written(tmp_path, load, distributed, shown):
    config = usual(tmp_path, distributed_job_config=distributed, max_run_duration_seconds=90)
    made = export(job_of(config, data=DATA, tags={"kind": "trial"}), "azureml-v2")
    first, second = load(written(made, tmp_path / "v2"))
    assert first.startswith("True python train.py --alpha 0.5")
    assert second == f"{shown}|90"


def test_data_becomes_inputs_and_outputs_of_v2(tmp_path):
    config = usual(tmp_path)
    job = job_of(config, data=DATA)
    words = (*job.arguments, "--data=$AZUREML_DATAREFERENCE_mnist", "$AZUREML_DATAREFERENCE_made")
    made = yaml.safe_load(export(job.replace(arguments=words), "azureml-v2").text)
    assert made["inputs"]["mnist"] == {
        "type": "uri_folder",
        "mode": "ro_mount",
        "path": "azureml://datastores/blobs/paths/a/b",
    }
    assert made["outputs"]["made"]["mode"] == "upload"
    assert made["command"].endswith("--data=${{inputs.mnist}} ${{outputs.made}}")
    assert made["compute"] == "azureml:gpu-cluster"


def test_the_lock_names_the_very_packages(tmp_path):
    lock = {"python": "3.11.7", "requirements": "six==1.16.0 \\\n    --hash=sha256:abc\n"}
    made = export(job_of(usual(tmp_path)), "shell", lock)
    assert "six==1.16.0 --hash=sha256:abc" in made.text
    assert "--python 3.11.7" in made.text and "--require-hashes" in made.text
    made = export(job_of(usual(tmp_path)), "azureml-v2", lock)
    assert "six==1.16.0" in made.files["conda.yml"] and "hash" not in made.files["conda.yml"]


def test_the_shell_script_runs_in_an_interpreter_that_is_there(tmp_path):
    (tmp_path / "train.py").write_text(
        "import os, sys; print(sys.argv[1:], os.environ['A'], sys.executable)"
    )
    words = ["it's", "a b", "$HOME", "--data=$AZUREML_DATAREFERENCE_mnist"]
    env = Environment("mine")
    env.python.user_managed_dependencies = True
    env.python.interpreter_path = sys.executable
    config = ScriptRunConfig(tmp_path, "train.py", words, environment=env)
    config.run_config.environment_variables = {"A": "x 'y' $HOME"}
    made = export(job_of(config, data={"inputs": DATA["inputs"]}), "shell")
    done = subprocess.run(
        ["sh", "-c", made.text],
        capture_output=True,
        text=True,
        env={**os.environ, "DATA_MNIST": "/d d"},
    )
    assert done.stdout.startswith(str(["it's", "a b", "$HOME", "--data=/d d"])), done.stderr
    assert "x 'y' $HOME" in done.stdout
    lacking = {name: value for name, value in os.environ.items() if name != "DATA_MNIST"}
    done = subprocess.run(["sh", "-c", made.text], capture_output=True, text=True, env=lacking)
    assert done.returncode != 0 and "set it to the path of an input" in done.stderr


@pytest.mark.parametrize("form", ["shell", "sbatch", "docker", "podman"])
def test_scripts_are_shell_that_parses(tmp_path, form):
    config = usual(tmp_path, distributed_job_config=PyTorchConfiguration("Gloo", 4, 2))
    job = job_of(config, data=DATA, resources={"cpus": 8, "gpus": 2, "memory": 1 << 34})
    made = export(job, form)
    done = subprocess.run(["bash", "-n"], input=made.text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert any("mnist" in each for each in made.lost)


def test_sbatch_says_what_the_job_asks_for(tmp_path):
    config = usual(
        tmp_path,
        distributed_job_config=PyTorchConfiguration("Gloo", 4, 2),
        max_run_duration_seconds=3700,
    )
    job = job_of(config, resources={"cpus": 8, "gpus": 2, "memory": 1 << 34})
    lines = export(job, "sbatch").text.splitlines()
    for wanted in ("nodes=2", "ntasks-per-node=2", "cpus-per-task=4", "gpus-per-node=2",
                   "mem=16384M", "time=1:01:40", "partition=gpu"):  # fmt: skip
        assert f"#SBATCH --{wanted}" in lines
    assert any("MASTER_ADDR=" in line for line in lines)


def test_a_manifest_of_several_nodes_is_indexed(tmp_path):
    config = usual(tmp_path, distributed_job_config=PyTorchConfiguration("Gloo", 2, 2))
    made = export(job_of(config, data=DATA, resources={"gpus": 1}), "kubernetes")
    service, job = yaml.safe_load_all(made.text)
    assert service["spec"]["clusterIP"] == "None"
    assert job["spec"]["completionMode"] == "Indexed" and job["spec"]["completions"] == 2
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 1}
    mounted = [each["mountPath"] for each in container["volumeMounts"]]
    assert mounted == ["/work", "/data/mnist", "/data/made"]
    assert any("digits-source" in each for each in made.lost)


@pytest.mark.parametrize("form", FORMATS)
def test_a_value_that_is_passed_on_is_in_no_file(tmp_path, form, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cr3t-value")
    made = export(job_of(usual(tmp_path), passed=("TOKEN",)), form)
    assert not any("s3cr3t-value" in text for text in made.files.values())
    assert any("TOKEN" in each for each in made.lost)


def test_an_unknown_format_is_a_sentence(tmp_path):
    with pytest.raises(UserErrorException, match="'yaml' is no format"):
        export(job_of(usual(tmp_path)), "yaml")


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), max_size=5
    )
)
def test_arguments_reach_a_shell_byte_for_byte(words):
    show = "import sys; sys.stdout.buffer.write(b'\\0'.join(map(__import__('os').fsencode, sys.argv[1:])))"
    job = JobSpec("i", "e", "w", "c", script="x.py", arguments=("-c", show, *words))
    line = line_of(job, '"$%s"').replace("python x.py", sys.executable, 1)
    done = subprocess.run(["sh", "-c", line], capture_output=True, env={"PYTHONUTF8": "1"})
    assert done.stdout == "\0".join(words).encode("utf-8"), done.stderr
