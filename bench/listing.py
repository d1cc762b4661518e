"""The newest 50 of 100,000 runs: from a warm index, and with the index built from nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from bench import timing

RUNS = int(os.environ.get("SCRIPTRUN_BENCH_LISTED", "100000"))
A_DAY = 500
NEWEST = """
import sys, time
from scriptrun.runs import find as browsing; from scriptrun import Workspace
workspace = Workspace(".")
began = time.perf_counter()
rows = browsing.rows(workspace, limit=50)
print(time.perf_counter() - began)
assert len(rows) == 50, rows
"""
READ_ALL = """
import json, pathlib, time
began = time.perf_counter()
for path in pathlib.Path(".scriptrun/runs").glob("*/*/job.json"):
    json.loads(path.read_bytes())
print(time.perf_counter() - began)
"""
FIRST = """
from scriptrun import Experiment, ScriptRunConfig, Workspace
workspace = Workspace.create("listing", path=".")
config = ScriptRunConfig(source_directory="source", script="train.py", arguments=["--rate", 0.1])
run = Experiment(workspace, "listing").submit(config)
run.wait_for_completion()
"""


def measure() -> list[dict[str, object]]:
    """Rows on listing; the run folders lie in memory where that is possible."""
    with timing.own_places(memory=True) as place:
        (place / "source").mkdir()
        (place / "source" / "train.py").write_text("print('done')\n")
        python = str(timing.scriptrun() / "python")
        subprocess.run([python, "-c", FIRST], cwd=place, check=True)
        multiply(place / ".scriptrun" / "runs")
        return [*rebuilding(python, place), *warm(python, place)]


def multiply(runs: Path) -> None:
    """Make RUNS run folders, all like the one that is there, on as many days as it takes."""
    (first,) = runs.glob("*/*/job.json")
    job = json.loads(first.read_bytes())
    files = {
        path.relative_to(first.parent): path.read_bytes()
        for path in first.parent.rglob("*")
        if path.suffix in (".json", ".jsonl") and path != first
    }
    for number in range(1, RUNS):
        created = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1.7e9 + number * 86400 / A_DAY))
        folder = runs / created[:10] / f"listing_{number}_{number:08x}"
        for inner in {"events", *(str(path.parent) for path in files)}:
            os.makedirs(folder / inner, exist_ok=True)
        for path, content in files.items():
            (folder / path).write_bytes(content)
        made = {**job, "id": folder.name, "created": f"{created}.000000Z"}
        (folder / "job.json").write_text(json.dumps(made))


def inside(python: str, code: str, place: Path) -> float:
    """The seconds that ``code`` measured itself, in a fresh interpreter."""
    done = subprocess.run(
        [python, "-c", code], cwd=place, check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout)


def rebuilding(python: str, place: Path) -> list[dict[str, object]]:
    """The first listing, which builds the index; it is thrown away before each turn."""

    def rebuilt() -> float:
        shutil.rmtree(Path(os.environ["SCRIPTRUN_CACHE"], "index"), ignore_errors=True)
        return inside(python, NEWEST, place)

    sides: dict[str, Callable[[], float]] = {
        "ours": rebuilt,
        "reading": lambda: inside(python, READ_ALL, place),
    }
    found = timing.alternate(sides, repeats=3)
    name = f"index of {RUNS:,} runs, built from nothing"
    against = "reading every job.json"
    return [timing.row(name, found["ours"], "s", against, found["reading"], "60 s")]


def warm(python: str, place: Path) -> list[dict[str, object]]:
    """The listing itself, and the whole command."""
    tool = str(timing.scriptrun() / "scriptrun")
    found = timing.alternate(
        {
            "ours": lambda: 1000 * inside(python, NEWEST, place),
            "command": lambda: 1000 * timing.seconds([tool, "list", "--limit", "50"], cwd=place),
            "find": lambda: 1000 * timing.seconds(FIND, cwd=place),
            "empty": lambda: 1000 * timing.seconds([python, "-c", "pass"]),
        }
    )
    name = f"newest 50 of {RUNS:,} runs"
    find = (" ".join(FIND), found["find"])
    return [
        timing.row(name, found["ours"], "ms", *find, "100 ms"),
        timing.row(
            "... the whole command", found["command"], "ms", "python -c pass", found["empty"]
        ),
    ]


FIND = ["find", ".scriptrun/runs", "-maxdepth", "2"]
