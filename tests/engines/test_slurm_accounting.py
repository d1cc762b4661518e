"""A Slurm that keeps accounts: sacct tells of jobs that squeue has forgotten, and accounts count."""

from __future__ import annotations

import pytest

from scriptrun.diagnostics import target
from scriptrun.engines.slurm import cluster as slurm_cluster
from scriptrun.engines.slurm import poll as slurm_poll
from scriptrun.engines.slurm.engine import Slurm
from scriptrun.runtime import files
from scriptrun.spec.errors import ExperimentExecutionException
from scriptrun.testing.jobs import Bench, until

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def test_accounts_count_and_tell_of_what_was(tmp_path, slurm, slurm_accounting, monkeypatch):
    bench = Bench(tmp_path / "w", Slurm(partition="main", account="lab"))
    run = bench.run("raise SystemExit(3)")
    assert (run.get_status(), run.standing.exit_code) == ("Failed", 3)
    job = files.read_json(str(run.path / "slurm" / "1" / "job.json"))["job"]

    def told():
        slurm_poll._final_states.clear()
        return slurm_poll._accounting_state(job, None) == "COMPLETED"

    until(told, "sacct does not know the job")
    assert slurm_poll._accounting_state("999999", None) == ""
    stranger = Slurm(partition="main", account="nobody")
    with pytest.raises(ExperimentExecutionException, match=r"Slurm rejected the job: .*account"):
        Bench(tmp_path / "x", stranger).submit("print('never')")
    found = {each.name: each for each in target.target_checks(bench.workspace, stranger)}
    assert found["account"].verdict == "bad" and "sacctmgr" in found["account"].hint

    def nodes():
        return [each.nodes for each in slurm_cluster.node_types() if each.partition == "main"]

    assert nodes() == [1]  # and an answer of this cluster is none of another's
    monkeypatch.setenv("SLURM_CONF", slurm.environ["SLURM_CONF"])
    assert nodes() == [3]
