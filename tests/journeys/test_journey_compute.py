"""Adding compute targets that cannot be asked now, and names that are refused."""

from __future__ import annotations

import socket

import pytest


@pytest.fixture
def closed_port():
    """A port of this machine at which nobody answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener.getsockname()[1]  # bound, but not listening: refused at once


def test_a_cluster_that_cannot_be_reached_is_added_with_a_warning(user, closed_port):
    address = f"Host far\n  HostName 127.0.0.1\n  Port {closed_port}\n"
    user.environ["SCRIPTRUN_SSH_CONFIG"] = str(user.writes("ssh_config", address))
    added = user.does("compute", "add", "gpu", "--slurm", "--ssh", "far", "--json")
    assert added.json["options"]["ssh"] == "far" and added.json["checked"] is False
    assert "Cannot reach host 'far' over ssh: connection refused" in added.err
    assert "'gpu' is stored unchecked" in added.err
    assert "scriptrun compute check gpu" in added.err
    checked = user.types("compute", "check", "gpu")
    assert checked.code == 1 and "Cannot reach host 'far'" in checked.out
    changed = user.does("compute", "set", "gpu", "--partition", "big")
    assert "partition=big" in changed.out and "stored unchecked" in changed.err
    user.writes("train.py", "")
    refused = user.types("run", "--compute", "gpu", "train.py")
    assert refused.code == 2 and "Cannot reach host 'far'" in refused.err
    assert user.run_folders() == []


def test_wrong_options_are_refused_all_the_same(user, closed_port):
    address = f"Host far\n  HostName 127.0.0.1\n  Port {closed_port}\n"
    user.environ["SCRIPTRUN_SSH_CONFIG"] = str(user.writes("ssh_config", address))
    words = ["compute", "add", "gpu", "--slurm", "--ssh", "far", "--time", "soon"]
    refused = user.types(*words)
    assert (
        refused.code == 2 and "time='soon'" in refused.err and "connection refused" in refused.err
    )
    assert "gpu" not in user.does("compute", "list").out
    unchecked = user.does(*words, "--no-check")
    assert "stored unchecked" not in unchecked.err and "time=soon" in unchecked.out


@pytest.mark.parametrize("name", ["../x", "a/b", "my cluster", ".hidden", "-x"])
def test_invalid_names_are_refused_before_anything_is_written(user, name):
    user.writes("data/a.txt", "a")
    local = user.types("compute", "add", "--local", "--", name)
    assert local.code == 2
    assert local.err.startswith(f"scriptrun: Invalid compute target name {name!r}.\n  Use letters")
    assert not (user.here / ".scriptrun").exists()
    model = user.types("model", "register", "--", name, "data")
    assert model.code == 2 and f"Invalid model name {name!r}" in model.err
    user.writes("store/x", "")
    words = ["datastore", "add", "--local", "store", "--", name]
    assert f"Invalid datastore name {name!r}" in user.types(*words).err
    if " " not in name:  # the SDK's own examples have datasets with spaces in their names
        dataset = user.types("data", "register", "--", name, "data")
        assert dataset.code == 2 and f"Invalid dataset name {name!r}" in dataset.err
