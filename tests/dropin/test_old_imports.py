"""Imports as real files write them, from whichever module of the SDK has the name."""

from __future__ import annotations

import importlib
import pickle
from unittest import mock

import pytest

from scriptrun.dropin import finder

IMPORTS = {
    "azureml": "Workspace core",
    "azureml.core": "CondaDependencies ComputeTarget Run RunConfiguration",
    "azureml.core.authentication": "AuthenticationException",
    "azureml.core.compute": "AmlCompute ComputeTargetException",
    "azureml.core.compute_target": "ComputeTarget ComputeTargetException",
    "azureml.core.dataset": "Dataset FileDataset",
    "azureml.core.environment": "CondaDependencies Environment",
    "azureml.core.experiment": "Run Workspace",
    "azureml.core.model": "InferenceConfig Model Workspace",
    "azureml.core.run": "Dataset Model RUNNING_STATES RunStatus Workspace",
    "azureml.core.runconfig": "CondaDependencies DEFAULT_CPU_IMAGE DataReference Environment "
    "EnvironmentDefinition MpiConfiguration",
    "azureml.core.workspace": "Dataset Datastore Experiment Workspace",
    "azureml.contrib.tensorboard": "Tensorboard",
    "azureml.tensorboard": "Tensorboard",
    "azureml.tensorboard.export": "export_to_tensorboard",
}


@pytest.fixture(autouse=True)
def enabled():
    finder.enable()


@pytest.mark.parametrize(
    ("module", "name"), [(m, name) for m, names in IMPORTS.items() for name in names.split()]
)
def test_a_name_is_importable_and_works(module, name):
    found = getattr(importlib.import_module(module), name)
    assert "is not supported" not in (getattr(found, "__doc__", None) or "")


def test_a_typo_fails():
    with pytest.raises(ImportError, match="Worksapce"):
        exec("from azureml.core.workspace import Worksapce")


@pytest.mark.parametrize("name", ["UserErrorException", "WebserviceException", "AzureMLException"])
def test_an_error_has_v1s_attributes_and_can_be_pickled(name):
    kind = getattr(importlib.import_module("azureml.exceptions"), name)
    error = kind("what", ValueError("why"))
    assert error.error_code == ("SystemError" if name == "AzureMLException" else "UserError")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind and str(again) == again.message == "what"
    assert repr(again.inner_exception) == "ValueError('why')"


def test_an_environment_definition_needs_no_name():
    from azureml.core.runconfig import EnvironmentDefinition, RunConfiguration

    definition = EnvironmentDefinition()
    definition.python.user_managed_dependencies = True
    config = RunConfiguration()
    config.environment = definition
    assert config.environment.python.user_managed_dependencies is True


def test_a_class_can_be_mocked_by_its_path():
    from azureml.core.webservice import AciWebservice

    with mock.patch("azureml.core.webservice.AciWebservice.deploy_configuration") as fake:
        assert AciWebservice.deploy_configuration is fake
    with mock.patch("azureml.core.Model.deploy") as fake, mock.patch("azureml.core.Workspace"):
        assert importlib.import_module("azureml.core").Model.deploy is fake
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("azureml.core.webservice.AciWebservice")
