"""A workspace with one of everything, its record files, and what can become of a file."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from scriptrun import (
    Dataset,
    Datastore,
    Environment,
    Experiment,
    HyperDriveConfig,
    Model,
    PrimaryMetricGoal,
    RandomParameterSampling,
    Run,
    ScriptRunConfig,
    Workspace,
    uniform,
)
from scriptrun.engines.local.engine import Local
from scriptrun.registry import compute_targets
from scriptrun.store.secrets import vault
from scriptrun.sweeps import record as sweep_record
from scriptrun.testing.jobs import wait
from scriptrun.tracking import events

SCRIPT = """
import argparse, os
from scriptrun import Run
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float, default=1.0)
run = Run.get_context()
run.log("accuracy", parser.parse_args().x)
run.tag("kind", "tried")
open("outputs/model.txt", "w").write("a model")
print("it ran")
"""
DEEP = b"[" * 100_000


def _wrong_fields(data: bytes) -> bytes:
    """The same object with every field of another type; a line of them for each line."""
    if data[:1] not in b"{":
        return b"id: [1]\nname: {a: 1}\nclass: [2]\nversion: {}\nfiles: 3\n"
    try:
        return json.dumps(_of_other_types(json.loads(data))).encode()
    except ValueError:
        lines = [json.loads(line) for line in data.splitlines() if line.startswith(b"{")]
        return b"".join(json.dumps(_of_other_types(line)).encode() + b"\n" for line in lines)


def _of_other_types(value: dict) -> dict:
    return {
        name: 7 if isinstance(each, dict | list | str) else ["x"] for name, each in value.items()
    }


def _one_wrong_field(data: bytes) -> bytes:
    """The same object, with a list where its first text or object was."""
    try:
        value = json.loads(data)
    except ValueError:
        return data.replace(b": ", b": [1, ", 1)
    if isinstance(value, dict):
        name = next((n for n, each in value.items() if isinstance(each, str | dict)), "id")
        value[name] = [{"no": 1}]
    return json.dumps(value).encode()


#: what becomes of a file's content
CONTENTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "NULs": lambda data: b"\0" * len(data),
    "garbage": lambda data: bytes((37 * n + 11) % 256 for n in range(len(data) + 64)),
    "a list": lambda data: b"[]",
    "an empty object": lambda data: b"{}",
    "null": lambda data: b"null",
    "a number": lambda data: b"12",
    "wrong fields": _wrong_fields,
    "one wrong field": _one_wrong_field,
    "deep": lambda data: DEEP,
    "deep in a field": lambda data: b'{"id": ' + DEEP + b"]" * 100_000 + b"}",
    "not UTF-8": lambda data: b'{"id": "\xff\xfe"}' + data,
    "lines": lambda data: b'[]\nnull\n12\n{}\n{"kind": 3, "t": []}\n{"t": {}, "m": 1, "k": []}\n',
}


def _folder(path: Path) -> None:
    remove(path)
    path.mkdir()


def _loop(path: Path) -> None:
    remove(path)
    path.symlink_to(path.name)


def _pipe(path: Path) -> None:
    remove(path)
    os.mkfifo(path)


def _file(path: Path) -> None:
    remove(path)
    path.write_bytes(b"not a folder")


PLACES: dict[str, Callable[[Path], None]] = {"a folder": _folder, "a loop": _loop, "a pipe": _pipe}
#: what becomes of a folder
FOLDERS: dict[str, Callable[[Path], None]] = {"a file": _file, "a loop": _loop}


def remove(path: Path) -> None:
    """Remove what is at ``path``, whatever it is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def apply(name: str, path: Path) -> None:
    """Damage the file or folder at ``path``; it keeps its folder's times, as damage does."""
    parent = path.parent.stat()
    if name in CONTENTS:
        path.write_bytes(CONTENTS[name](path.read_bytes()))
    else:
        {**PLACES, **FOLDERS}[name](path)
    os.utime(path.parent, ns=(parent.st_atime_ns, parent.st_mtime_ns + 1_000_000))


def damages_of(path: Path) -> list[str]:
    """The kinds of damage that the file or folder at ``path`` can have."""
    return list(FOLDERS) if path.is_dir() else [*CONTENTS, *PLACES]


def here() -> Environment:
    """An environment: the interpreter of the tests."""
    environment = Environment("here")
    environment.python.user_managed_dependencies = True
    environment.python.interpreter_path = sys.executable
    return environment


