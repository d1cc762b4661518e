"""What surviving a power cut costs: submissions and runs with syncs, beside the same without.

On the disk of the temporary directory, whose fsync of one small file is measured beside them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from bench import timing

#: prints the medians, in milliseconds, of a warm submission and of a run to its end
PROBE = """
import statistics, time
from scriptrun import Experiment, ScriptRunConfig, Workspace
from scriptrun.engines.local import engine
engine.allow_fork()
experiment = Experiment(Workspace.create("w", path=".", exist_ok=True), "e")
config = ScriptRunConfig("source", "train.py", compute_target="local")
experiment.submit(config).wait_for_completion()
submitted, ended = [], []
for _ in range(15):
    began = time.perf_counter()
    run = experiment.submit(config)
    submitted.append(1000 * (time.perf_counter() - began))
    run.wait_for_completion()
    ended.append(1000 * (time.perf_counter() - began))
    time.sleep(0.2)  # the launcher's own end is no part of the next
print(statistics.median(submitted), statistics.median(ended))
"""
FIGURES = ("a warm submission, in Python", "... to the run's end")


def measure() -> list[dict[str, object]]:
    """Rows on submissions and runs, and on the disk itself."""
    with timing.own_places() as place:
        (place / "source").mkdir()
        (place / "source" / "train.py").write_text("pass\n")
        found = [
            timing.alternate({"synced": side(place, n, "1"), "not": side(place, n, "0")}, 7)
            for n in range(len(FIGURES))
        ]
        disk = timing.fsync_milliseconds(place)
    rows = [
        timing.row(name, each["synced"], "ms", "SCRIPTRUN_FSYNC=0", each["not"], promised)
        for name, each, promised in zip(FIGURES, found, ("ratio 1.15", ""), strict=True)
    ]
    against = FIGURES[0]
    return [
        *rows,
        timing.row("one fsync of a small file", disk, "ms", against, found[0]["synced"]),
    ]


def side(place: Path, number: int, setting: str) -> Callable[[], float]:
    """What measures one of the figures with the variable set so."""
    command = [str(timing.scriptrun() / "python"), "-c", PROBE]

    def once() -> float:
        environ = {**os.environ, "SCRIPTRUN_FSYNC": setting}
        done = subprocess.run(
            command, cwd=place, env=environ, check=True, stdout=subprocess.PIPE, text=True
        )
        return float(done.stdout.split()[number])

    return once
