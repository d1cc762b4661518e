"""Jobs in other systems' formats: read by those systems' own tools where they are here."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun import (
    BanditPolicy,
    Environment,
    MpiConfiguration,
    PyTorchConfiguration,
    RandomParameterSampling,
    ScriptRunConfig,
    TensorflowConfiguration,
    choice,
    qnormal,
    uniform,
)
from scriptrun.config import describe
from scriptrun.migration.formats import FORMATS, as_python, export, export_sweep, read_job
from scriptrun.migration.formats.facts import shell_line
from scriptrun.spec.errors import RunConfigurationException, UserErrorException
from scriptrun.spec.job import JobSpec, Resources, Target
from scriptrun.spec.job_data import JobData
from scriptrun.sweeps.record import Sweep

LOADER = """
import sys
from azure.ai.ml import load_job
for each in sys.argv[1:]:
    job = load_job(each)
    passed = job.type == "sweep" or job._validate().passed  # a sweep's loading is all there is
    trial = job.trial if job.type == "sweep" else job
    print(passed, trial.command, trial.resources and trial.resources.instance_count)
    kind = type(trial.distribution).__name__
    print(kind, job.limits and job.limits.timeout, *(job.search_space if job.type == "sweep" else ()), sep="|")
"""
DATA = {
    "inputs": [
        {"name": "mnist", "kind": "reference", "mode": "mount", "datastore": "blobs", "path": "a/b"}
    ],
    "outputs": [{"name": "made", "mode": "upload", "datastore": "blobs", "path": "out/{run-id}"}],
}


def job_of(config: ScriptRunConfig, **more: object) -> JobSpec:
    described = describe.describe(config)
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


def sweep_of(config: ScriptRunConfig) -> Sweep:
    space = {"lr": uniform(0.1, 1), "--b": choice("x", 2), "n": qnormal(0, 1, 0.5)}
    policy = BanditPolicy(slack_factor=0.1, evaluation_interval=2)
    return Sweep(
        sampling=RandomParameterSampling(space).as_dict(),
        policy=policy.as_dict(),
        metric="acc",
        goal="maximize",
        limits={"max_total_runs": 4, "max_concurrent_runs": 2, "max_duration_minutes": 2},
        seed=7,
        child=job_of(config, max_run_duration_seconds=60).to_dict(),
    )


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

    def call(*folders):
        files = [str(each / "job.yml") for each in folders]
        done = subprocess.run([python, "-c", LOADER, *files], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        lines = done.stdout.splitlines()
        return list(zip(lines[::2], lines[1::2], strict=True))

    return call


def written(made, folder):
    folder.mkdir(exist_ok=True)
    for name, text in made.files.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.slow
def test_the_v2_package_loads_what_is_written(tmp_path, load):
    kinds = {
        "NoneType": None,
        "PyTorchDistribution": PyTorchConfiguration("Gloo", 4, 2),
        "MpiDistribution": MpiConfiguration(2, 2),
        "TensorFlowDistribution": TensorflowConfiguration(2, 1),
    }
    for name, distributed in kinds.items():
        config = usual(tmp_path, distributed_job_config=distributed, max_run_duration_seconds=90)
        made = export(
            job_of(config, data=JobData.from_dict(DATA), tags={"kind": "trial"}), "azureml-v2"
        )
        written(made, tmp_path / name)
    sweep = export_sweep(sweep_of(usual(tmp_path)), "azureml-v2")
    *told, (first, second) = load(
        *(tmp_path / name for name in kinds), written(sweep, tmp_path / "sweep")
    )
    assert first.startswith("True python train.py --alpha 0.5") and "search_space.lr" in first
    assert second == "NoneType|120|lr|b|n"
    for name, (first, second) in zip(kinds, told, strict=True):
        assert first.startswith("True python train.py --alpha 0.5")
        assert second == f"{name}|90"


def test_data_becomes_inputs_and_outputs_of_v2(tmp_path):
    config = usual(tmp_path)
    job = job_of(config, data=JobData.from_dict(DATA))
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


def test_a_sweep_goes_to_v2_and_comes_back(tmp_path):
    sweep = sweep_of(usual(tmp_path))
    folder = written(export_sweep(sweep, "azureml-v2"), tmp_path / "v2")
    found = read_job.read(folder / "job.yml")
    assert found.lost == [] and found.sweep is not None
    space: dict = {}
    made = as_python.code(found.config, found.experiment, found.sweep)
    assert ".submit(sweep)" in made.text
    exec(made.text.replace("ws = ", "# ").partition("\nrun = ")[0], space)
    again = space["sweep"]
    flags = {"--lr": "lr", "--b": "--b", "--n": "n"}
    assert again.hyperparameter_sampling.as_dict() == {
        "name": "RANDOM",
        "space": {name: sweep.space[flags[name]] for name in flags},
        "properties": {"seed": 7},
    }
    assert again.policy.as_dict() == sweep.policy and again.goal == "maximize"
    assert (again.max_total_runs, again.max_concurrent_runs) == (4, 2)
    assert again.max_duration_minutes == 2 and again.problems() == []
    assert again.run_config.run_config.max_run_duration_seconds == 60
    assert again.run_config.command == shell_line(sweep.template())
    with pytest.raises(UserErrorException, match="Cannot export a sweep as shell"):
        export_sweep(sweep, "shell")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("type: uniform", "type: unfirom", "search_space.lr must be one of choice"),
        ("max_total_trials: 4", "max_total_trials: many", "must be an integer"),
        ("goal: maximize", "goal: best", "MAXIMIZE or MINIMIZE"),
        ("  max_total_trials: 4\n", "", "has no max_total_trials"),
        ("type: random", "type: wild", "sampling_algorithm must be one of random"),
    ],
)
def test_a_sweep_that_is_none_is_a_sentence(tmp_path, old, new, said):
    folder = written(export_sweep(sweep_of(usual(tmp_path)), "azureml-v2"), tmp_path / "v2")
    text = (folder / "job.yml").read_text()
    assert old in text
    (folder / "job.yml").write_text(text.replace(old, new))
    with pytest.raises((UserErrorException, RunConfigurationException), match=said):
        read_job.read(folder / "job.yml")


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
    made = export(job_of(config, data=JobData.from_dict({"inputs": DATA["inputs"]})), "shell")
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
    job = job_of(config, data=JobData.from_dict(DATA), resources=Resources(8, 2, 1 << 34))
    made = export(job, form)
    done = subprocess.run(["bash", "-n"], input=made.text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert any("mnist" in each for each in made.lost)


WANTED = "tiny ['--alpha', '0.5', 'a b', \"it's\", '$HOME']\n"


def of_a_wheel(tmp_path):
    """A job that needs a package of this machine's own, and what it was locked to."""
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as made:
        made.writestr("tiny.py", "WORD = 'tiny'\n")
        facts = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
        made.writestr("tiny-1.0.dist-info/METADATA", facts)
        made.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        made.writestr("tiny-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    config = usual(tmp_path)
    (tmp_path / "train.py").write_text("import sys, tiny; print(tiny.WORD, sys.argv[1:])")
    line = f"tiny @ {wheel.as_uri()} --hash=sha256:{digest}\n"
    return job_of(config), {"python": platform.python_version(), "requirements": line}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("pip") is None, reason="this machine has no pip")
