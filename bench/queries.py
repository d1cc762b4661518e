"""Questions to 100,000 runs: with a query, sorted by a metric, and grouped."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

from bench import timing

RUNS = int(os.environ.get("SCRIPTRUN_BENCH_LISTED", "100000"))
A_DAY = 500
QUESTIONS = {
    "failed, with a high alpha": ("state=failed and params.alpha>0.9", ""),
    "five conditions": (
        "state=completed and params.alpha>0.1 and metrics.loss<0.5 and tags.team~vis "
        "and submitted>2023-12-01",
        "",
    ),
    "nothing matches": ("metrics.loss<-1", ""),
    "the best by a metric": ("", "-metrics.loss"),
    "the best of those that match": ("params.alpha>0.5 and not tags.team=audio", "metrics.loss"),
    "a word in a name": ("nothing-has-this", ""),
}
ASK = """
import sys, time
from scriptrun import Workspace
from scriptrun.runs import search
workspace = Workspace(".")
search.search(workspace, limit=1)
began = time.perf_counter()
search.search(workspace, sys.argv[1], sys.argv[2] or None, limit=50)
print(time.perf_counter() - began)
"""
SCAN = """
import json, pathlib, time
began = time.perf_counter()
for path in pathlib.Path(".scriptrun/runs").glob("*/*/metrics/*.jsonl"):
    path.read_bytes()
print(time.perf_counter() - began)
"""


def measure() -> list[dict[str, object]]:
    """Rows on queries; the run folders lie in memory where that is possible."""
    with timing.own_places(memory=True) as place:
        python = str(timing.scriptrun() / "python")
        create = "from scriptrun import Workspace; Workspace.create('queries', path='.')"
        subprocess.run([python, "-c", create], cwd=place, check=True)
        fill(place / ".scriptrun" / "runs")
        inside(python, SCAN, place)
        began = time.perf_counter()
        inside(python, ASK, place, "", "")
        built = time.perf_counter() - began
        reading = inside(python, SCAN, place)
        rows = [
            timing.row(
                f"index of {RUNS:,} runs with metrics, built from nothing",
                built,
                "s",
                "reading every metrics file",
                reading,
                "120 s",
            )
        ]
        return [*rows, *(answered(python, place, name) for name in QUESTIONS)]


def answered(python: str, place: Path, name: str) -> dict[str, object]:
    """One question, against reading the metrics of all runs."""
    found = timing.alternate(
        {
            "ours": lambda: 1000 * inside(python, ASK, place, *QUESTIONS[name]),
            "reading": lambda: 1000 * inside(python, SCAN, place),
        },
        repeats=3,
    )
    against = ("reading every metrics file", found["reading"])
    return timing.row(f"{name}, of {RUNS:,} runs", found["ours"], "ms", *against, "300 ms")


def fill(runs: Path) -> None:
    """Make RUNS ended runs with arguments, tags and metrics, A_DAY on each day."""
    for number in range(RUNS):
        created = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1.7e9 + number * 86400 / A_DAY))
        folder = runs / created[:10] / f"query_{number}_{number:08x}"
        for inner in ("events", "metrics", "attempts/1"):
            os.makedirs(folder / inner, exist_ok=True)
        alpha, loss = number % 1000 / 1000, number * 7919 % 10007 / 10007
        state = "Failed" if number % 10 == 0 else "Completed"
        job = {
            **{"id": folder.name, "created": f"{created}.000000Z", "experiment": f"e{number % 7}"},
            **{"workspace": "queries", "script": "train.py", "format": 1},
            "arguments": ["--alpha", str(alpha), "--depth", str(number % 9), "--model", "resnet"],
            "tags": {"team": ("vision", "audio")[number % 2]},
        }
        lines = [
            json.dumps({"t": step, "m": name, "k": "scalar", "v": loss + 1 / (step + 1), "s": step})
            for step in range(5)
            for name in ("loss", "accuracy")
        ]
        result = {"format": 1, "state": state, "began": 1.7e9, "ended": 1.7e9 + number % 600}
        (folder / "job.json").write_text(json.dumps(job))
        (folder / "metrics" / "0-bench.jsonl").write_text("\n".join(lines) + "\n")
        (folder / "attempts" / "1" / "result.json").write_text(json.dumps(result))


def inside(python: str, code: str, place: Path, *words: str) -> float:
    """The seconds that ``code`` measured itself, in a fresh interpreter."""
    done = subprocess.run(
        [python, "-c", code, *words], cwd=place, check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout)
