"""A round of a fault test: jobs are submitted, something happens to them, and all is judged.

FAULT_ROUNDS is the number of rounds (20), FAULT_SEED repeats those of a failed test, which prints it.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import secrets
import subprocess

import victims

from scriptrun.core.run import Run
from scriptrun.queue import tickets
from scriptrun.testing import jobs
from scriptrun.testing.jobs import until, wait
from scriptrun.testing.scripts import MARK

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "20"))
JOBS = 4
#: says once that it ran, leaves a child that has left its session behind, and works a little
SCRIPT = (
    MARK
    + """
import subprocess, time
mark(sys.argv[1], os.environ["SCRIPTRUN_RUN_ID"])
sleeper = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", sleeper, sys.argv[2]], start_new_session=True)
time.sleep(float(sys.argv[3]))
open("outputs/done.txt", "w").write("done")
os._exit(0)
"""
)


def chance_of(name):
    """A source of chance for the test ``name``, whose seed is printed when it fails."""
    seed = os.environ.get("FAULT_SEED") or str(secrets.randbelow(10**9))
    print(f"to repeat: FAULT_SEED={seed} pytest '{name}'")
    return random.Random(f"{seed}-{name.rpartition('::')[2]}")


def submit_all(bench, mark, chance):
    """Start a process that submits the jobs; it lingers until it is killed."""
    place = bench.root / "ran"
    place.touch()
    order = bench.order(SCRIPT, [place.as_posix(), mark, round(chance.uniform(0.05, 0.4), 3)])
    process = subprocess.Popen(jobs.submitter(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    process.stdin.write(json.dumps({**order, "count": JOBS, "linger": 600}).encode())
    process.stdin.close()
    return process


def both_keepers(workspace):
    """A guard and its launcher, to be killed in one go."""
    for guard in victims.guards(workspace):
        below = [pid for pid in victims.children(guard) if victims.comm(pid) == "scriptrun-run"]
        if below:
            return [guard, *below]
    return []


def one_of(find):
    return lambda workspace: find(workspace)[:1]


KINDS = {
    "runner": one_of(victims.runners),
    "launcher": one_of(victims.launchers),
    "guard": one_of(victims.guards),
    "script": one_of(victims.scripts),
    "guard and launcher": both_keepers,
}
#: how many runs may fail when one of a kind is killed; one, if the kind is not listed
HURT = {"submitter": 0, "runner": 0, "guard": 0}


@contextlib.contextmanager
def submitted(bench, mark, chance):
    """The jobs are being submitted, by a process that is killed at the end."""
    bench.run("pass")  # all is warm, so that the moments fall into the runs
    process = submit_all(bench, mark, chance)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until_all_submitted(bench):
    until(lambda: len(victims.every_run(bench.workspace)) == JOBS + 1, "not all were submitted")


def judge(bench, mark, allowed):
    """Every run ended, with a reason unless it is Completed; none ran twice; nothing is left.

    At most ``allowed`` runs may have failed. A further run is Completed.
    """
    runs = [Run.at(bench.workspace, folder) for folder in victims.every_run(bench.workspace)]
    ends = {run.id: wait(run) for run in runs}
    reasons = {run.id: run.standing.reason for run in runs}
    assert all(reasons[name] for name, state in ends.items() if state != "Completed")
    until(lambda: not jobs.living(mark), "children of a script go on")
    ran = collections.Counter((bench.root / "ran").read_text().split())
    assert max(ran.values(), default=0) <= 1, "a run ran twice"
    mine = [run for run in runs if run.job.arguments]
    for run in mine:
        if ends[run.id] == "Completed":
            assert ran[run.id] == 1
            assert (run.path / "outputs" / "done.txt").exists()
    hurt = [name for name, state in ends.items() if state != "Completed"]
    assert len(hurt) <= allowed, reasons
    assert not tickets.waiting(tickets.queue_of(bench.workspace.id))
    assert bench.run("print('later')").get_status() == "Completed"
