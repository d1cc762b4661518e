"""Fixtures with a real Slurm cluster behind them (ci/slurm), started once a worker when asked for.

``slurm`` is for everyday tests: nodes n1, n2, n3 of this host, with SLURM_CONF set and no job left
from the test before. ``slurm_hosts`` has nodes that are hosts of their own, which can die.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ci" / "slurm"))
import cluster as slurm_clusters
import login as logins
from system import until


def _lacking(what):
    if os.environ.get("CI") == "true":
        pytest.fail(f"under CI a Slurm cluster must run, and there is no {what}")
    pytest.skip(f"a Slurm cluster needs {what}")


def _up(place, **how):
    if slurm_clusters.missing():
        _lacking(slurm_clusters.missing())
    return slurm_clusters.Cluster(place, **how)


def _lent(cluster, monkeypatch):
    cluster.clear()
    for name, value in cluster.environ.items():
        monkeypatch.setenv(name, value)
    return cluster


@pytest.fixture(scope="session")
def slurm_cluster(tmp_path_factory):
    """The worker's cluster of three nodes; tests take ``slurm``."""
    with _up(tmp_path_factory.mktemp("slurm"), nodes=3) as cluster:
        yield cluster


@pytest.fixture
def slurm(slurm_cluster, monkeypatch):
    """A cluster of three nodes without jobs (ci/slurm/cluster.py: ``Cluster``)."""
    yield _lent(slurm_cluster, monkeypatch)
    slurm_cluster.clear()


@pytest.fixture
def slurm_groups(tmp_path_factory, monkeypatch):
    """A cluster of two nodes whose jobs control groups keep to their memory; it takes a second."""
    if not os.access("/sys/fs/cgroup/memory", os.W_OK):
        pytest.skip("this machine has no control groups (version 1) for memory that may be made")
    with _up(tmp_path_factory.mktemp("slurm-groups"), nodes=2, cgroups=True) as cluster:
        yield _lent(cluster, monkeypatch)
    for name in cluster.names:
        for top in Path("/sys/fs/cgroup").glob(f"*/slurm_{name}"):
            until(lambda top=top: _removed(top), f"{top} is still in use")


def _removed(group):
    """Whether the control group is gone: what was killed in it may not have ended yet."""
    for each in (*sorted(group.rglob("*/"), reverse=True), group):
        with contextlib.suppress(OSError):
            each.rmdir()
    return not group.exists()


@pytest.fixture(scope="session")
def slurm_hosts_cluster(tmp_path_factory):
    """The worker's cluster of hosts; tests take ``slurm_hosts``."""
    with _up(tmp_path_factory.mktemp("slurm-hosts"), nodes=2, hosts=True) as cluster:
        yield cluster


@pytest.fixture
def slurm_hosts(slurm_hosts_cluster, monkeypatch):
    """A cluster of two nodes in namespaces: ``kill_node`` is a node's true death."""
    yield _lent(slurm_hosts_cluster, monkeypatch)
    slurm_hosts_cluster.clear()


@pytest.fixture(scope="session")
def far_cluster(tmp_path_factory):
    """The worker's cluster behind ssh; tests take ``login``."""
    if logins.missing():
        _lacking(logins.missing())
    place = tmp_path_factory.mktemp("far")
    laptop = place / "laptop"
    laptop.mkdir()
    hidden = (laptop, Path(__file__).resolve().parents[1])
    with _up(place / "cluster", nodes=2, hide=hidden) as cluster:
        login = logins.Login(cluster)
        login.start()
        yield cluster, login, laptop


@pytest.fixture
def login(far_cluster, monkeypatch):
    """The login node of a cluster that shares nothing with this machine: ``ssh login`` reaches it.

    ``login.laptop`` is a directory that neither it nor the nodes see, nor do they see this
    checkout; Slurm's commands are not told of the cluster here.
    """
    cluster, login, laptop = far_cluster
    cluster.clear()
    login.laptop = laptop
    monkeypatch.setenv("SCRIPTRUN_SSH_CONFIG", str(login.config))
    monkeypatch.delenv("SLURM_CONF", raising=False)
    yield login
    cluster.clear()


@pytest.fixture
def slurm_accounting(tmp_path_factory, monkeypatch):
    """A cluster of one node with slurmdbd, so that ``sacct`` answers; it takes some seconds."""
    if slurm_clusters.bookkeeping.missing():
        _lacking(slurm_clusters.bookkeeping.missing())
    with _up(tmp_path_factory.mktemp("slurm-accounting"), nodes=1, accounting=True) as cluster:
        yield _lent(cluster, monkeypatch)
