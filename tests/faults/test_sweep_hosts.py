"""A sweep in a shared workspace whose driver's host goes for good, and another takes it over."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from machine import lacking

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sweeps"))
from tuning import Tuner, driver_of, ended, until

from scriptrun import HyperDriveRun, Run
from scriptrun.runtime import files, identity
from scriptrun.spec.errors import UserErrorException
from scriptrun.store import paths
from scriptrun.store.locks import leases
from scriptrun.sweeps import ensure_driver

TUNING = Path(__file__).resolve().parents[1] / "sweeps"
SUBMITS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tuning import Tuner
from scriptrun.engines.slurm.engine import Slurm
target = Slurm(partition="main", cpus=4, memory="64M") if "slurm" in sys.argv else None
tuner = Tuner(Path(sys.argv[2]), target)
arguments = ("--mark", sys.argv[2] + "/ran", "--gate", sys.argv[2] + "/gate")
sweep = tuner.submit(*arguments, max_concurrent_runs=4, max_total_runs=int(sys.argv[3]))
print(sweep.id)
"""


@pytest.fixture
def far(tmp_path):
    """A host of another name, with a local disk of its own: submits there, and is cut off."""
    words = ["unshare", "--uts", "sh", "-c", "hostname far && echo far && exec sleep infinity"]
    if not shutil.which("unshare"):
        lacking("unshare is not here")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as holder:
        if holder.stdout.read(4) != b"far\n":
            lacking("a host name of its own cannot be given here (it takes root)")
        # while it is open no other host is taken for it
        with open(f"/proc/{holder.pid}/ns/uts") as space:
            holder.kill()
            made = far_host(tmp_path, f"/proc/{os.getpid()}/fd/{space.fileno()}")
            yield made
            made.all_get(signal.SIGKILL)


def far_host(tmp_path, space):
    own = {"SCRIPTRUN_RUNTIME": str(tmp_path / "far"), "SCRIPTRUN_SLOTS": str(tmp_path / "slots")}

    class Far:
        def submits(self, root, *more):
            words = ["nsenter", f"--uts={space}", sys.executable, "-c", SUBMITS, str(TUNING)]
            command = [*words, str(root), *more]
            said = subprocess.check_output(command, env={**os.environ, **own}, text=True)
            return said.strip()

        def all_get(self, number):
            for name in filter(str.isdigit, os.listdir("/proc")):
                with contextlib.suppress(OSError):
                    if os.path.samefile(f"/proc/{name}/ns/uts", space):
                        os.kill(int(name), number)

    return Far()


def five_minutes_pass():
    """All that this machine has seen standing still was seen so much earlier."""
    for path in paths.runtime_folder("seen").glob("*.json"):
        seen = json.loads(path.read_text())
        earlier = {**seen, "since": seen["since"] - leases.STALE_SECONDS - 1}
        files.write_atomic(path, files.to_json(earlier))  # a driver may be reading it


def test_a_sweep_whose_host_is_gone_stands_still_and_goes_on_elsewhere(tmp_path, far):
    """Two of its runs had begun there and two waited; its driver comes back too late."""
    tuner, mark = Tuner(tmp_path), tmp_path / "ran"
    sweep = Run.get(tuner.workspace, far.submits(tmp_path, "4"))
    assert isinstance(sweep, HyperDriveRun)
    until(lambda: mark.exists() and mark.read_text().count("\n") == 2)
    until(lambda: len(list(sweep.get_children())) == 4)
    assert (sweep.standing.state, sweep.standing.reason) == ("Running", "")
    with pytest.raises(UserErrorException, match="runs on far"):
        sweep.resume()
    (late,) = driver_of(sweep)
    far.all_get(signal.SIGSTOP)
    assert sweep.standing.reason == ""  # not known yet
    five_minutes_pass()
    assert sweep.standing.state == "Running" and driver_of(sweep) == [late]
    assert "its driver on far has sent no heartbeat" in sweep.standing.reason
    sweep.resume()
    until(lambda: five_minutes_pass() or mark.read_text().count("\n") == 4)
    assert leases.holder(ensure_driver.lease_path(sweep.path))[0]["host"] == identity.host()
    os.kill(late, signal.SIGCONT)
    until(lambda: late not in driver_of(sweep))
    assert "another host has taken over" in sweep.get_diagnostics()
    assert sweep.standing.reason == "" and driver_of(sweep)
    until(lambda: five_minutes_pass() or len(failed(sweep)) == 2)
    sweep.cancel()
    assert ended(sweep).state == "Canceled"
    ran = collections.Counter(mark.read_text().split())
    assert ran == {f"{sweep.id}_{number}": 1 for number in range(4)}  # none twice, none forgotten
    states = collections.Counter(each.get_status() for each in sweep.get_children())
    assert states == {"Failed": 2, "Canceled": 2}
    assert all(
        "so far is considered lost; to run it again, run: scriptrun rerun HD_" in said
        for said in failed(sweep)
    )


@pytest.mark.slurm
def test_runs_of_a_cluster_outlive_the_host_that_submitted_them(tmp_path, far, slurm):
    """Three run, one waits in the cluster's queue, and two were not begun when the host went."""
    tuner, mark = Tuner(tmp_path), tmp_path / "ran"
    sweep = Run.get(tuner.workspace, far.submits(tmp_path, "6", "slurm"))
    assert isinstance(sweep, HyperDriveRun)
    until(lambda: mark.exists() and mark.read_text().count("\n") == 3)
    assert sweep.standing.reason == ""
    far.all_get(signal.SIGKILL)
    five_minutes_pass()
    assert "its driver on far has sent no heartbeat" in sweep.standing.reason
    sweep.resume()
    (tmp_path / "gate").touch()
    assert ended(sweep).state == "Completed", sweep.get_diagnostics()
    ran = collections.Counter(mark.read_text().split())
    assert ran == {f"{sweep.id}_{number}": 1 for number in range(6)}
    assert sweep.get_best_run_by_primary_metric() is not None


def failed(sweep):
    return [each.standing.reason for each in sweep.get_children() if each.get_status() == "Failed"]
