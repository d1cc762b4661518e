"""Options that a run sets for itself: what sbatch gets, what is recorded, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scriptrun import Experiment, ScriptRunConfig
from scriptrun.engines import time_limits
from scriptrun.engines.slurm import cluster, reserved_options, script
from scriptrun.engines.slurm.engine import Slurm
from scriptrun.engines.slurm.options import SlurmOptions
from scriptrun.registry import compute_targets
from scriptrun.spec.errors import ComputeTargetException, RunConfigurationException
from scriptrun.spec.job import JobSpec, Target
from scriptrun.testing.jobs import Bench, wait


@pytest.mark.parametrize(
    ("text", "slurm"),
    [("90", "90"), ("2-0", "2-0"), ("2h", "120"), ("1h30m", "90"), ("90s", "0:01:30"), ("1d", "1440")],
)  # fmt: skip
def test_time_as_slurm_writes_it(text, slurm):
    assert time_limits.slurm_text(text) == slurm
    assert time_limits.minutes_of(slurm) == time_limits.minutes_of(text)
    job = JobSpec("a", "e", "w", "now", script="train.py")
    assert f"#SBATCH --time={slurm}\n" in script.script(
        SlurmOptions(time=text), job, script.attempt_folder(Path("/x")), None
    )


@pytest.mark.parametrize(
    "option",
    ["--output=x", "-o x", "-ox", "--outp=x", "--array=1-3", "-a 1", "--wrap=true", "-J x", "--job-name=x",
     "--exclusive --error=x", "-t 5", "--time=5", "-p main", "--nodes=2", "--export=ALL", "--comment x",
     "-HN4", "-vp gpu", "-vvvN 2", "-sQ", "-HIkOsvt5", "-H -N4", "-Hh"],
)  # fmt: skip
def test_options_that_scriptrun_sets_are_refused(option):
    (problem,) = reserved_options.problems(option)
    assert "is set by scriptrun" in problem
    assert problem in cluster._option_problems(SlurmOptions(extra=(option,)))


@pytest.mark.parametrize(
    "option",
    ["--constraint=ib", "-C ib", "--exclusive", "--nodelist=n1", "--mem=4G", "--gres=gpu:1", "--wait-all-nodes=1",
     "--mail-type=END --mail-user=me", "--gres-flags=x", "--time-min=5", "--reservation='a b'", "-H", "-Hv", "-CN4", "-HCN4",
     "-sC ib"],
)  # fmt: skip
def test_other_options_are_accepted(option):
    assert reserved_options.problems(option) == []


@pytest.mark.parametrize("option", ["exclusive", "--x\n#SBATCH --output=y", "--x='", ""])
def test_what_is_no_option(option):
    (problem,) = reserved_options.problems(option)
    assert "invalid sbatch option" in problem


def test_a_runs_options_come_before_those_of_the_target():
    target = Target("gpu", "Slurm", {"partition": "a", "time": "60", "extra": ["--exclusive"]})
    options = {"time": "2h", "extra": ["--constraint=ib"]}
    merged = compute_targets.with_run_options(target, options)
    assert merged.options == {
        "partition": "a",
        "time": "2h",
        "extra": ["--exclusive", "--constraint=ib"],
    }
    assert merged.run_options == {"time": "2h", "extra": ["--constraint=ib"]}
    again = compute_targets.with_run_options(merged, {"time": "5"})
    assert again.run_options == {"time": "5", "extra": ["--constraint=ib"]}
    assert Target.from_dict(again.as_dict()) == again
    assert "run_options" not in target.as_dict()
    assert compute_targets.with_run_options(target, {}) is target


def test_what_a_target_does_not_accept():
    with pytest.raises(ComputeTargetException, match=r"'local'.* option partition") as error:
        compute_targets.with_run_options(Target(), {"partition": "a"})
    assert "--compute" in error.value.hint
    gpu = Target("gpu", "Slurm")
    with pytest.raises(ComputeTargetException, match="options partitoin, root") as error:
        compute_targets.with_run_options(gpu, {"root": "/", "partitoin": "a"})
    assert "Did you mean 'partition'?" in error.value.hint
    with pytest.raises(ComputeTargetException, match="expected text"):
        compute_targets.with_run_options(gpu, {"qos": 3})
    problems = cluster._option_problems(SlurmOptions(qos="a\n#SBATCH --output=x", partition=""))
    assert len(problems) == 2


@pytest.fixture
def bench(tmp_path, slurm):
    yield Bench(tmp_path, Slurm(partition="main", cpus=1, memory="64M", time="10"))
    slurm.clear()


def squeue(run, field):
    (job_id,) = run.get_details()["jobIds"]
    argv = ["squeue", "--noheader", f"--jobs={job_id}", f"--format={field}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slurm
@pytest.mark.slow
def test_slurm_is_told(bench, tmp_path):
    folder = bench.source(
        f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}):\n    time.sleep(0.05)"
    )
    config = ScriptRunConfig(folder, "job.py", compute_target=bench.target)
    config.target_options = {"time": "30m", "extra": ["--nodelist=n2"]}
    run = Experiment(bench.workspace, "own").submit(config)
    assert (squeue(run, "%l"), squeue(run, "%n")) == ("30:00", "n2")
    (tmp_path / "go").touch()
    assert wait(run) == "Completed"
    assert run.get_details()["nodes"] == ["n2"]
    assert run.get_details()["targetOptions"] == config.target_options
    again = run.rerun(target_options={"time": "20"})
    assert wait(again) == "Completed"
    assert again.job.target.options["time"] == "20"
    assert again.get_details()["nodes"] == ["n2"]
    assert "#SBATCH --time=20\n" in (again.path / "slurm" / "1" / "job.sh").read_text()
    config.target_options = {"extra": ["--output=x"], "qos": "a\nb"}
    with pytest.raises(RunConfigurationException) as error:
        Experiment(bench.workspace, "own").submit(config)
    assert "--output is set by scriptrun" in str(error.value)
