"""Runs that are submitted together go to a real Slurm as one array."""

from __future__ import annotations

import json

import pytest

from scriptrun import Experiment, ScriptRunConfig
from scriptrun.engines.slurm.engine import Slurm
from scriptrun.runtime import files
from scriptrun.testing.jobs import Bench, log_of, wait

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@pytest.fixture
def bench(tmp_path, slurm):
    yield Bench(tmp_path, Slurm(partition="main", cpus=1, memory="64M"))
    slurm.clear()


def configs(bench, count, **more):
    folder = bench.source("import sys\nprint(sys.argv[1:])\nsys.exit(int(sys.argv[1]) == 2)")
    made = [
        ScriptRunConfig(folder, "job.py", [number, "a b", "%a"], compute_target=bench.target)
        for number in range(count)
    ]
    for config in made:
        for name, value in more.items():
            setattr(config, name, value)
    return made


def handle(run):
    return files.read_json(str(run.path / "slurm" / "1" / "job.json"))["job"]


def test_one_array_with_each_run_on_its_own(bench):
    runs = Experiment(bench.workspace, "many").submit_many(configs(bench, 5), {"kind": "trial"})
    numbers = [handle(run) for run in runs]
    assert len({number.partition("_")[0] for number in numbers}) == 1
    assert [number.partition("_")[2] for number in numbers] == list("01234")
    states = [wait(run) for run in runs]
    assert states == ["Completed", "Completed", "Failed", "Completed", "Completed"]
    assert [log_of(run) for run in runs] == [f"{[str(n), 'a b', '%a']}\n" for n in range(5)]
    assert all(run.get_tags() == {"kind": "trial"} for run in runs)
    assert "exited with code 1" in runs[2].standing.reason
    assert len({run.job.snapshot for run in runs}) == 1


def test_one_of_an_array_is_canceled_alone(bench, slurm, tmp_path):
    folder = bench.source(f"import time, os\nwhile not os.path.exists({str(tmp_path / 'go')!r}):\n"
                          "    time.sleep(0.05)")  # fmt: skip
    made = [ScriptRunConfig(folder, "job.py", compute_target=bench.target) for _ in range(3)]
    runs = Experiment(bench.workspace, "many").submit_many(made)
    runs[1].cancel()
    assert wait(runs[1]) == "Canceled"
    (tmp_path / "go").touch()
    assert [wait(runs[0]), wait(runs[2])] == ["Completed"] * 2


def test_runs_that_differ_in_what_they_ask_go_in_arrays_of_their_own(bench):
    few = configs(bench, 2)
    more = configs(bench, 2, cpus=2)
    alone = configs(bench, 1, retries=1)
    runs = Experiment(bench.workspace, "many").submit_many([*few, *more, *alone])
    numbers = [handle(run).partition("_")[0] for run in runs]
    assert numbers[0] == numbers[1] != numbers[2] == numbers[3] != numbers[4]
    assert "_" not in handle(runs[4])
    assert [wait(run) for run in runs] == ["Completed"] * 5


def test_the_arrays_order_holds_no_value_that_was_passed_on(bench, monkeypatch):
    from scriptrun.submission.check import Origin, check

    monkeypatch.setenv("TOKEN", "s3cr3t-value")
    from scriptrun.submission import batch

    origin = Origin(passed=("TOKEN",))
    source = bench.source("import os\nprint(os.environ['TOKEN'])")
    config = ScriptRunConfig(source, "job.py", compute_target=bench.target)
    submissions = [check(config, bench.workspace, "many", origin=origin) for _ in range(2)]
    from scriptrun import Run

    runs = [
        Run.at(bench.workspace, each) for each in batch.submit_all(submissions, bench.workspace)
    ]
    assert [wait(run) for run in runs] == ["Completed"] * 2
    assert [log_of(run) for run in runs] == ["s3cr3t-value\n"] * 2
    for path in (bench.workspace.directory / "slurm").rglob("*"):
        assert path.is_dir() or b"s3cr3t-value" not in path.read_bytes()
    order = next((bench.workspace.directory / "slurm").glob("*/order.json"))
    assert len(json.loads(order.read_text())["runs"]) == 2
