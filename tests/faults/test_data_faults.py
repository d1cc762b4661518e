"""Data and a machine that does not play along: no room, and helpers and launchers that are killed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from machine import lacking

from scriptrun import Dataset, Datastore, Experiment, ScriptRunConfig, Workspace
from scriptrun.core.dataset import OutputFileDatasetConfig
from scriptrun.data.mount import mount as dataset_mount
from scriptrun.testing.jobs import until

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
import servers

pytestmark = pytest.mark.faults


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setenv("SCRIPTRUN_DATA_TIMEOUT", "60")
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


READS = """
import errno, hashlib, os, sys, time
folder, begin, go = sys.argv[1:4]
print(hashlib.sha256(open(os.path.join(folder, "one"), "rb").read()).hexdigest(), flush=True)
open(begin, "w").close()
while not os.path.exists(go): time.sleep(0.05)
try:
    open(os.path.join(folder, "two"), "rb").read()
except OSError as error:
    print(errno.errorcode[error.errno])
"""


def test_a_mount_with_a_full_disk_whose_store_goes_away(
    web, workspace, tmp_path, small_disk, monkeypatch
):
    """The first file is read whole, from memory; the second is an I/O error, and the run says why."""
    if dataset_mount.available():
        lacking("FUSE: " + dataset_mount.available())
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(small_disk("2m") / "cache"))
    monkeypatch.setenv("SCRIPTRUN_DATA_CACHE_SIZE", "1GB")
    web.files = {"/one": os.urandom(6_000_000), "/two": os.urandom(6_000_000)}
    far = Datastore.register_http(workspace, "faraway", web.address)
    data = Dataset.File.from_files([(far, "one"), (far, "two")]).as_mount()
    began, go = tmp_path / "began", tmp_path / "go"
    for _ in servers.limits(monkeypatch):
        run = Experiment(workspace, "away").submit(config(tmp_path, READS, data, began, go))
        until(lambda run=run: began.exists() or run.get_status() == "Failed")
        if began.exists():
            break
    web.silent = True
    go.touch()
    run.wait_for_completion(raise_on_error=False)
    web.silent = False
    first = hashlib.sha256(web.files["/one"]).hexdigest()
    assert (run.path / "user_logs/std_log.txt").read_text() == f"{first}\nEIO\n"
    warnings = [each for each in data_events(run) if each["kind"] == "warning"]
    assert any("faraway" in each["message"] for each in warnings), warnings


def data_events(run):
    return map(json.loads, (run.path / "events" / "data-0.jsonl").read_text().splitlines())


MOUNTS_ONE = """
import sys
from scriptrun import Dataset, Datastore, Experiment, ScriptRunConfig, Workspace
home, shared, source = sys.argv[1:]
ws = Workspace.create("w", path=home)
store = Datastore.register_local(ws, "shared", shared)
data = Dataset.File.from_files((store, "a.txt")).as_mount()
config = ScriptRunConfig(source, "train.py", arguments=[data], compute_target="local")
run = Experiment(ws, "e").submit(config)
run.wait_for_completion(raise_on_error=False)
print((run.path / "user_logs/std_log.txt").read_text())
try:
    Dataset.File.from_files((store, "closed/*"))
except Exception as error:
    print(error)
"""


def test_a_folder_that_may_not_be_read_matters_only_to_who_wants_it(tmp_path, bound_by_permissions):
    (tmp_path / "shared" / "closed").mkdir(parents=True)
    (tmp_path / "shared" / "a.txt").write_text("A")
    (tmp_path / "shared" / "closed").chmod(0)
    source = config(tmp_path, "import sys; print(open(sys.argv[1]).read())").source_directory
    words = [*bound_by_permissions, sys.executable, "-c", MOUNTS_ONE]
    words += [str(tmp_path / "home"), str(tmp_path / "shared"), str(source)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.stdout.startswith("A\n"), done
    assert "Cannot list closed in shared: Permission denied." in done.stdout


def test_an_output_that_finds_no_room_is_kept(workspace, tmp_path, small_disk):
    store = Datastore.register_local(workspace, "small", small_disk("1m"))
    out = OutputFileDatasetConfig(destination=(store, "out")).as_upload()
    code = "import os, sys; open(os.path.join(sys.argv[1], 'w'), 'wb').write(os.urandom(3000000))"
    run = Experiment(workspace, "full").submit(config(tmp_path, code, out))
    run.wait_for_completion(raise_on_error=False)
    assert run.get_status() == "Failed"
    assert "cannot upload" in result(run)["reason"]
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
    until(lambda: not helpers(tmp_path), lambda: f"they live on: {helpers(tmp_path)}")


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
