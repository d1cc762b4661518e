"""What ``scriptrun doctor --fsck`` finds: every damaged file of a workspace, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from wheel_making import make_wheel

from scriptrun import Dataset, Environment, Experiment, Model, ScriptRunConfig
from scriptrun.cli import dispatch
from scriptrun.data.cache import files as cache_files
from scriptrun.data.cache.files import Cache
from scriptrun.diagnostics import fsck
from scriptrun.engines.local.engine import Local
from scriptrun.environments import locks
from scriptrun.queue import tickets
from scriptrun.registry import compute_targets, environments, services
from scriptrun.registry.services import ServiceRecord
from scriptrun.store.secrets import vault
from scriptrun.testing.jobs import Bench, until, wait

KINDS = [
    "runs",
    "snapshots",
    "registries",
    "models",
    "services",
    "datasets",
    "lockfiles",
    "wheels",
    "runtime",
    "queue",
    "secrets",
    "cache",
]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A workspace with something of each kind."""
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    bench = Bench(tmp_path / "w", Local())
    source = bench.source("import sys; print(open(sys.argv[1]).read())")
    (source / "large.bin").write_bytes(b"large" * 300_000)
    (tmp_path / "a.txt").write_text("a")
    data = Dataset.File.from_files(str(tmp_path / "a.txt")).register(bench.workspace, "letters")
    config = ScriptRunConfig(
        source, "job.py", arguments=[data.as_download()], compute_target="local"
    )
    run = Experiment(bench.workspace, "e").submit(config)
    assert wait(run) == "Completed", run.standing.reason
    Model.register(bench.workspace, str(tmp_path / "a.txt"), "net", tags={"a": "b"})
    environments.register(bench.workspace, Environment("mine"))
    compute_targets.put(bench.workspace, Local("box", max_runs=3))
    Environment.add_private_pip_wheel(bench.workspace, make_wheel(tmp_path, "mauve", "4"))
    lockfile = bench.workspace.locks_folder / f"{'0' * 64}.json"
    lockfile.write_text(json.dumps(locks.seal({"platform": "x", "packages": []})))
    vault.store("token", "123")
    services.create(bench.workspace, ServiceRecord("digits", {"models": []}, run=run.id))
    return bench


def found(bench: Bench) -> dict[str, list[str]]:
    """The messages of the failed checks by kind."""
    checks = list(fsck.checks(bench.workspace))
    assert list(dict.fromkeys(check.name for check in checks)) == KINDS
    bad = [check for check in checks if check.verdict == "bad"]
    assert [check for check in bad if not check.hint] == []
    return {
        name: [check.message for check in bad if check.name == name]
        for name in {check.name for check in bad}
    }


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def command(bench: Bench, capsys, *words: str) -> tuple[int, str]:
    before = Path.cwd()
    os.chdir(bench.root)
    capsys.readouterr()
    try:
        return dispatch.run([*words]), capsys.readouterr().out
    finally:
        os.chdir(before)


def test_a_whole_workspace(bench, capsys):
    assert found(bench) == {}
    code, text = command(bench, capsys, "doctor", "--fsck")
    assert code == 0
    assert [line.split()[:2] for line in text.splitlines()] == [["ok", name] for name in KINDS]
    assert "1 run\n" in text and "1 model version" in text
    code, text = command(bench, capsys, "doctor", "--fsck", "--json")
    assert [check["verdict"] for check in json.loads(text)["checks"]] == ["ok"] * len(KINDS)


DAMAGES = {
    "runs/*/*/job.json": "runs",
    "runs/*/*/attempts/1/result.json": "runs",
    "snapshots/packs/*.pack": "snapshots",
    "snapshots/objects/??/*": "snapshots",
    "snapshots/manifests/??/" + "?" * 64: "snapshots",
    "models/.content/??/*": "models",
    "services/*.json": "services",
    "manifests/*.manifest": "datasets",
    "locks/*.json": "lockfiles",
    "wheels/*/*.whl": "wheels",
    "runtime/*/scriptrun/runtime/files.py": "runtime",
}


