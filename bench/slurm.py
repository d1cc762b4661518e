"""Slurm: from submitting to the first line beside plain sbatch, and many runs as one array."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from bench import timing

sys.path.insert(0, str(timing.ROOT / "ci" / "slurm"))
import cluster as clusters

from scriptrun import Environment, Experiment, ScriptRunConfig, Workspace
from scriptrun.engines.base import ALIVE, QUEUED
from scriptrun.engines.slurm import commands as slurm_commands
from scriptrun.engines.slurm.engine import Slurm

#: runs of one array, and active ones that one look is to tell of
MANY, ACTIVE = 500, 1000


def measure() -> list[dict[str, object]]:
    """Rows on one run and on many; a cluster of two nodes is brought up for it."""
    with timing.own_places(memory=True) as place, clusters.Cluster(place / "slurm", nodes=2) as up:
        os.environ.update(up.environ)
        (place / "source").mkdir()
        (place / "source" / "train.py").write_text(
            "import sys, time\nopen(sys.argv[1], 'w').write(repr(time.time()))\n"
        )
        workspace = Workspace.create("slurm", path=place)
        found = timing.alternate(
            {"ours": lambda: ours(workspace, place), "sbatch": lambda: plainly(place)}, 5
        )
        took, asked = many(workspace, place)
        up.clear()
    return [
        timing.row(
            "from submitting to the first line, beyond sbatch's",
            max(0.0, found["ours"] - found["sbatch"]),
            "s",
            "promised",
            1.0,
            "ratio 1",
        ),
        timing.row("the whole of it", found["ours"], "s", "sbatch --wrap", found["sbatch"]),
        timing.row(f"{MANY} runs submitted together", took, "s", "promised", 10, "ratio 1"),
        timing.row(
            f"calls of squeue for a look at {ACTIVE} active runs",
            asked,
            "",
            "promised",
            1,
            "ratio 1",
        ),
    ]


def config(place: Path, target: Path) -> ScriptRunConfig:
    """The script in an interpreter that is there."""
    environment = Environment("bench")
    environment.python.user_managed_dependencies = True
    cluster = Slurm(partition="main", cpus=1, memory="32M")
    return ScriptRunConfig(
        place / "source", "train.py", [str(target)], compute_target=cluster, environment=environment
    )


def ours(workspace: Workspace, place: Path) -> float:
    """Seconds from submitting to the script's first line."""
    mark = place / "mark"
    mark.unlink(missing_ok=True)
    job = config(place, mark)
    began = time.time()
    run = Experiment(workspace, "bench").submit(job)
    run.wait_for_completion()
    return float(mark.read_text()) - began


def plainly(place: Path) -> float:
    """The same by sbatch itself."""
    mark = place / "mark"
    mark.unlink(missing_ok=True)
    line = f"{sys.executable} {place / 'source' / 'train.py'} {mark}"
    began = time.time()
    command = ["sbatch", "--parsable", "--mem=32M", "-o", "/dev/null", "--wait", "--wrap", line]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return float(mark.read_text()) - began


def many(workspace: Workspace, place: Path) -> tuple[float, int]:
    """Seconds for submitting many at once, and how often squeue is called to look at all."""
    job = config(place, place / "mark")
    began = time.perf_counter()
    runs = Experiment(workspace, "many").submit_many([job] * MANY)
    took = time.perf_counter() - began
    runs += Experiment(workspace, "more").submit_many([job] * (ACTIVE - MANY))
    calls: list[list[str]] = []
    ask = slurm_commands.run

    def counted(argv: list[str], ssh: str | None = None) -> object:
        calls.append(argv)
        return ask(argv, ssh)

    slurm_commands.run = counted  # type: ignore[assignment]
    try:
        views = Slurm(partition="main").poll([run.path for run in runs])
    finally:
        slurm_commands.run = ask
    assert all(view.state in (QUEUED, ALIVE) for view in views[MANY:]), "they are no more active"
    for run in runs[::-1]:
        (run.path / "cancel.json").touch()
    return took, sum(1 for argv in calls if argv[0] == "squeue")
