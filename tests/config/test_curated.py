"""Curated environments: the names that users know, what they hold, which current one is nearest."""

from __future__ import annotations

import pytest

from scriptrun.config.environments import curated
from scriptrun.config.environments.request import environment_spec, problems
from scriptrun.spec.environment import PACKAGES
from scriptrun.spec.errors import UserErrorException

KNOWN = [
    "AzureML-PyTorch-1.6-GPU",
    "AzureML-PyTorch-1.4-CPU",
    "AzureML-Scikit-learn-0.20.3",
    "AzureML-TensorFlow-2.0-GPU",
    "AzureML-TensorFlow-2.3-CPU",
    "AzureML-Minimal",
    "AzureML-Tutorial",
    "AzureML-sklearn-0.24-ubuntu18.04-py37-cpu",
    "azureml-sklearn-1.5",
    "scriptrun-sklearn",
    "scriptrun-pytorch",
]


@pytest.mark.parametrize("name", KNOWN)
def test_the_names_that_users_know(name):
    made = curated.get(name.upper())
    assert made.name == name
    assert environment_spec(made).kind == PACKAGES


@pytest.mark.parametrize("name", curated.names())
def test_each_can_be_asked_of_a_builder_or_says_why_not(name):
    made = curated.get(name)
    spec = environment_spec(made)
    told = problems(made)
    assert curated.record(name)["python"]
    assert not [each for each in spec.pip if each.startswith("azureml-")]
    assert spec.image is None and spec.container is False
    if told:
        assert "is unavailable" in told[0] and not curated.is_current(name)
    near = curated.nearest_current(name)
    assert near is None or curated.is_current(near)


def test_unknown_ones():
    assert curated.get("AzureML-PyTorch-9.9") is None
    assert curated.nearest_current("mine") is None


def test_pytorch_16_is_what_its_name_says_and_tells_what_was_derived():
    spec = environment_spec(curated.get("AzureML-PyTorch-1.6-GPU"))
    assert "torch==1.6.0" in spec.pip and "torchvision==0.7.0" in spec.pip
    assert not [each for each in spec.pip if each.startswith("horovod")]
    assert any("not include horovod" in note for note in spec.notes)
    assert any("never published" in note for note in spec.notes)
    assert curated.nearest_current("AzureML-PyTorch-1.6-GPU") == "scriptrun-pytorch"
    assert curated.nearest_current("AzureML-PyTorch-1.4-CPU") == "scriptrun-pytorch-cpu"


def test_each_get_is_ones_own_and_a_clone_may_change():
    one = curated.get("AzureML-Minimal")
    one.python.conda_dependencies.add_pip_package("numpy")
    assert one != curated.get("AzureML-Minimal")
    clone = curated.get("AzureML-PyTorch-1.6-GPU").clone("mine")
    assert environment_spec(clone).notes != environment_spec(curated.get(KNOWN[0])).notes
    with pytest.raises(UserErrorException, match="curated"):
        one.register(None)


def test_an_image_that_was_never_published_is_told():
    told = problems(curated.get("AzureML-AutoML-GPU"))
    assert "never published" in told[0] and "scriptrun-sklearn" in told[0]