@pytest.mark.parametrize("pattern", DAMAGES)
def test_one_damaged_file(bench, pattern, capsys):
    (path,) = (bench.root / ".scriptrun").glob(pattern)
    if path.suffix == ".json" and path.parent.name != "locks":
        path.write_text(path.read_text()[:-20])
    else:
        flip(path)
    (messages,) = (bad := found(bench)).values()
    assert list(bad) == [DAMAGES[pattern]]
    assert any(str(path) in message for message in messages), messages
    code, text = command(bench, capsys, "doctor", "--fsck")
    assert (code, str(path) in text) == (1, True)
    assert sum(line.startswith("ok") for line in text.splitlines()) == len(KINDS) - 1


def test_all_at_once_and_it_does_not_stop(bench, tmp_path):
    directory = bench.root / ".scriptrun"
    patterns = [pattern for pattern in DAMAGES if "snapshots/manifests" not in pattern]
    damaged = [path for pattern in patterns for path in directory.glob(pattern)]
    for path in damaged:
        path.chmod(0o644)
        path.write_bytes(b"{" * 10)
    for name in ("models/net/1.yaml", "compute/box.yaml"):
        (path,) = directory.rglob(name)
        path.write_text("a: [")
        damaged.append(path)
    (events,) = directory.glob("runs/*/*/events/submit.jsonl")
    events.write_bytes(events.read_bytes() + b"{]\n")
    ticket = tickets.queue_of(bench.workspace.id) / f"{'1' * 20}-e_1_2.json"
    ticket.write_text("{}")
    secret = tmp_path / "secrets" / "token"
    secret.write_bytes(secret.read_bytes()[:-9])
    damaged += [events, ticket, secret]
    bad = found(bench)
    ticket.unlink()
    text = "\n".join(message for messages in bad.values() for message in messages)
    missing = [path for path in damaged if str(path) not in text and ".content" not in path.parts]
    assert not missing, text
    assert set(bad) == {*KINDS} - {"cache", "models"}


def test_a_service_whose_run_is_missing(bench):
    services.create(bench.workspace, ServiceRecord("gone", {}, run="removed_1"))
    ((message,),) = found(bench).values()
    assert "gone.json" in message and "removed_1 is missing" in message


def test_a_copy_of_a_registry_that_differs(bench):
    (path,) = (bench.root / ".scriptrun").rglob(".box.yaml.json")
    copy = json.loads(path.read_text())
    copy["value"]["max_runs"] = 4
    path.write_text(json.dumps(copy))
    (message,) = found(bench)["registries"]
    assert str(path) in message


def test_a_damaged_index(bench, capsys):
    command(bench, capsys, "list")
    (path,) = Path(os.environ["SCRIPTRUN_CACHE"]).glob("index/*.sqlite")
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    (message,) = found(bench)["cache"]
    assert str(path) in message


def test_what_a_run_needs_and_is_gone(bench):
    directory = bench.root / ".scriptrun"
    (manifest,) = directory.glob("snapshots/manifests/??/" + "?" * 64)
    (listing,) = directory.glob("manifests/*.manifest")
    for path in (manifest, listing):
        path.unlink()
    messages = found(bench)["runs"]
    assert [
        str(path) in message for path, message in zip((manifest, listing), messages, strict=True)
    ]


def test_beside_a_running_job(bench, tmp_path):
    """What is being written is not damage."""
    code = "import os, sys, time; open(sys.argv[1], 'w').close()\nwhile os.path.exists(sys.argv[1]): time.sleep(0.02)"
    mark = tmp_path / "running"
    run = bench.submit(code, [str(mark)])
    (run.path / "events" / "node-0.jsonl").open("ab").close()
    until(mark.exists)
    for _ in range(5):
        assert found(bench) == {}
    mark.unlink()
    assert wait(run) == "Completed"
    assert found(bench) == {}


def test_where_there_is_no_workspace_nothing_is_damaged(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    monkeypatch.chdir(tmp_path)
    assert dispatch.run(["doctor", "--fsck"]) == 0
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_in_the_data_cache(bench):
    path = Cache().folder / "files" / "ab" / ("ab" * 32)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"content")
    cache_files.freeze(path)
    assert found(bench) == {}
    status = path.stat()
    flip(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    (message,) = found(bench)["cache"]
    assert str(path) in message
