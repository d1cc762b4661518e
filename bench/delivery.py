"""Handing a job its data: a dataset of 10,000 files that the machine has in its cache."""

from __future__ import annotations

import json
import os
import statistics
import sys
from pathlib import Path

from bench import timing
from scriptrun import Dataset, Datastore, Experiment, Run, ScriptRunConfig, Workspace

sys.path.insert(0, str(timing.ROOT / "tests" / "data"))
import servers

FILES, REPEATS = 10_000, 7


def measure() -> list[dict[str, object]]:
    """Rows on the time from the run's preparation to its start, with the helper's own start."""
    with timing.own_places(memory=True) as place:
        os.environ["SCRIPTRUN_SECRETS"] = str(place / "secrets")
        os.environ["SCRIPTRUN_SECRET_BENCH"] = servers.S3_KEYS
        folder = place / "s3" / "shared"
        for number in range(FILES):
            path = folder / str(number % 100) / f"{number}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * 100)
        (place / "source").mkdir()
        (place / "source" / "train.py").write_text("print('done')\n")
        workspace = Workspace.create("delivery", path=place)
        with servers.s3(place / "s3") as address:
            store = Datastore.register_s3(
                workspace, "s3", "shared", endpoint=address, secret="bench"
            )
            away = Dataset.File.from_files(store).register(workspace, "away")
            here = Datastore.register_local(workspace, "here", folder)
            local = Dataset.File.from_files(here).register(workspace, "local")
            found = {
                "cached": seconds(workspace, place / "source", away.as_download()),
                "local": seconds(workspace, place / "source", local.as_mount()),
            }
    return [
        timing.row(f"{FILES:,} files handed over, {name}", took, "s", "promised", 0.3, "ratio 1")
        for name, took in found.items()
    ]


def seconds(workspace: Workspace, source: Path, data: object) -> float:
    """The median time between Preparing and Running, once the data is here."""
    config = ScriptRunConfig(source, "train.py", arguments=[data], compute_target="local")
    times = []
    for _ in range(REPEATS + 1):
        run = Experiment(workspace, "delivery").submit(config)
        run.wait_for_completion()
        times.append(between(run))
    return statistics.median(times[1:])


def between(run: Run) -> float:
    """Seconds from the state Preparing to the state Running."""
    events = (run.path / "events" / "node-0.jsonl").read_text("utf-8").splitlines()
    at = {each["state"]: each["t"] for each in map(json.loads, events) if "state" in each}
    return at["Running"] - at["Preparing"]
