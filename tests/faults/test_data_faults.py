"""Data and a machine that does not play along: no room, and helpers and launchers that are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from scriptrun import Dataset, Datastore, Experiment, ScriptRunConfig, Workspace
from scriptrun.dataset import OutputFileDatasetConfig

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
import servers

pytestmark = pytest.mark.faults


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", "5")
    with servers.web() as state:
        yield state


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create("faults", path=tmp_path / "workspace")


def config(tmp_path, code, *arguments):
    folder = tmp_path / "source"
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(code)
    return ScriptRunConfig(folder, "train.py", arguments=list(arguments), compute_target="local")


def result(run):
    return json.loads((run.path / "attempts" / "1" / "result.json").read_text())


def test_a_full_cache_disk_is_a_sentence(web, workspace, tmp_path, small_disk, monkeypatch):
    web.files["/big.bin"] = os.urandom(3_000_000)
    dataset = Dataset.File.from_files(f"{web.address}/big.bin")
    disk = small_disk("2m")
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(disk / "cache"))
    run = Experiment(workspace, "full").submit(config(tmp_path, "", dataset.as_download()))
    run.wait_for_completion(raise_on_error=False)
    assert run.get_status() == "Failed"
    assert "more bytes in the data cache" in result(run)["reason"]
    assert "SCRIPTRUN_CACHE" in result(run)["reason"]


def test_an_output_that_finds_no_room_is_kept(workspace, tmp_path, small_disk):
    store = Datastore.register_local(workspace, "small", small_disk("1m"))
    out = OutputFileDatasetConfig(destination=(store, "out")).as_upload()
    code = "import os, sys; open(os.path.join(sys.argv[1], 'w'), 'wb').write(os.urandom(3000000))"
    run = Experiment(workspace, "full").submit(config(tmp_path, code, out))
    run.wait_for_completion(raise_on_error=False)
    assert run.get_status() == "Failed"
    assert "could not be uploaded" in result(run)["reason"]
    (kept,) = run.path.glob("data/**/w")
    assert kept.stat().st_size == 3_000_000
    assert not list(store.root.rglob("w"))


def test_kills_while_data_comes_leave_nothing_behind(web, workspace, tmp_path):
    """At a random moment of a slow download; afterwards the same dataset is fetched whole."""
    data = os.urandom(2_000_000)
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chosen = random.Random(seed)
    code = "import sys; print(len(open(sys.argv[1], 'rb').read()))"
    for number in range(6):
        web.files["/big.bin"] = data + bytes([number])
        dataset = Dataset.File.from_files(f"{web.address}/big.bin")
        web.drops[:] = [300_000] * 4
        run = Experiment(workspace, "kills").submit(config(tmp_path, code, dataset.as_download()))
        time.sleep(chosen.random() * 0.6)
        for pid in victims(run):
            os.kill(pid, signal.SIGKILL)
        run.wait_for_completion(raise_on_error=False)
        web.drops.clear()
        again = Experiment(workspace, "kills").submit(config(tmp_path, code, dataset.as_download()))
        again.wait_for_completion()
        assert (again.path / "user_logs/std_log.txt").read_text() == f"{len(data) + 1}\n"
    until = time.monotonic() + 20
    while helpers(tmp_path):
        assert time.monotonic() < until, helpers(tmp_path)
        time.sleep(0.1)


def victims(run):
    """The run's launcher, where it lives."""
    start = run.path / "attempts" / "1" / "node-0.start.json"
    try:
        guard = json.loads(start.read_text())["pid"]
    except (OSError, ValueError):
        return []
    return [int(name) for name in children(guard)]


def children(pid):
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []


def helpers(folder):
    """Living helpers whose log lies below ``folder``."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{name}/fd/2").startswith(str(folder)):
                found.append(name)
        except OSError:
            continue
    return found
