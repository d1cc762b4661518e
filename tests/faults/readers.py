"""The readers of files that others may write: what they read, and which errors they may raise."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from scriptrun import CondaDependencies, Environment, RunConfiguration, ScriptRunConfig
from scriptrun.cli.options import set_field
from scriptrun.config.environments import requirement_files, script_header, uv_project
from scriptrun.config.reader import ConfigReader
from scriptrun.core import mlflow_runs
from scriptrun.data.datasets import manifest
from scriptrun.dropin import scan
from scriptrun.dropin.notebook import cells
from scriptrun.environments import import_check
from scriptrun.environments.conda import settings
from scriptrun.environments.uv import lock_inputs
from scriptrun.migration import rewrite_file
from scriptrun.migration.formats import as_python, read_job
from scriptrun.queue import tickets
from scriptrun.runtime.injob.metrics import reader as metrics
from scriptrun.spec.errors import ScriptrunError
from scriptrun.store import yaml_file
from scriptrun.store.snapshots.gitignore import PatternList
from scriptrun.tracking import events, mirror, run_folder

SCRIPT = b"""# /// script
# requires-python = ">=3.9"
# dependencies = ["numpy==1.26", "./lib"]
# [tool.uv]
# index = [{name = "x", url = "https://example.org/simple"}]
# sources = {lib = {path = "lib"}}
# find-links = ["wheels"]
# ///
from azureml.core import Experiment, ScriptRunConfig, Workspace
from azureml.train.estimator import Estimator
from azureml.data.data_reference import DataReference

ws = Workspace.from_config()
est = Estimator(source_directory=".", entry_script="train.py", compute_target="cpu",
                script_params={"--alpha": 0.5}, pip_packages=["numpy"], node_count=2)
Experiment(ws, "e").submit(est).wait_for_completion(show_output=True)
"""
RUNCONFIG = b"""script: train.py
arguments: [--alpha, 0.5]
framework: Python
communicator: None
target: local
nodeCount: 1
maxRunDurationSeconds: 100
environment:
  name: e
  version: 3
  python:
    userManagedDependencies: false
    interpreterPath: python
    condaDependencies:
      channels: [conda-forge]
      dependencies: [python=3.10, {pip: [numpy==1.26]}]
  environmentVariables: {A: '1'}
  docker: {enabled: true, baseImage: 'ubuntu:22.04', shmSize: 2g, arguments: []}
history: {outputCollection: true}
mpi: {processCountPerNode: 1}
dataReferences:
  d: {dataStoreName: s, mode: mount, pathOnDataStore: a/b}
data: {}
outputData: {}
"""
CONDA = b"""name: x
channels: [conda-forge, defaults]
dependencies:
  - python=3.10.1  # the version
  - numpy>=1.2,<2
  - pip:
    - scikit-learn==1.4
    - -r requirements.txt
    - --index-url https://user:${secret:x}@example.org/simple
"""
REQUIREMENTS = b"""# comment
numpy==1.26 --hash=sha256:abc
-r other.txt
-c constraints.txt
-e ./lib
scipy>=1.0 ; python_version < "3.12" \\
  # continued
git+https://example.org/x.git@main#egg=x
"""
NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "markdown", "source": ["# Title"]},
            {"cell_type": "code", "source": ["%time x = 1\n", "!ls\n", "from azureml.core import Run"]},
        ],
        "metadata": {"kernelspec": {"language": "python"}},
        "nbformat": 4,
    }
).encode()  # fmt: skip
V2 = b"""$schema: https://azuremlschemas.azureedge.net/latest/commandJob.schema.json
type: command
command: python train.py --data ${{inputs.data}} --out ${{outputs.model}}
code: src
environment: {image: 'ubuntu:22.04', conda_file: {dependencies: [python=3.10], channels: []}}
compute: azureml:cpu
inputs:
  data: {type: uri_folder, path: 'azureml://datastores/s/paths/a/b', mode: ro_mount}
  n: 3
outputs: {model: {type: uri_folder}}
environment_variables: {A: 1}
distribution: {type: pytorch, process_count_per_instance: 2}
resources: {instance_count: 2, shm_size: 2g, docker_args: --ipc host}
limits: {timeout: 100}
tags: {a: b}
"""
V2_SWEEP = b"""type: sweep
trial: {command: 'python train.py --lr ${{search_space.lr}}', environment: 'azureml:x@latest'}
sampling_algorithm: random
search_space:
  lr: {type: uniform, min_value: 0.1, max_value: 1}
  n: {type: choice, values: [1, 2]}
