"""Sections: known names, nearest names, equality, what the SDK's attributes and defaults were."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys

import pytest

from scriptrun import Environment, PyTorchConfiguration, RunConfiguration, TensorflowConfiguration
from scriptrun.config.data_sections import DataReferenceConfiguration
from scriptrun.config.sections import DockerConfiguration
from scriptrun.spec.errors import RunConfigurationException


def test_an_unknown_name_is_refused_and_the_nearest_named():
    config = RunConfiguration()
    with pytest.raises(AttributeError, match="'node_cuont'; did you mean 'node_count'"):
        config.node_cuont = 2
    with pytest.raises(AttributeError, match="base_image"):
        config.environment.docker.baseimage
    with pytest.raises(AttributeError, match="environment_variables"):
        Environment("x").env_variables = {}


def test_a_known_name_takes_any_value():
    config = RunConfiguration()
    config.node_count = "many"
    config.environment = None
    assert config.node_count == "many" and config.environment is None


def test_names_with_an_underscore_are_those_of_the_fields():
    config = RunConfiguration()
    config.amlcompute._name = "cluster"
    config._target = "gpu"
    assert (config.amlcompute.name, config.target) == ("cluster", "gpu")
    assert config.amlcompute._cluster_max_node_count is None


def test_old_switches_are_accepted():
    config = RunConfiguration()
    config.auto_prepare_environment = True
    config.environment.docker.gpu_support = True
    assert config.auto_prepare_environment is True


def test_two_objects_share_no_default():
    one, other = RunConfiguration(), RunConfiguration()
    one.arguments.append("--x")
    one.environment.environment_variables["A"] = "1"
    one.environment.docker.arguments.append("-v")
    one.history.directories_to_watch.append("more")
    assert other == RunConfiguration()
    assert one != other


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_equal_and_independent(duplicate):
    config = RunConfiguration("train.py", ["--a", 1])
    other = duplicate(config)
    assert other == config
    other.environment.python.conda_dependencies.add_pip_package("numpy")
    assert other != config


def test_pytorch_takes_the_backends_in_any_case_and_no_others():
    assert PyTorchConfiguration("GLOO", 4, 2).communication_backend == "gloo"
    assert PyTorchConfiguration().process_count is None
    with pytest.raises(RunConfigurationException, match=r"'Mpi'.*\n.*Nccl"):
        PyTorchConfiguration("Mpi")


def test_positional_arguments_are_those_of_the_sdk():
    docker = DockerConfiguration(True, False, ["-v", "/a:/b"], "4g")
    assert (docker.use_docker, docker.shared_volumes, docker.shm_size) == (True, False, "4g")
    assert DockerConfiguration(use_docker=True).shm_size == "2g"
    assert TensorflowConfiguration(4, 0).parameter_server_count == 0
    reference = DataReferenceConfiguration("store", "download", "a/b", "/tmp/x", True)
    assert (reference.data_store_name, reference.path_on_data_store) == ("store", "a/b")


def test_describing_a_job_loads_no_yaml_and_nothing_slow():
    code = (
        "import sys, json; before = set(sys.modules)\n"
        "from scriptrun.config import describe as planning; from scriptrun.config import script_run_config as s\n"
        "from scriptrun.config.environments.environment import Environment\n"
        "planning.describe(s.ScriptRunConfig('.', 'a.py', ['--x', 1], environment=Environment('e')))\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"yaml", "difflib", "subprocess", "asyncio", "pathspec", "shlex"}
