"""Estimators become the ScriptRunConfig that the guide tells to write, and run."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

from scriptrun import Dataset, Workspace
from scriptrun.config import describe
from scriptrun.config.distributed import (
    MpiConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from scriptrun.dropin.azureml import estimators
from scriptrun.dropin.azureml.estimator_to_config import flatten_parameters
from scriptrun.dropin.azureml.estimators import Estimator, Mpi, PyTorch, SKLearn, TensorFlow
from scriptrun.spec.errors import RunConfigurationException


def made(cls=Estimator, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ready = {"compute_target": "local", "entry_script": "train.py"}
        return cls("src", **{**ready, **settings})


SUBMIT = """
from azureml.core import Experiment, Workspace
from azureml.train.estimator import Estimator

ws = Workspace.from_config()
script_params = {"--reg": 0.5, "--names": ["a", "b"], "--flag": "", "--other": None}
est = Estimator(source_directory="src", script_params=script_params, compute_target="local",
                entry_script="train.py", user_managed=True,
                environment_variables={"HELLO": "there"})
run = Experiment(workspace=ws, name="old").submit(est)
run.wait_for_completion(show_output=True)
"""
TRAIN = "import os, sys\nprint(sys.argv[1:], os.environ['HELLO'])\n"


def test_an_estimator_runs_and_shows_the_code_to_write(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(TRAIN)
    (tmp_path / "submit.py").write_text(SUBMIT)
    command = [sys.executable, "-m", "scriptrun", "exec", "submit.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    words = "['--reg', '0.5', '--names', 'a', 'b', '--flag', '--other'] there"
    assert words in done.stdout
    assert "DeprecationWarning: Estimator is deprecated" in done.stderr
    assert "submit.py:7:" in done.stderr


def test_what_the_warning_shows_gives_the_same_when_it_is_run(tmp_path):
    ws = Workspace.create("ws", path=tmp_path)
    store = ws.get_default_datastore()
    store.upload_files([__file__], target_path="code")
    files = Dataset.File.from_files((store, "code")).register(ws, "code")
    with pytest.warns(DeprecationWarning) as caught:
        estimator = PyTorch(
            "src",
            compute_target="c",
            entry_script="t.py",
            distributed_training=Mpi(2),
            script_params={"--data": store.path("code").as_download(), "--lr": 0.1},
            inputs=[files.as_named_input("photos").as_mount(), store.path("code").as_mount()],
            environment_variables={"A": "b"},
            resume_from=store.path("code"),
            max_run_duration_seconds=60,
            custom_docker_image="me/mine",
            shm_size="4g",
        )
    _, _, code = str(caught[0].message).partition("\n")
    space = {"ws": ws}
    exec(compile(f"from scriptrun import *\n{code}", "shown", "exec"), space)
    by_chance = re.compile("[0-9a-f]{32}")  # the names of references that were given none
    old, new = (
        by_chance.sub("", repr(describe.describe(each, lambda value: repr(value))))
        for each in (estimator.to_script_run_config(), space["config"])
    )
    assert old == new


@pytest.mark.parametrize(
    ("cls", "settings", "packages"),
    [
        (PyTorch, {}, {"torch==1.4.0"}),
        (PyTorch, {"framework_version": "1.6", "pip_packages": ["tqdm"]}, {"torch==1.6.0", "tqdm"}),
        (TensorFlow, {"framework_version": "2.0"}, {"tensorflow==2.0"}),
        (TensorFlow, {"use_gpu": True}, {"tensorflow-gpu==1.13.1"}),
        (SKLearn, {}, {"scikit-learn==0.20.3"}),
    ],
)
def test_a_framework_brings_its_curated_environment(cls, settings, packages):
    estimator = made(cls, **settings)
    pip = set(estimator.conda_dependencies.pip_packages)
    missing = {each for each in packages if not any(p.startswith(each) for p in pip)}
    assert not missing, pip
    assert not estimator.run_config.environment.name.lower().startswith("azureml")


def test_files_of_packages_lie_in_the_source_directory(tmp_path):
    (tmp_path / "pip.txt").write_text("tqdm==4.1\n")
    (tmp_path / "conda.yml").write_text("dependencies:\n- python=3.8\n- pip:\n  - rich\n")
    with pytest.warns(DeprecationWarning):
        estimator = Estimator(
            str(tmp_path),
            compute_target="local",
            entry_script="t.py",
            pip_requirements_file="pip.txt",
            conda_dependencies_file="conda.yml",
            conda_packages=["numpy"],
        )
    conda = estimator.conda_dependencies
    assert {"rich", "tqdm==4.1"} <= set(conda.pip_packages)
    assert {"python=3.8", "numpy"} <= set(conda.conda_packages)


@pytest.mark.parametrize(
    ("settings", "communicator", "nodes"),
    [
        ({"distributed_training": Mpi(2), "node_count": 3}, "IntelMpi", 3),
        ({"distributed_backend": "mpi", "process_count_per_node": 4}, "IntelMpi", 1),
        ({"distributed_training": MpiConfiguration(), "node_count": 2}, "IntelMpi", 2),
        ({"distributed_training": TensorflowConfiguration(2, 1)}, "ParameterServer", 2),
        ({"distributed_training": PyTorchConfiguration(), "node_count": 2}, "nccl", 2),
        ({"distributed_backend": "ps", "worker_count": 2, "node_count": 2}, "ParameterServer", 2),
        ({"distributed_training": estimators.ParameterServer(3, 1)}, "ParameterServer", 3),
        ({"distributed_training": estimators.Nccl(), "node_count": 2}, "nccl", 2),
        ({"distributed_training": estimators.Gloo(), "node_count": 2}, "gloo", 2),
    ],
)
def test_distributed_training(settings, communicator, nodes):
    run_config = made(TensorFlow, **settings).run_config
    assert (run_config.communicator, run_config.node_count) == (communicator, nodes)
    if "process_count_per_node" in settings:
        assert run_config.mpi.process_count_per_node == 4


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"compute_target": None}, "compute_target"),
        ({"node_count": 2}, "distributed_training"),
        ({"pip_requirements_file": "../pip.txt"}, "source directory"),
        ({"distributed_backend": "carrier pigeon"}, "backend"),
        ({"framework_version": "9"}, "framework_version"),
        ({"environment_definition": estimators.Environment("e"), "use_gpu": True}, "use_gpu"),
    ],
)
def test_settings_that_cannot_be(settings, words):
    with pytest.raises(RunConfigurationException, match=words):
        made(PyTorch, **settings)


def test_an_unknown_setting_is_a_type_error():
    with pytest.raises(TypeError, match="entry_scrip"):
        made(entry_scrip="x.py")


def test_an_environment_of_ones_own_is_taken_as_it_is():
    environment = estimators.Environment("mine")
    estimator = made(environment_definition=environment, script_params={"--a": 1})
    assert estimator.run_config.environment is environment
    assert estimator.to_script_run_config().arguments == ["--a", 1]


def test_script_params_may_be_numpys_values():
    given = {"--lr": np.float64(0.1), "--half": np.float32(0.1), "--on": np.bool_(True)}
    words = flatten_parameters({**given, "--sizes": np.arange(2)})
    assert repr(words[1]) == "0.1"
    assert [str(word) for word in words] == [
        *("--lr", "0.1", "--half", "0.1", "--on", "True", "--sizes", "0", "1")
    ]