objective: {primary_metric: acc, goal: maximize}
limits: {max_total_trials: 4, max_concurrent_trials: 2, timeout: 100, trial_timeout: 10}
early_termination: {type: bandit, slack_factor: 0.1, evaluation_interval: 1}
"""
MLPROJECT = b"""name: p
python_env: python_env.yaml
entry_points:
  main:
    parameters: {alpha: {type: float, default: 0.5}, path: path}
    command: python train.py {alpha} {path}
"""
PYPROJECT = b"""[project]
name = "p"
requires-python = ">=3.9"
dependencies = ["numpy"]
[tool.uv]
sources = { numpy = { index = "x" }, lib = [{ path = "lib" }, { git = "https://x" }] }
index = [{ name = "x", url = "../simple", explicit = true }]
find-links = ["wheels"]
exclude-newer = 2024-01-01T00:00:00Z
"""
UV_LOCK = b"""version = 1
[[package]]
name = "numpy"
version = "1.26"
source = { registry = "https://example.org/simple" }
[[package]]
name = "lib"
source = { editable = "lib" }
"""
ENVIRONMENT = b"""{"name": "e", "version": "1", "python": {"userManagedDependencies": false,
"interpreterPath": "python", "baseCondaEnvironment": null}, "docker": {"baseImage": "x", "shmSize": "2g",
"baseImageRegistry": {"address": "a", "username": "u", "password": "p"}}, "environmentVariables": {"A": "b"}}"""
JOB = json.dumps(
    {"id": "e_1", "experiment": "e", "workspace": "w", "created": "2024-01-01T00:00:00Z",
     "script": "train.py", "arguments": ["a"], "target": {"name": "local", "class": "Local"},
     "tags": {"a": "b"}, "distribution": {"kind": "", "nodes": 1}, "data": {"items": []}}
).encode()  # fmt: skip
EVENTS = b"""{"event": "state", "time": 1.5, "state": "Running"}
{"event": "began", "time": 1.5}
{"event": "tag", "time": 2, "name": "a", "value": "b"}
{"event": "properties", "time": 2, "values": {"a": "b"}}
{"event": "environment", "time": 3, "cached": true}
"""
RESULT = json.dumps(
    {"schema": 1, "state": "Failed", "began": 1.0, "ended": 2.0, "exit_code": 1, "reason": "x", "rank": 1,
     "tail": ["a"], "log": "user_logs/std_log.txt"}
).encode()  # fmt: skip
METRICS = b"""{"name": "loss", "kind": "scalar", "value": 0.5, "time": 1.0, "step": 1}
{"name": "t", "kind": "table", "value": {"a": [1, 2]}, "time": 2}
{"name": "r", "kind": "row", "value": {"a": 1, "b": 2}, "time": 3}
"""
TICKET = b"""{"folder": "/x", "environ": {"A": "b"}, "submitter": {"pid": 1, "started": 2, "host": "h"}}"""
#: what the files above name, empty
BESIDE = {
    **dict.fromkeys(("requirements.txt", "other.txt", "constraints.txt", "lib"), b"numpy\n"),
    "python_env.yaml": b"python: '3.10'\ndependencies: [numpy, -r requirements.txt]\n",
}


def a_manifest() -> tuple[str, bytes]:
    """The name of a manifest's file, which is its digest, and its content."""
    rows = [manifest.ManifestRow(f"a/{n}", n, "e") for n in range(10)]
    with tempfile.TemporaryDirectory() as folder:
        written = manifest.write(Path(folder), rows)
        path = manifest.manifest_path(Path(folder), written.digest)
        return path.name, path.read_bytes()


MANIFEST_NAME, MANIFEST = a_manifest()


class Reader(NamedTuple):
    """Reads ``path``, a file of the name ``name``; ``seeds`` are what it reads well."""

    name: str
    seeds: list[bytes]
    read: Callable[[Path], object]
    errors: tuple[type[Exception], ...] = (ScriptrunError,)


def read_runconfig(path: Path) -> None:
    config = RunConfiguration.load(str(path.parent), path.name)
    ConfigReader(ScriptRunConfig(".", run_config=config)).problems()


def read_conda(path: Path) -> None:
    conda = CondaDependencies(str(path))
    conda.add_conda_package("scipy")
    conda.serialize_to_string()
    environment = Environment("e")
    environment.python.conda_dependencies = conda
    config = RunConfiguration()
    config.environment = environment
    ConfigReader(ScriptRunConfig(".", "a.py", run_config=config)).problems()


def read_imported(path: Path) -> None:
    job = read_job.read(path)
    as_python.code(job.config, job.experiment, job.sweep)


