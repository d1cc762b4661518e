"""Slurm passes the shared suite, against a real cluster of two nodes."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from scriptrun.config.distributed import MpiConfiguration
from scriptrun.engines.slurm.engine import Slurm
from scriptrun.testing import jobs
from scriptrun.testing.engines import EngineSuite
from scriptrun.testing.jobs import Bench

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.xdist_group("slurm-suite")]

#: Open MPI takes two nodes of one host's name for one, and shares memory between their ranks
NODES_OF_ONE_HOST = ("export OMPI_MCA_btl=tcp,self",)


class TestSlurm(EngineSuite):
    engine = "Slurm"

    @pytest.fixture
    def bench(self, tmp_path, slurm):
        target = Slurm(partition="main", cpus=1, memory="256M", requeue=False)
        return Bench(tmp_path, target.replace(setup=NODES_OF_ONE_HOST))

    @pytest.fixture
    def narrow(self, bench):
        """One run at a time: each takes all of the one node that it may have."""
        alone = bench.target.replace(cpus=4, extra=("--nodelist=n1",))
        return dataclasses.replace(bench, target=alone)

    def vanish(self, run):
        node = self.cluster.run("squeue", "-h", "-o", "%N").strip()
        self.cluster.kill_node(node)
        self.cluster.down(node)

    @pytest.fixture(autouse=True)
    def own_cluster(self, slurm):
        self.cluster = slurm

    def room(self, bench):
        return not self.cluster.jobs()

    def gpus(self):
        return 2

    def given(self, run):
        job = (run.path / "slurm" / "1" / "job.json").read_text()
        told = self.cluster.run("scontrol", "--oneliner", "show", "job", json.loads(job)["job"])
        facts = dict(re.findall(r"(\w+)=(\S+)", told))
        return {
            "cpus": int(facts["NumCPUs"]),
            "gpus": int(facts["TresPerNode"].rpartition(":")[2]),
            "memory": int(facts["MinMemoryNode"].removesuffix("M")) << 20,
        }

    def beyond(self, bench):
        config = jobs._config(bench.order("print('never')"))
        config.run_config.mpi = MpiConfiguration(node_count=9)
        config.run_config.node_count = 9
        config.run_config.communicator = "IntelMpi"
        return config
