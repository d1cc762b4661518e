"""Deployment configurations and InferenceConfig."""

from __future__ import annotations

import json

import pytest

from scriptrun import AciWebservice, AksWebservice, Environment, LocalWebservice
from scriptrun.config.services.deployment import (
    AciServiceDeploymentConfiguration,
    AksServiceDeploymentConfiguration,
    LocalWebserviceDeploymentConfiguration,
    WebserviceDeploymentConfiguration,
)
from scriptrun.config.services.inference_config import InferenceConfig
from scriptrun.exceptions import WebserviceException


def test_classes_and_what_they_say(capsys):
    local = LocalWebservice.deploy_configuration(port=8890)
    aci = AciWebservice.deploy_configuration(cpu_cores=1, tags={"a": "b"}, primary_key="secret")
    aks = AksWebservice.deploy_configuration(num_replicas=2)
    assert type(local) is LocalWebserviceDeploymentConfiguration
    assert type(aci) is AciServiceDeploymentConfiguration
    assert type(aks) is AksServiceDeploymentConfiguration
    assert all(isinstance(each, WebserviceDeploymentConfiguration) for each in (local, aci, aks))
    assert [each.compute_type for each in (local, aci, aks)] == ["Local", "ACI", "AKS"]
    assert (local.port, aci.cpu_cores, aci.memory_gb, aks.replicas) == (8890, 1, None, 2)
    assert "secret" not in repr(aci)
    aci.print_deploy_configuration()
    printed = capsys.readouterr().out
    assert "cpu_cores: 1" in printed
    assert "secret" not in printed
    assert aci.unused() == {"cpu_cores": 1}
    with pytest.raises(AttributeError):
        _ = aci.no_such_setting
    WebserviceDeploymentConfiguration.validate_image(None)


def test_who_asks_for_a_key():
    def has_auth(webservice, **settings):
        return webservice.deploy_configuration(**settings).has_auth

    assert not LocalWebservice.deploy_configuration().has_auth
    assert not has_auth(AciWebservice)
    assert has_auth(AciWebservice, auth_enabled=True)
    assert has_auth(AksWebservice)
    assert not has_auth(AksWebservice, auth_enabled=False)
    assert has_auth(AksWebservice, auth_enabled=False, token_auth_enabled=True)


def test_replicas_of_a_service_that_scales():
    config = AksWebservice.deploy_configuration(autoscale_enabled=True, autoscale_min_replicas=3)
    assert config.replicas == 3
    assert AksWebservice.deploy_configuration().replicas == 1
    config = AksWebservice.deploy_configuration(autoscale_enabled=False, autoscale_min_replicas=3)
    assert config.replicas == 1


def test_numbers_of_numpy_are_numbers():
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    config = AksWebservice.deploy_configuration(
        num_replicas=numpy.int64(2), cpu_cores=numpy.float32(0.5)
    )
    config.validate_configuration()
    assert json.dumps(config.values()) == '{"cpu_cores": 0.5, "num_replicas": 2}'
    assert type(LocalWebservice.deploy_configuration(numpy.int32(8890)).port) is int


@pytest.mark.parametrize(
    ("webservice", "settings", "problem"),
    [
        (AciWebservice, {"cpu_cores": 0}, "cpu_cores is 0; give a number greater than 0"),
        (AciWebservice, {"memory_gb": "1"}, "memory_gb is '1'"),
        (AciWebservice, {"tags": ["a"]}, r"tags is \['a'\]; give a dict"),
        (AksWebservice, {"num_replicas": -1}, "num_replicas is -1"),
        (AksWebservice, {"scoring_timeout_ms": True}, "scoring_timeout_ms is True"),
        (
            AksWebservice,
            {"num_replicas": 1, "autoscale_enabled": True},
            "num_replicas and autoscale_enabled are both set",
        ),
        (
            AksWebservice,
            {"auth_enabled": True, "token_auth_enabled": True},
            "auth_enabled and token_auth_enabled are both set",
        ),
    ],
)
def test_invalid_settings(webservice, settings, problem):
    config = webservice.deploy_configuration(**settings)
    with pytest.raises(WebserviceException, match=problem):
        config.validate_configuration()
    AksWebservice.deploy_configuration(gpu_cores=0).validate_configuration()


def test_an_inference_configuration_can_be_changed_until_it_is_used(tmp_path):
    environment = Environment("mine")
    config = InferenceConfig(entry_script="score.py", environment=environment)
    assert config.chosen_environment() is environment
    config.environment = None
    assert config.chosen_environment() is None
    config.validate_configuration()
    assert repr(config) == "InferenceConfig(entry_script='score.py')"


def test_the_older_form_names_a_conda_file(tmp_path):
    (tmp_path / "env.yml").write_text("dependencies:\n- python=3.11\n- pip:\n  - numpy\n")
    config = InferenceConfig("score.py", "python", "env.yml", source_directory=str(tmp_path))
    config.validate_configuration()
    conda = config.chosen_environment().python.conda_dependencies
    assert "numpy" in list(conda.pip_packages)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"runtime": "java"}, "runtime is 'java'; use 'python'"),
        ({"environment": "AzureML-x"}, "environment is 'AzureML-x'; give an Environment"),
        ({"conda_file": "/no/env.yml"}, "conda_file '/no/env.yml' does not exist"),
        ({"extra_docker_file_steps": "/no/steps"}, "extra_docker_file_steps '/no/steps'"),
    ],
)
def test_an_invalid_inference_configuration(arguments, problem):
    with pytest.raises(WebserviceException, match=problem):
        InferenceConfig("score.py", **arguments).validate_configuration()
