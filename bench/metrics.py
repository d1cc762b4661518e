"""Logging and reading metrics: a million points of ``run.log``, beside MLflow's ``log_metric``."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import scriptrun.runtime
from bench import timing
from scriptrun.tracking import metric_series

POINTS = 1_000_000
#: MLflow logs fewer, and its figure is scaled
MLFLOW_POINTS = 2_000

OURS = """
import time
from scriptrun import Run
run = Run.get_context()
began = time.perf_counter()
for i in range({points}): run.log("loss", i * 0.37)
run.flush()
print(time.perf_counter() - began)
"""
MLFLOW = """
import sys, time, mlflow
mlflow.set_tracking_uri(sys.argv[1])
with mlflow.start_run():
    mlflow.log_metric("loss", 0.0, step=0)
    began = time.perf_counter()
    for i in range({points}): mlflow.log_metric("loss", i * 0.37, step=i)
    print(time.perf_counter() - began)
"""
LONE = """
import sys, time
from scriptrun import Run
run = Run.get_context()
sys.stdin.readline()
run.log("alone", time.time())
sys.stdin.readline()
"""


def measure() -> list[dict[str, object]]:
    """A million points, reading them back, and how soon one can be read."""
    with timing.own_places(memory=True) as place:
        folder = run_folder(place)
        write = statistics.median(logged(place, folder) for _ in range(3))
        began = time.perf_counter()
        assert len(metric_series.read(folder)["loss"]) == POINTS
        read = time.perf_counter() - began
        rows = [against_mlflow(place, write)]
        rows.append(timing.row("reading them back", read, "s", "logging them", write, "5 s"))
        lone = statistics.median(seen_after(place, run_folder(place)) for _ in range(5))
        rows.append(
            timing.row("one point, until it can be read", lone, "ms", "promised", 200.0, "200 ms")
        )
    return [found for found in rows if found]


def run_folder(place: Path) -> Path:
    """An empty run's folder, beside the runtime as a job finds it."""
    folder = place / "runs" / "2026-01-01" / "bench"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "events").mkdir(parents=True)
    runtime = Path(scriptrun.runtime.__file__).parent
    if not (place / "runtime").exists():
        shutil.copytree(runtime, place / "runtime" / "scriptrun" / "runtime")
        shutil.copy(
            runtime / "fronts" / "script_front.py", place / "runtime" / "scriptrun" / "__init__.py"
        )
    return folder


def environ(place: Path, folder: Path) -> dict[str, str]:
    """What a job's script sees."""
    names = {"SCRIPTRUN_RUN_ID": "bench", "SCRIPTRUN_RUN_FOLDER": str(folder)}
    return {**os.environ, **names, "PYTHONPATH": str(place / "runtime")}


def logged(place: Path, folder: Path) -> float:
    """Seconds for a million points, all of them on disk at the end."""
    shutil.rmtree(folder / "metrics", ignore_errors=True)
    command = [sys.executable, "-S", "-c", OURS.format(points=POINTS)]
    done = subprocess.run(
        command, env=environ(place, folder), capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def against_mlflow(place: Path, ours: float) -> dict[str, object]:
    """Our million points beside MLflow's, or alone where there is no MLflow."""
    name, target = f"{POINTS:,} points of run.log", "10 s"
    try:
        python = os.environ.get("BENCH_MLFLOW_PYTHON") or str(timing.references() / "python")
        theirs = mlflow_seconds(python, place) * POINTS / MLFLOW_POINTS
    except (OSError, subprocess.CalledProcessError) as problem:
        print(f"MLflow could not be measured beside it: {problem}", file=sys.stderr)
        return timing.row(name, ours, "s", "promised", 10.0, target)
    against = f"MLflow's log_metric, file store, {MLFLOW_POINTS:,} points scaled"
    return timing.row(name, ours, "s", against, theirs, target)


def mlflow_seconds(python: str, place: Path) -> float:
    """Seconds for MLflow's points in its file store, which needs no server, as ours."""
    store = place / "mlruns"
    quiet = {**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true", "GIT_PYTHON_REFRESH": "quiet"}
    done = subprocess.run(
        [python, "-c", MLFLOW.format(points=MLFLOW_POINTS), store.as_uri()],
        cwd=place,
        env=quiet,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.splitlines()[-1])


def seen_after(place: Path, folder: Path) -> float:
    """Milliseconds from logging one point in an idle script until a reader has it."""
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", LONE],
        env=environ(place, folder),
        stdin=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    with process:
        process.stdin.write("log\n")
        process.stdin.flush()
        follower = metric_series.Follower(folder)
        while not (points := follower.poll()):
            time.sleep(0.002)
        seen = time.time()
        process.stdin.write("end\n")
    return (seen - float(points[0].value)) * 1000