def make(root: Path) -> Workspace:
    """A workspace with an ended run, a neighbour, a sweep and one of each registered thing."""
    workspace = Workspace.create("damaged", path=root)
    source = root / "source"
    source.mkdir()
    (source / "train.py").write_text(SCRIPT)
    config = ScriptRunConfig(str(source), "train.py", environment=here())
    experiment = Experiment(workspace, "trials")
    names = ("victim", "neighbour")
    for run, name in zip(experiment.submit_many([config] * 2), names, strict=True):
        run.display_name = name
        wait(run)
    sweep = experiment.submit(
        HyperDriveConfig(
            run_config=config,
            hyperparameter_sampling=RandomParameterSampling({"x": uniform(0, 1)}, {"seed": 1}),
            primary_metric_name="accuracy",
            primary_metric_goal=PrimaryMetricGoal.MAXIMIZE,
            max_total_runs=2,
        )
    )
    wait(sweep)
    sweep_record.change_limits(sweep.path, sweep.sweep, max_total_runs=2)
    Run.get(workspace, next(iter(sweep.get_children())).id).display_name = "child"
    _register(workspace, root)
    return workspace


def _register(workspace: Workspace, root: Path) -> None:
    victim = Run.find(workspace, "victim")
    model = victim.register_model("digits", model_path="outputs/model.txt", tags={"a": "b"})
    model.add_tags({"c": "d"})
    Model.register(workspace, str(root / "source" / "train.py"), "other")
    store = workspace.get_default_datastore()
    store.upload_files([str(root / "source" / "train.py")], target_path="things")
    dataset = Dataset.File.from_files((store, "things"))
    dataset = dataset.register(workspace, "things", description="some", tags={"a": "b"})
    dataset.add_tags({"c": "d"})
    Dataset.File.from_files((store, "things/train.py")).register(workspace, "others")
    here().register(workspace)
    Environment("there").register(workspace)
    compute_targets.put(workspace, Local(name="box", max_runs=3))
    compute_targets.put(workspace, Local(name="bin", max_runs=2))
    compute_targets.set_default(workspace, "local")
    compute_targets.set_alias(workspace, "gpu-*", "box")
    workspace.set_default_datastore("workspaceblobstore")
    vault.store("token", "a value")
    workspace.get_default_keyvault().set_secret("own", "another value")
    Datastore.register_azure_blob_container(
        workspace, "vaulted", "data", "me", skip_validation=True, secret="token"
    )
    events.later_writer(victim.path).write("note", message="noted")
    metric = victim.path / "mlflow" / "0" / "abc" / "metrics" / "loss"
    metric.parent.mkdir(parents=True)
    metric.write_text("1700000000000 0.5 1\n1700000000001 0.25 2\n")


#: the records of a run, below its folder
RUN = (
    "job.json",
    "attempts/1/result.json",
    "attempts/1/node-0.json",
    "attempts/1/node-0.start.json",
    "environment.lock.json",
    "events/submit.jsonl",
    "events/node-0.jsonl",
    "events/user-*.jsonl",
    "metrics/*.jsonl",
    "mlflow/0/abc/metrics/loss",
    "cancel.json",
    "attempts",
    "attempts/1",
    "events",
    "metrics",
    "user_logs",
    "user_logs/std_log.txt",
    "outputs",
)
SWEEP = (
    "job.json",
    "sweep.json",
    "journal/0001.jsonl",
    "journal",
    "limits/1.json",
    "limits",
    "attempts/1/begun.json",
    "attempts/1/result.json",
)
#: the records of a workspace, below .scriptrun
WORKSPACE = (
    "workspace.json",
    "runs",
    "runs/*",
    "experiments/trials.json",
    "experiments",
    "compute/box.yaml",
    "compute/.box.yaml.json",
    "compute/.default.yaml",
    "compute/.aliases.yaml",
    "compute",
    "datastores/.default.yaml",
    "datastores/vaulted.yaml",
    "datastores",
    "datasets/things/1.yaml",
    "datasets/things/.1.yaml.json",
    "datasets/things/1.tags.yaml",
    "datasets",
    "models/digits/1.yaml",
    "models/digits/1.tags.yaml",
    "models",
    "environments/here/1.yaml",
    "environments",
    "snapshots/manifests/*/*",
    "snapshots",
)
#: what the vault has of this user's secrets, beside the workspace's folder
SECRETS = (
    "secrets",
    "secrets.key",
    "secrets/token",
    "secrets/workspace-*",
)


def record_of(workspace: Workspace, kind: str, pattern: str) -> Path:
    """The file or folder of a record; a cancellation request is made for it."""
    if kind == "workspace":
        root = workspace.directory
    elif kind == "secrets":
        root = workspace.directory.parent
    else:
        root = Run.find(workspace, "victim").path
        if kind == "sweep":
            root = next(workspace.runs_folder.glob("*/*/sweep.json")).parent
    if pattern == "cancel.json":
        (root / pattern).write_text('{"pid": 1, "host": "elsewhere", "reason": "why"}')
    return min(root.glob(pattern))
