"""The power is cut at random moments: what was acknowledged is there, and work goes on.

FAULT_ROUNDS is the number of cuts (10), FAULT_SEED repeats those of a failed test, which prints it.
A cut is that of a real file system, on a loop device (power.py).
"""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import sys
import time
from pathlib import Path

import acknowledgements
import pytest
from power import Disk
from wheel_making import make_wheel

from scriptrun import Dataset, Environment, Experiment, Model, Workspace
from scriptrun.core.run import Run
from scriptrun.engines.local.engine import Local
from scriptrun.spec import states
from scriptrun.testing.jobs import Bench, log_of, until, wait

pytestmark = [pytest.mark.faults, pytest.mark.slow]

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "10"))
KINDS = ("submit", "run", "model", "dataset", "build", "secret", "environment", "migrate", "edit")


@pytest.fixture
def moment(request):
    """A source of chance for one round, whose seed is printed when it fails."""
    seed = os.environ.get("FAULT_SEED") or str(secrets.randbelow(10**9))
    print(f"to repeat: FAULT_SEED={seed} pytest '{request.node.nodeid}'")
    return random.Random(f"{seed}-{request.node.name}")


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path)
    yield made
    made.end()


def places_on(disk: Disk, monkeypatch) -> None:
    """Keep the caches, the queue and the secrets on the disk too."""
    for name in ("CACHE", "RUNTIME", "SECRETS"):
        monkeypatch.setenv(f"SCRIPTRUN_{name}", str(disk.place / name.lower()))


