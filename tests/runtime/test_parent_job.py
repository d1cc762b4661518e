"""A job that a job submits is none of its ranks."""

from __future__ import annotations

import sys

import pytest

from scriptrun.runtime.launcher.parent_job import without_its_variables
from scriptrun.testing.jobs import Bench

RANK = {
    "SCRIPTRUN_RUN_ID": "outer_1",
    "SCRIPTRUN_WORLD_SIZE": "2",
    "RANK": "1",
    "WORLD_SIZE": "2",
    "MASTER_ADDR": "n1",
    "TF_CONFIG": "{}",
    "OMPI_COMM_WORLD_RANK": "1",
    "PMIX_NAMESPACE": "x",
    "AZ_BATCHAI_TASK_INDEX": "1",
    "OMP_NUM_THREADS": "1",
}


def test_ranks_and_data_of_the_submitting_job_go():
    inherited = {**RANK, "AZUREML_DATAREFERENCE_x": "/data", "HOME": "/h", "LR": "1"}
    left = without_its_variables({}, inherited)
    assert left == {"SCRIPTRUN_RUN_ID": "outer_1", "HOME": "/h", "LR": "1"}


def test_what_is_passed_by_name_stays():
    assert without_its_variables({"passed": ["RANK"]}, RANK)["RANK"] == "1"


@pytest.mark.parametrize("kept", [{"RANK": "1"}, {"SCRIPTRUN_RUN_ID": "a", "RANK": "1"}])
def test_a_variable_of_the_users_own_stays(kept):
    assert without_its_variables({}, kept) == kept


CHILD = """
import os, sys
print({name: value for name, value in os.environ.items() if name in sys.argv[1:]})
"""
PARENT = """
import os
from scriptrun import Run, ScriptRunConfig
if os.environ["RANK"] == "0":
    config = ScriptRunConfig(".", "child.py", ["RANK", "WORLD_SIZE", "MASTER_ADDR", "HOME"])
    config.run_config.environment.python.interpreter_path = {python!r}
    config.run_config.environment.python.user_managed_dependencies = True
    child = Run.get_context().submit_child(config)
    child.wait_for_completion()
    child.download_file("user_logs/std_log.txt", "outputs/child.txt")
"""


def test_a_child_of_a_rank_is_a_job_of_its_own(tmp_path):
    bench = Bench(tmp_path)
    source = tmp_path / "source"
    source.mkdir(exist_ok=True)
    (source / "child.py").write_text(CHILD)
    (source / "job.py").write_text(PARENT.format(python=sys.executable))
    run = bench.run(source=str(source), pytorch=[2, 1])
    assert "HOME" in (said := (run.path / "outputs" / "child.txt").read_text())
    assert "RANK" not in said and "MASTER_ADDR" not in said
