"""What a launcher does differently under a scheduler, and that nothing of it is loaded elsewhere."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scriptrun.runtime import schedulers
from scriptrun.runtime.order import LaunchOrder
from scriptrun.runtime.schedulers import slurm

PATHS = {"folder": "/run", "workspace": "/", "store": "/store", "runtime": "/runtime"}
ORDER = LaunchOrder(**PATHS, scheduler="slurm", handed="/run/slurm/1")


def test_an_order_names_its_scheduler():
    assert ORDER.load_scheduler() is slurm
    assert LaunchOrder.from_json(ORDER.to_json()).load_scheduler() is slurm
    assert LaunchOrder(**PATHS).load_scheduler() is None
    with pytest.raises(ValueError, match="'none'"):
        schedulers.load("none")


def test_a_launcher_without_one_loads_none():
    code = (
        "import sys; from scriptrun.runtime.launcher import entry, launcher, retry; "
        "from scriptrun.runtime.multinode import gang; from scriptrun.runtime.order import *; "
        f"LaunchOrder(**{PATHS}).load_scheduler(); "
        "print([name for name in sys.modules if 'scheduler' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("kinds", "is_open_mpi", "kind"),
    [
        (["pmix", "pmi2"], True, "pmix"),
        (["pmix", "pmi2"], False, "pmi2"),
        (["pmix"], False, "pmix"),
        ([], True, "pmix"),
    ],
)
def test_srun_starts_ranks_as_their_library_understands(kinds, is_open_mpi, kind):
    order = ORDER.replace(mpi=["srun", "--nodes=2"], mpi_kinds=kinds)
    assert slurm.rank_starter(order, is_open_mpi) == ["srun", f"--mpi={kind}", "--nodes=2"]


def test_mpirun_sees_the_nodes_as_they_are_to_be_used():
    environ = {"SLURM_JOB_ID": "12", "SLURM_NTASKS": "2"}
    slurm.describe_nodes(environ, 2, 4)
    assert environ["SLURM_NTASKS"] == "8"
    assert environ["SLURM_TASKS_PER_NODE"] == "4(x2)"
    outside = {"HOME": "/"}
    slurm.describe_nodes(outside, 2, 4)
    assert outside == {"HOME": "/"}


def test_the_next_attempt_is_asked_for_in_the_folder_that_was_handed_over(tmp_path):
    slurm.start_again(ORDER.replace(handed=str(tmp_path)))
    assert (tmp_path / "again").exists()
    with pytest.raises(OSError):
        slurm.start_again(ORDER.replace(handed=str(tmp_path / "gone")))


def test_a_run_that_was_canceled_was_stopped_for_that(tmp_path):
    (tmp_path / "cancel.json").write_text("{}")
    value = {"state": "Failed", "reason": "stopped by Slurm"}
    assert slurm.why_stopped(ORDER.replace(folder=str(tmp_path)), value) is True
    assert value == {"state": "Canceled", "reason": "canceled while running"}
