"""Nodes that are hosts of their own: network, PID and mount namespaces on a bridge."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import system
from keeper import descendants

if TYPE_CHECKING:
    from cluster import Cluster

NETWORK = "10.77.0."
_CLIENTS = ("sbatch", "srun", "squeue", "scancel", "sinfo", "scontrol", "sacct", "sacctmgr")


def make(cluster: Cluster) -> None:
    """Make the hosts of the controller and of every node, and clients that enter them."""
    lines = ["127.0.0.1 localhost", f"{NETWORK}1 ctl"]
    lines += [f"{NETWORK}{10 + number} {name}" for number, name in enumerate(cluster.names, 1)]
    (cluster.directory / "hosts").write_text("\n".join(lines) + "\n")
    script = (
        "hostname ctl; ip link set lo up; ip link add br0 type bridge; "
        f"ip addr add {NETWORK}1/24 dev br0; ip link set br0 up; exec sleep infinity"
    )
    pid = cluster.spawn("ctl", ["unshare", "--net", "--uts", "sh", "-c", script])
    system.until(lambda: system.comm(pid) == "sleep", "the controller's host did not start")
    cluster.pids["host-ctl"] = pid
    for name in cluster.names:
        make_one(cluster, name)
    _make_clients(cluster)


def make_one(cluster: Cluster, name: str) -> None:
    """Make the host of the node ``name``, joined to the controller's bridge."""
    script = (
        f"hostname {name}; ip link set lo up; "
        f"mount --bind {cluster.directory}/hosts /etc/hosts; exec sleep infinity"
    )
    spaces = ["--net", "--uts", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
    outer = cluster.spawn(f"host-{name}", ["unshare", *spaces, "sh", "-c", script])

    def first() -> int:
        return next((pid for pid in descendants(outer) if system.comm(pid) == "sleep"), 0)

    inner = system.until(first, f"the host {name} did not start")
    cluster.pids[f"host-{name}"] = inner
    number = int(name[1:])
    near = ["nsenter", "-t", str(cluster.pids["host-ctl"]), "-n", "ip", "link"]
    far = ["nsenter", "-t", str(inner), "-n", "ip"]
    cluster.order(*near, "add", f"v{number}", "type", "veth", "peer", "eth0", "netns", inner)
    cluster.order(*near, "set", f"v{number}", "master", "br0", "up")
    cluster.order(*far, "addr", "add", f"{NETWORK}{10 + number}/24", "dev", "eth0")
    cluster.order(*far, "link", "set", "eth0", "up")


def _make_clients(cluster: Cluster) -> None:
    """Commands that enter the controller's host first, for a PATH outside."""
    for name in _CLIENTS:
        path = shutil.which(name)
        if path:
            within = f'[ -n "$SLURMD_NODENAME" ] && exec {path} "$@"'  # in a job, on a node
            line = " ".join(cluster.inside("ctl", [path]))
            script = cluster.directory / "bin" / name
            script.write_text(f'#!/bin/sh\n{within}\nexec {line} "$@"\n')
            script.chmod(0o755)
