"""``compute check``: what a real cluster gives, here and behind ssh."""

from __future__ import annotations

import sys

import pytest

from scriptrun import Workspace
from scriptrun.diagnostics import target
from scriptrun.engines.local.engine import Local
from scriptrun.engines.slurm.engine import Slurm
from scriptrun.testing.jobs import until


def verdicts(workspace, engine):
    return {check.name: check for check in target.target_checks(workspace, engine)}


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create("w", path=tmp_path / "w")


def test_this_machine_is_looked_at(workspace):
    found = verdicts(workspace, Local())
    assert {"options", "workspace", "cache", "slots"} <= set(found)
    assert all(check.verdict != "bad" for check in found.values())


@pytest.mark.slurm
def test_a_cluster_is_looked_at(workspace, slurm):
    found = verdicts(workspace, Slurm(partition="main"))
    assert {name: check.verdict for name, check in found.items() if check.verdict != "ok"} == {}
    assert found["nodes"].message == "3 of 3 up"
    assert sys.executable in found["python"].message
    assert {"slurm", "account", "root", "shared paths", "python", "internet"} <= set(found)


@pytest.mark.slurm
def test_what_is_wrong_is_said_with_what_to_do(workspace, slurm):
    found = verdicts(workspace, Slurm(partition="no-such", python="/opt/no-python"))
    assert found["options"].verdict == found["account"].verdict == "bad"
    assert "no-such" in found["options"].message
    found = verdicts(workspace, Slurm(python="/opt/no-python", root="/proc/none"))
    assert "cannot write" in found["root"].message and "--root" in found["root"].hint
    assert "no /opt/no-python" in found["python"].message
    assert not list(workspace.root.glob(".scriptrun-check-*"))
    slurm.drain("n1", "a broken fan")
    until(lambda: slurm.states()["n1"] == "drain")  # and not draining: its last job has ended
    found = verdicts(workspace, Slurm(constraint="no-such"))
    assert found["nodes"].message == "2 of 3 up; 1 drain (a broken fan)"
    assert "Invalid feature" in found["account"].message and "sinfo" in found["account"].hint
    assert "a node" not in found


@pytest.mark.slurm
def test_a_cluster_behind_ssh_is_looked_at_from_its_login_node(login):
    workspace = Workspace.create("w", path=login.laptop / "check")
    root = str(login.cluster.directory / "root")
    found = verdicts(workspace, Slurm(ssh="login", root=root))
    assert {name: check.message for name, check in found.items() if check.verdict != "ok"} == {}
    assert "with scriptrun" in found["tool"].message
    unseen = verdicts(workspace, Slurm(ssh="no-such-host.invalid"))
    assert "Cannot reach" in unseen["slurm"].message