def test_a_container_installs_the_very_packages_and_runs(tmp_path):
    job, lock = of_a_wheel(tmp_path)
    pip = tmp_path / "bin" / "pip"  # the image's own, as far as this machine has one
    pip.parent.mkdir()
    pip.write_text(f'#!/bin/sh\nexec {sys.executable} -m pip "$@" --target {tmp_path / "site"}\n')
    pip.chmod(0o755)
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    line = shlex.split(export(job, "podman", lock).text)[-1]
    manifest = yaml.safe_load(export(job, "kubernetes", lock).text)
    assert manifest["spec"]["template"]["spec"]["containers"][0]["command"][-1] == line
    inside = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, env=inside, capture_output=True, text=True
    )
    assert done.stdout == WANTED, done.stderr


def test_the_shell_script_makes_its_environment_with_uv(tmp_path):
    job, lock = of_a_wheel(tmp_path)
    text = export(job, "shell", lock).text
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # uv is there
    alone = {"PATH": path, "UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never"}
    for _ in range(2):  # made, then found
        done = subprocess.run(
            ["sh", "-c", text], env={**os.environ, **alone}, capture_output=True, text=True
        )
        assert done.stdout == WANTED, done.stderr
    assert (tmp_path / ".venv" / "bin" / "python").exists() and "--require-hashes" in text


def test_kubernetes_puts_no_variables_into_a_job(tmp_path):
    config = ScriptRunConfig(tmp_path, command="echo $(A) $$")
    made = export(job_of(config, variables={"A": "$(B)", "C": "$D"}), "kubernetes")
    found = yaml.safe_load(made.text)["spec"]["template"]["spec"]["containers"][0]
    assert found["command"][-1] == "echo $$(A) $$$$"
    assert {each["name"]: each["value"] for each in found["env"]} == {"A": "$$(B)", "C": "$D"}


def test_sbatch_says_what_the_job_asks_for(tmp_path):
    config = usual(
        tmp_path,
        distributed_job_config=PyTorchConfiguration("Gloo", 4, 2),
        max_run_duration_seconds=3700,
    )
    job = job_of(config, resources=Resources(8, 2, 1 << 34))
    lines = export(job, "sbatch").text.splitlines()
    for wanted in ("nodes=2", "ntasks-per-node=2", "cpus-per-task=4", "gpus-per-node=2",
                   "mem=16384M", "time=1:01:40", "partition=gpu"):  # fmt: skip
        assert f"#SBATCH --{wanted}" in lines
    assert any("MASTER_ADDR=" in line for line in lines)


def test_a_manifest_of_several_nodes_is_indexed(tmp_path):
    config = usual(tmp_path, distributed_job_config=PyTorchConfiguration("Gloo", 2, 2))
    made = export(
        job_of(config, data=JobData.from_dict(DATA), resources=Resources(gpus=1)), "kubernetes"
    )
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
    with pytest.raises(UserErrorException, match="Unknown format 'yaml'"):
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
    line = shell_line(job, '"$%s"').replace("python x.py", sys.executable, 1)
    done = subprocess.run(["sh", "-c", line], capture_output=True, env={"PYTHONUTF8": "1"})
    assert done.stdout == "\0".join(words).encode("utf-8"), done.stderr
