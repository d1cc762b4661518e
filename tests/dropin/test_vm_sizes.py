"""Azure's sizes of machines as CPUs, memory and GPUs."""

import pytest

from scriptrun.dropin.azureml.vm_sizes import Size, size_of


@pytest.mark.parametrize(
    ("name", "cpus", "memory", "gpus"),
    [
        ("STANDARD_D2_V2", 2, 7, 0),
        ("Standard_DS3_v2", 4, 14, 0),
        ("standard_ds12_v2", 4, 28, 0),
        ("STANDARD_D2S_V3", 2, 8, 0),
        ("STANDARD_D16S_V3", 16, 64, 0),
        ("STANDARD_E4S_V3", 4, 32, 0),
        ("STANDARD_F8S_V2", 8, 16, 0),
        ("STANDARD_NC6", 6, 56, 1),
        ("STANDARD_NC6_PROMO", 6, 56, 1),
        ("STANDARD_NC12", 12, 112, 2),
        ("STANDARD_NC24R", 24, 224, 4),
        ("Standard_NC6s_v3", 6, 112, 1),
        ("STANDARD_NC24RS_V3", 24, 448, 4),
        ("STANDARD_ND6S", 6, 112, 1),
        ("STANDARD_ND40RS_V2", 40, 672, 8),
        ("STANDARD_NV6", 6, 56, 1),
        ("STANDARD_NC4AS_T4_V3", 4, 28, 1),
        ("STANDARD_NC24ADS_A100_V4", 24, 220, 1),
    ],
)
def test_sizes_that_old_code_names(name, cpus, memory, gpus):
    assert size_of(name) == Size(cpus, memory, gpus)


@pytest.mark.parametrize("name", ["", "LOCAL", "STANDARD_", "STANDARD_X9", "my machine"])
def test_what_is_no_size(name):
    assert size_of(name) is None


def test_a_cluster_is_asked_for_what_the_size_means(tmp_path):
    from scriptrun import Workspace
    from scriptrun.dropin.azureml.compute import make
    from scriptrun.engines.slurm.engine import Slurm
    from scriptrun.registry import compute_targets

    ws = Workspace.create("w", path=tmp_path)
    compute_targets.put(ws, Slurm(name="ours", partition="gpu", memory="8G"))
    compute_targets.set_default(ws, "ours")
    make(ws, "old-cluster", {"vm_size": "STANDARD_NC12", "max_nodes": 4})
    made = compute_targets.resolve(ws, "old-cluster")
    assert (made.partition, made.cpus, made.memory, made.gres) == ("gpu", 12, "8G", "gpu:2")
    assert made.max_nodes == 4
