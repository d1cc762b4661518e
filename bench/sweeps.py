"""Sweeps: the driver's cost beside the plain queue and Optuna's own study; ten thousand runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from bench import timing

RUNS = int(os.environ.get("SCRIPTRUN_BENCH_RUNS", "1000"))
MANY = 10_000
QUEUE = f"""
import time
from scriptrun import Experiment, ScriptRunConfig, Workspace
workspace = Workspace.create("queue", path=".", exist_ok=True)
configs = [
    ScriptRunConfig("source", "train.py", ["--x", number]) for number in range({RUNS})
]
print(time.time())
Experiment(workspace, "many").submit_many(configs)
"""
SWEEP = f"""
import time
from scriptrun import *
workspace = Workspace.create("sweep", path=".", exist_ok=True)
config = HyperDriveConfig(
    RandomParameterSampling({{"x": uniform(0, 1)}}), "accuracy", PrimaryMetricGoal.MAXIMIZE, {RUNS},
    max_concurrent_runs=2, run_config=ScriptRunConfig("source", "train.py"))
print(time.time())
Experiment(workspace, "many").submit(config)
"""
STUDY = f"""
import subprocess, sys, time
import optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
def objective(trial):
    x = trial.suggest_float("x", 0, 1)
    subprocess.run([sys.executable, "source/train.py", "--x", str(x)], check=True)
    return x
study = optuna.create_study(
    storage="sqlite:///study.db", sampler=optuna.samplers.RandomSampler(), direction="maximize")
began = time.perf_counter()
study.optimize(objective, n_trials={RUNS}, n_jobs=2)
print(time.perf_counter() - began)
"""


def measure() -> list[dict[str, object]]:
    """Rows on sweeps; one repeat of the long ones, for they hold a thousand runs already."""
    python = str(timing.scriptrun() / "python")
    queue = submitted(python, QUEUE)
    ours = submitted(python, SWEEP)
    found = many()
    return [
        timing.row(
            f"a sweep of {RUNS:,} runs that do nothing, 2 at once",
            ours, "s", "the plain queue", queue, "ratio 1.2",
        ),
        timing.row("the same", ours, "s", "Optuna's study with subprocesses", study(), ""),
        timing.row("the best of 10,000 runs", 1000 * found[0], "ms", "promised", 300, "300 ms"),
        timing.row("10,000 runs in order", 1000 * found[1], "ms", "promised", 300, "300 ms"),
        *model(),
    ]  # fmt: skip


def submitted(python: str, code: str) -> float:
    """Seconds from the submission to the end of the last run."""
    with timing.own_places(memory=True) as place:
        (place / "source").mkdir()
        (place / "source" / "train.py").write_text("print('done')\n")
        done = subprocess.run(
            [python, "-c", code], cwd=place, check=True, stdout=subprocess.PIPE, text=True
        )
        began = float(done.stdout)
        return max(each["ended"] for each in ends(place)) - began


def ends(place: Path) -> list[dict[str, float]]:
    """The results of all runs but the sweep's own, once they are there."""
    runs = place / ".scriptrun/runs"
    last = time.monotonic() + 600
    while time.monotonic() < last:
        found = [path for path in runs.glob("*/*/attempts/1/result.json") if is_run(path)]
        if len(found) == RUNS:
            return [json.loads(path.read_text("utf-8")) for path in found]
        time.sleep(1)
    raise TimeoutError("not all runs have ended")


def is_run(result: Path) -> bool:
    """Whether a result is that of a run, and not of a sweep."""
    return not (result.parents[2] / "sweep.json").exists()


def study() -> float:
    """Seconds of Optuna's own study, whose trials are subprocesses."""
    python = str(timing.environment("optuna", "optuna") / "python")
    with timing.own_places(memory=True) as place:
        (place / "source").mkdir()
        (place / "source" / "train.py").write_text("print('done')\n")
        done = subprocess.run(
            [python, "-c", STUDY], cwd=place, check=True, stdout=subprocess.PIPE, text=True
        )
        return float(done.stdout.split()[-1])


LOOK = """
import sys, time
from scriptrun import Run, Workspace
sweep = Run.get(Workspace("."), "HD_many")
began = time.perf_counter()
best = sweep.get_best_run_by_primary_metric()
half = time.perf_counter()
rows = sweep.get_children_sorted_by_primary_metric()
print(half - began, time.perf_counter() - half)
assert len(rows) == 10000 and rows[0]["run_id"] == best.id
"""