def read_header(path: Path) -> None:
    script_header.find(path)


def read_pyproject(path: Path) -> None:
    table = uv_project.read_toml(str(path), "")
    settings_table = uv_project.settings(uv_project.tool_table(table, "p"), str(path))
    uv_project.with_local_paths(["numpy==1", "lib"], settings_table)
    uv_project.parse_toml(lock_inputs._toml_table(settings_table), "what it writes", "")


def read_rewritten(path: Path) -> None:
    outcome = rewrite_file.compute_outcome(str(path), "scriptrun", lambda module, name: None)
    bugs = [finding for finding in outcome.findings if "bug" in finding.reason] if outcome else []
    assert not bugs, bugs


def read_set_value(path: Path) -> None:
    text = path.read_bytes().decode("utf-8", "replace")
    for field in (
        "node_count",
        "environment.python",
        "mpi.process_count_per_node",
        "arguments",
        text[:9],
    ):
        with contextlib.suppress(ScriptrunError):
            set_field.apply(RunConfiguration(), f"{field}={text}")


def read_ignored(path: Path) -> None:
    patterns = PatternList(path.read_bytes())
    for name in (b"a/b/c.txt", b"a" * 100, b"x/" * 50 + b"y"):
        patterns.find_match(name, False)


def read_condarc(path: Path, monkeypatch=None) -> None:
    settings._read(str(path))


def read_events(path: Path) -> None:
    events.collect_facts(events.read(path.parent.parent))


def read_metrics(path: Path) -> None:
    metrics.read(str(path.parent.parent))


#: what configures and describes jobs
READERS = {
    "runconfig": Reader("x.runconfig", [RUNCONFIG], read_runconfig),
    "conda": Reader("env.yml", [CONDA], read_conda),
    "requirements": Reader("requirements.txt", [REQUIREMENTS], requirement_files.read_requirements),
    "workspace": Reader("x.yaml", [CONDA, RUNCONFIG], yaml_file.read),
    "v2": Reader("job.yml", [V2, V2_SWEEP], read_imported),
    "mlproject": Reader("MLproject", [MLPROJECT], read_imported),
    "imported-runconfig": Reader("x.runconfig", [RUNCONFIG], read_imported),
    "notebook": Reader("x.ipynb", [NOTEBOOK], lambda path: cells.cells(str(path))),
    "checked-notebook": Reader("x.ipynb", [NOTEBOOK], lambda path: scan.check(str(path))),
    "checked-script": Reader("x.py", [SCRIPT], lambda path: scan.check(str(path))),
    "rewritten-script": Reader("x.py", [SCRIPT], read_rewritten),
    "rewritten-notebook": Reader("x.ipynb", [NOTEBOOK], read_rewritten),
    "imports": Reader("x.py", [SCRIPT], lambda path: import_check.script_imports(path.read_bytes())),
    "header": Reader("x.py", [SCRIPT], read_header),
    "pyproject": Reader("pyproject.toml", [PYPROJECT], read_pyproject),
    "uv-lock": Reader("uv.lock", [UV_LOCK], lambda path: uv_project._index_options(str(path))),
    "environment": Reader(
        "azureml_environment.json",
        [ENVIRONMENT],
        lambda path: Environment.load_from_directory(str(path.parent)),
    ),
    "condarc": Reader(".condarc", [CONDA], read_condarc),
    "mlflow": Reader("meta.yaml", [b"name: x\nstatus: 3\n"], mlflow_runs._read_facts),
    "set": Reader("x", [b"3", b'{"a": [1]}', b"[a]"], read_set_value),
    "ignore": Reader(".gitignore", [b"*.pyc\n!a/**/b\n/x[a-z]*\n\\#\n**/c/\n"], read_ignored),
}  # fmt: skip
#: what records runs
RECORDS = {
    "job": Reader("job.json", [JOB], lambda path: run_folder.read_job(path.parent)),
    "events": Reader("events/submit.jsonl", [EVENTS], read_events),
    "result": Reader(
        "attempts/1/result.json", [RESULT], lambda path: run_folder.read_result(path.parents[2])
    ),
    "metrics": Reader("metrics/1.jsonl", [METRICS], read_metrics),
    "ticket": Reader("0001-e_1.json", [TICKET], tickets.read),
    "manifest": Reader(MANIFEST_NAME, [MANIFEST], lambda path: list(manifest.Manifest(path).rows())),
    "mirror": Reader("mirror.json", [b'{"a": [1, 2, 3]}'], lambda path: mirror._read_known(path.parent)),
}  # fmt: skip