def start(disk: Disk, root: Path, kind: str, **settings) -> subprocess.Popen:
    order = {"kind": kind, "root": str(root), "disk": str(disk.place), **settings}
    command = [sys.executable, acknowledgements.__file__, json.dumps(order)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def work_until_cut(disk: Disk, process: subprocess.Popen, seconds: float) -> list[dict]:
    """Let the work go on for a while, cut the power, and return what had been acknowledged."""
    first = process.stdout.readline()
    assert first, process.stderr.read()
    time.sleep(seconds)
    disk.cut()
    process.kill()
    lines = process.communicate()[0].split("\n")[:-1]
    return [json.loads(line) for line in [first, *lines]]


@pytest.mark.parametrize("number", range(ROUNDS))
def test_the_power_is_cut(number, tmp_path, disk, moment, monkeypatch):
    kind = KINDS[number % len(KINDS)]
    if (number // len(KINDS) + number) % 2 or kind == "secret":
        places_on(disk, monkeypatch)
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(disk.place / "uv"))
    for version in range(1, 60):
        make_wheel(tmp_path / "wheels", "small", f"{version}.0")
    root = disk.place / "workspace"
    root.mkdir()
    Bench(root, Local()).run("pass")
    os.sync()
    process = start(disk, root, kind, wheels=str(tmp_path / "wheels"))
    acknowledged = work_until_cut(disk, process, moment.uniform(0, 1.5))
    print(f"{kind}: {len(acknowledged)} acknowledged")
    workspace = Workspace(root)
    for each in acknowledged:
        CHECKS[kind](workspace, each)
    works_on(root, tmp_path / "wheels")


def check_run(workspace: Workspace, acknowledged: dict) -> None:
    run = Run.get(workspace, acknowledged["run"])
    if acknowledged.get("state"):
        assert acknowledged["state"] == "Completed"
        assert run.get_status() == "Completed"
        number = run.job.arguments[0]
        assert (run.path / "outputs" / "number.txt").read_text() == number * 1000
        assert run.get_metrics() == {"number": int(number)}
        assert log_of(run) == f"number {number}\n"
    assert states.is_terminal(wait(run))
    assert run.standing.reason or run.get_status() == "Completed"


def check_model(workspace: Workspace, acknowledged: dict) -> None:
    model = Model(workspace, "model", version=acknowledged["version"])
    folder = Path(model.get_model_path("model", acknowledged["version"], workspace))
    for name in "abc":
        assert (folder / name).read_text() == f"{name}{acknowledged['number']}" * 1000


def check_dataset(workspace: Workspace, acknowledged: dict) -> None:
    dataset = Dataset.get_by_name(workspace, "dataset", acknowledged["version"])
    assert len(dataset.to_path()) == acknowledged["files"]
    store = workspace.get_default_datastore().store
    number = acknowledged["number"]
    assert b"".join(store.pieces(f"data/{number}.csv")) == f"a,b\n{number},1\n".encode()


def check_secret(workspace: Workspace, acknowledged: dict) -> None:
    number = str(acknowledged["number"])
    assert workspace.get_default_keyvault().get_secret(f"secret-{number}") == number


def check_environment(workspace: Workspace, acknowledged: dict) -> None:
    environment = Environment.get(workspace, "environment", acknowledged["version"])
    assert environment.environment_variables["NUMBER"] == str(acknowledged["number"])


def check_edited(workspace: Workspace, acknowledged: dict) -> None:
    run, number = Run.get(workspace, acknowledged["run"]), acknowledged["number"]
    assert int(run.note) >= number
    assert [each.id for each in workspace.runs(f"tags.edit-{number}")] == [run.id]
    assert [each.id for each in workspace.runs(f"note={run.note}")] == [run.id]
    assert bool(workspace.runs("pinned")) == (run.pinned is not None)
    assert (run.pinned is not None) == (int(run.note) % 2 == 1) or int(run.note) > number


def check_migrated(workspace: Workspace, acknowledged: dict) -> None:
    assert Path(acknowledged["file"]).read_text() == acknowledged["text"]
    assert "azureml" not in acknowledged["text"]


CHECKS = {
    "submit": check_run,
    "run": check_run,
    "build": check_run,
    "model": check_model,
    "dataset": check_dataset,
    "secret": check_secret,
    "environment": check_environment,
    "migrate": check_migrated,
    "edit": check_edited,
}


def works_on(root: Path, wheels: Path) -> None:
    """The same work succeeds again, whatever it finds of that before."""
    order = {"kind": "", "root": str(root), "wheels": str(wheels), "disk": str(root)}
    work = acknowledgements.Work(order)
    for number in (1, 2):
        again = work.run(number)
        assert again["state"] == "Completed", Run.get(work.workspace, again["run"]).standing
        check_run(work.workspace, again)
    again = work.build(1)
    assert again["state"] == "Completed", Run.get(work.workspace, again["run"]).standing
    check_run(work.workspace, again)
    check_model(work.workspace, work.model(1))
    check_dataset(work.workspace, work.dataset(1))
    assert all(
        states.is_terminal(wait(run)) for run in Run.list(Experiment(work.workspace, "bench"))
    )


def test_what_waits_in_the_queue_starts_after_the_cut(tmp_path, disk, monkeypatch):
    """A run that has begun is lost with the machine; those behind it are started."""
    places_on(disk, monkeypatch)
    bench = Bench(disk.place / "workspace", Local(max_runs=1))
    first = bench.submit("import time; print('began', flush=True); time.sleep(600)")
    until(lambda: "began" in log_of(first))
    source = bench.source("print('at last')", "later")
    later = [bench.submit(source=source) for _ in range(3)]
    disk.cut()
    assert wait(first) == "Failed"
    assert [wait(run) for run in later] == ["Completed"] * 3
    assert [log_of(run) for run in later] == ["at last\n"] * 3


def test_without_syncs_what_is_lost_hinders_nothing(tmp_path, disk, moment, monkeypatch):
    """SCRIPTRUN_FSYNC=0: runs may be gone, but what is left of them is made again."""
    monkeypatch.setenv("SCRIPTRUN_FSYNC", "0")
    root = disk.place / "workspace"
    Bench(root, Local()).run("pass")
    os.sync()
    process = start(disk, root, "submit", wheels="")
    work_until_cut(disk, process, moment.uniform(0, 1.5))
    work = acknowledgements.Work({"root": str(root)})
    for number in range(1, 4):
        assert work.run(number)["state"] == "Completed"