def many() -> tuple[float, float]:
    """Seconds for the best run of ten thousand, and for all in order: the medians of five."""
    python = str(timing.scriptrun() / "python")
    with timing.own_places(memory=True) as place:
        subprocess.run([python, "-c", MAKE, str(MANY)], cwd=place, check=True)
        figures = []
        for _ in range(5):
            done = subprocess.run(
                [python, "-c", LOOK], cwd=place, check=True, stdout=subprocess.PIPE, text=True
            )
            figures.append([float(each) for each in done.stdout.split()])
        best, listed = zip(*figures, strict=True)
        return sorted(best)[2], sorted(listed)[2]


#: a sweep that has ended, with as many runs as the argument says; only the best has a folder
MAKE = """
import json, sys, os
from pathlib import Path
from scriptrun import *
from scriptrun.spec.job import JobSpec
from scriptrun.sweeps import submit as submitting; from scriptrun.sweeps import record
from scriptrun.sweeps.journal import Child, Journal
from scriptrun.tracking import run_folder as folders
from scriptrun.submission.submit import now
from scriptrun.runtime import results
workspace = Workspace.create("many", path=".")
created = now()
job = JobSpec("HD_many", "many", "many", created, kind="hyperdrive")
folder = folders.make(workspace.runs_folder, job)
sweep = record.Sweep(
    {"name": "RANDOM", "space": {"--lr": ["uniform", [0, 1]], "size": ["choice", [[1, 2, 3]]]},
     "properties": {}},
    {"name": "Default", "properties": {}}, "accuracy", "maximize",
    {"max_total_runs": int(sys.argv[1])}, 1)
record.write(folder, sweep)
journal = Journal(folder)
for number in range(int(sys.argv[1])):
    child = Child(number, f"HD_many_{number}", {"--lr": number / 7e5, "size": 3}, created)
    journal.add(child)
    child.state, child.best, child.values = "Completed", (number * 7919 % 10007) / 10007, 5
    child.began = child.ended = 1.0
    journal.end(child)
    made = folders.make(workspace.runs_folder, job.replace(id=child.id, kind="azureml.scriptrun"))
    folders.publish(made, job.replace(id=child.id, kind="azureml.scriptrun", parent="HD_many"))
Path(folder, "attempts", "1").mkdir(parents=True)
results.publish(str(folder), 1, results.result("Completed"))
folders.publish(folder, job)
"""


def model() -> list[dict[str, object]]:
    """Registering a model of 2 GiB beside ``cp``, in memory; and what its digest alone takes."""
    python = str(timing.scriptrun() / "python")
    with timing.own_places(memory=True) as place:
        whole = place / "model.bin"
        with open(whole, "wb") as handle:
            for _ in range(GIB * 64):
                handle.write(os.urandom(16 << 20))

        def register() -> float:
            shutil.rmtree(place / ".scriptrun", ignore_errors=True)
            done = subprocess.run(
                [python, "-c", REGISTER], cwd=place, check=True, stdout=subprocess.PIPE, text=True
            )
            return float(done.stdout)

        def copy() -> float:
            shutil.rmtree(place / ".scriptrun", ignore_errors=True)
            (place / "copy.bin").unlink(missing_ok=True)
            taken = timing.seconds(["cp", "model.bin", "copy.bin"], cwd=place)
            (place / "copy.bin").unlink()
            return taken

        def digest() -> float:
            return timing.seconds([python, "-c", DIGEST], cwd=place)

        figures = timing.alternate({"ours": register, "cp": copy, "digest": digest}, 3)
    return [
        timing.row("registering 2 GiB", figures["ours"], "s", "cp", figures["cp"], "ratio 1.5"),
        timing.row("the same", figures["ours"], "s", "its SHA-256 alone", figures["digest"], ""),
    ]


GIB = 2
REGISTER = """
import time
from scriptrun import Model, Workspace
workspace = Workspace.create("models", path=".", exist_ok=True)
began = time.perf_counter()
Model.register(workspace, "model.bin", "large")
print(time.perf_counter() - began)
"""
DIGEST = """
import hashlib
with open("model.bin", "rb", buffering=0) as handle:
    hashlib.file_digest(handle, "sha256")
"""
