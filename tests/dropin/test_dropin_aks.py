"""Clusters for services, and the records that the SDK v1 exchanged with Azure."""

from __future__ import annotations

import inspect

import pytest

from scriptrun.core.workspace import Workspace
from scriptrun.dropin.azureml import aks, payloads
from scriptrun.dropin.azureml.aks import AksCompute
from scriptrun.dropin.azureml.compute import AmlCompute, ComputeTarget
from scriptrun.engines.local.engine import Local
from scriptrun.registry import compute_targets
from scriptrun.spec.errors import ComputeTargetException


@pytest.fixture
def ws(tmp_path):
    return Workspace.create("w", path=tmp_path)


def test_a_created_cluster_stands_for_the_default_target(ws):
    config = AksCompute.provisioning_configuration(
        agent_count=3, vm_size="Standard_D3_v2", cluster_purpose=AksCompute.ClusterPurpose.DEV_TEST
    )
    config.enable_ssl(ssl_cname="www.example.org", ssl_cert_pem_file="c", ssl_key_pem_file="k")
    made = ComputeTarget.create(ws, "my-aks", config)
    found = ComputeTarget(ws, "my-aks")
    assert type(made) is type(found) is AksCompute and found.type == "AKS"
    assert (found.agent_count, found.cluster_purpose) == (3, "DevTest")
    assert found.cluster_fqdn is found.ssl_configuration is None
    assert AksCompute.deserialize(ws, found.serialize()).name == "my-aks"
    assert type(compute_targets.resolve(ws, "my-aks")) is Local
    with pytest.raises(AttributeError, match="'AksCompute' object has no attribute 'nothing'"):
        _ = found.nothing
    found.update(aks.AksUpdateConfiguration(payloads.SslConfiguration("Disabled")))
    with pytest.raises(ComputeTargetException, match="has no credentials"):
        found.get_credentials()
    found.delete()
    with pytest.raises(ComputeTargetException, match="'my-aks' not found"):
        AksCompute(ws, "my-aks")


@pytest.mark.parametrize("way", ["configuration", "name", "id"])
def test_an_attached_cluster_is_one_too(ws, way):
    config = AksCompute.attach_configuration(resource_group="g", cluster_name="c")
    if way == "configuration":
        found = ComputeTarget.attach(ws, "old", config)
    else:
        found = AksCompute.attach(ws, "old", "/subscriptions/x" if way == "id" else config)
    assert type(found) is type(ComputeTarget.attach(ws, "old", config)) is AksCompute
    assert found.cluster_resource_id == ("/subscriptions/x" if way == "id" else None)
    found.detach()
    assert "old" not in compute_targets.all_targets(ws)


def test_what_names_no_cluster_or_another_target_is_refused(ws):
    with pytest.raises(ComputeTargetException, match="Give resource_group and cluster_name"):
        AksCompute.attach_configuration(resource_group="g")
    for count in (0, -1, "3"):
        with pytest.raises(ComputeTargetException, match="agent_count="):
            AksCompute.provisioning_configuration(agent_count=count)
    with pytest.raises(NotImplementedError, match="scriptrun compute add"):
        ComputeTarget.attach(ws, "x", object())
    compute_targets.put(ws, Local(name="mine"))
    config = AksCompute.attach_configuration(resource_id="r")
    with pytest.raises(ComputeTargetException, match="'mine' already exists"):
        ComputeTarget.attach(ws, "mine", config)
    assert AksCompute(ws, "mine").agent_count is None


def test_a_class_that_is_named_opens_a_target_as_that(ws):
    ComputeTarget.create(
        ws, "cpu", AmlCompute.provisioning_configuration("STANDARD_D2", max_nodes=1)
    )
    assert type(ComputeTarget(ws, "cpu")) is AmlCompute
    assert AksCompute(ws, "cpu").name == "cpu"


RECORDS = [
    record
    for record in vars(payloads).values()
    if inspect.isclass(record) and issubclass(record, payloads.Payload) and record._keys
]


@pytest.mark.parametrize("record", RECORDS)
def test_records_are_written_and_read_in_v1s_form(record):
    names = list(inspect.signature(record).parameters)
    assert list(record._keys) == names
    made = record(**{name: f"value of {name}" for name in names})
    assert record.deserialize(made.serialize()) == made
    assert made != record(*["other"] * len(names))
    assert record.deserialize(None) is None and names[0] in repr(made)
    assert hash(made) is not None
