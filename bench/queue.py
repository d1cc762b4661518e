"""A thousand short runs in the queue of a machine with two slots, beside ``xargs -P2``."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

from bench import timing

RUNS = int(os.environ.get("SCRIPTRUN_BENCH_RUNS", "1000"))
SUBMIT = f"""
import time
from scriptrun import Experiment, ScriptRunConfig, Workspace
workspace = Workspace.create("queue", path=".", exist_ok=True)
config = ScriptRunConfig(source_directory="source", script="train.py", compute_target="local")
began = time.time()
Experiment(workspace, "many").submit_many([config] * {RUNS})
print(began, time.time() - began)
"""


def measure() -> list[dict[str, object]]:
    """Rows on the queue's rate; one repeat, for it holds a thousand already."""
    with timing.own_places(memory=True) as place:
        (place / "source").mkdir()
        (place / "source" / "train.py").write_text("print('done')\n")
        python = str(timing.scriptrun() / "python")
        began, submitting = submit(python, place)
        results = all_results(place)
        ours = len(results) / (max(each["ended"] for each in results) - began)
        xargs = RUNS / plainly(python, place)
    return [
        timing.row("queued runs a second", ours, "/s", "xargs -P2", xargs, "ratio 0.25"),
        timing.row("submitting one of them", 1000 * submitting / RUNS, "ms", "xargs", 1000 / xargs),
        timing.row("runs alive at once", at_once(results), "", "slots", 2, "ratio 1"),
    ]


def submit(python: str, place: Path) -> tuple[float, float]:
    """When the first was submitted, and how many seconds submitting all took."""
    done = subprocess.run(
        [python, "-c", SUBMIT], cwd=place, check=True, stdout=subprocess.PIPE, text=True
    )
    began, took = done.stdout.split()
    return float(began), float(took)


def all_results(place: Path) -> list[dict[str, float]]:
    """Every run's result, waited for; all must have completed."""
    last = time.monotonic() + 600
    while True:
        found = list((place / ".scriptrun/runs").glob("*/*/attempts/1/result.json"))
        if len(found) == RUNS:
            break
        if time.monotonic() > last:
            raise TimeoutError(f"only {len(found)} of {RUNS} runs have ended")
        time.sleep(1)
    results = [json.loads(path.read_text("utf-8")) for path in found]
    wrong = [each for each in results if each["state"] != "Completed"]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {RUNS} runs did not complete: {wrong[0]}")
    return results


def plainly(python: str, place: Path) -> float:
    """Seconds that ``xargs -P2`` takes for as many."""
    numbers = "\n".join(map(str, range(RUNS)))
    began = time.perf_counter()
    subprocess.run(
        ["xargs", "-P2", "-n1", python, "source/train.py"],
        input=numbers,
        text=True,
        cwd=place,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def at_once(results: list[dict[str, float]]) -> int:
    """How many runs' lives overlapped, at most."""
    moments = [(each["began"], 1) for each in results] + [(each["ended"], -1) for each in results]
    alive, most = 0, 0
    for _, change in sorted(moments):
        alive += change
        most = max(most, alive)
    return most
