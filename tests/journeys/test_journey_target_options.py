"""A user gives one run a time limit, a partition and other options of its cluster."""

from __future__ import annotations

import pytest

TRAIN = """
import argparse, os
from scriptrun import Run
parser = argparse.ArgumentParser()
parser.add_argument("--alpha", type=float, default=0.1)
run = Run.get_context()
run.log("accuracy", 1 - parser.parse_args().alpha)
print(os.environ.get("SLURM_JOB_PARTITION"), os.environ.get("SLURMD_NODENAME"))
"""


@pytest.fixture
def cluster(slurm, tmp_path_factory, request):
    """A user of a real Slurm cluster, whose target has a time limit of ten minutes."""
    user = request.getfixturevalue("user")
    user.writes("train.py", TRAIN)
    options = ["--partition", "main", "--cpus", "1", "--memory", "64M", "--time", "10"]
    user.does("compute", "add", "gpu", "--slurm", *options)
    return user


def batch_script(user, run="latest"):
    folder = user.does("show", run, "--json").json["folder"]
    with open(f"{folder}/slurm/1/job.sh", encoding="utf-8") as file:
        return file.read().splitlines()


@pytest.mark.slurm
@pytest.mark.slow
def test_a_run_on_slurm(cluster):
    own = ["--time", "2h", "--partition", "scavenge", "--sbatch", "--nodelist=n2"]
    plan = cluster.does("run", "--compute", "gpu", *own, "--plan", "train.py").out
    for line in ("--time=120", "--partition=scavenge", "--nodelist=n2"):
        assert f"#SBATCH {line}" in plan
    assert cluster.does("run", "--compute", "gpu", "train.py").out == "main n1\n"
    assert cluster.does("run", "--compute", "gpu", *own, "train.py").out == "scavenge n2\n"
    assert "#SBATCH --time=120" in batch_script(cluster)
    assert "partition=scavenge, --nodelist=n2, time=2h" in cluster.does("show").out
    difference = cluster.does("diff").out
    for line in ("- time 10", "+ time 2h", "- partition main", "+ partition scavenge"):
        assert line in difference.splitlines()

    assert cluster.does("rerun").out == "scavenge n2\n"
    assert "#SBATCH --time=120" in batch_script(cluster)
    done = cluster.does("rerun", "--partition", "main", "--time", "0:30:00")
    assert done.out == "main n2\n"
    assert "Changed: partition scavenge -> main; time 2h -> 0:30:00" in done.err
    assert "#SBATCH --time=0:30:00" in batch_script(cluster)


@pytest.mark.slurm
@pytest.mark.slow
def test_a_sweep_on_slurm(cluster):
    words = ["--param", "alpha=0.1,0.2", "--metric", "accuracy", "--sampling", "grid"]
    own = ["--compute", "gpu", "--partition", "scavenge"]
    cluster.does("sweep", "train.py", *words, *own)
    assert cluster.does("logs", "best:accuracy").out.startswith("scavenge ")


@pytest.mark.slurm
@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sbatch", "--output=x"], "--output is set by scriptrun"),
        (["--sbatch", "--array=1-3"], "use scriptrun sweep"),
        (["--sbatch", "--time=5"], "use --time"),
        (["--partition", "gpus"], "the cluster has no partition 'gpus'; partitions: closed, main"),
        (["--time", "2x"], "Invalid --time '2x'"),
        (["--time", "0"], "Invalid --time '0'"),
        (["--gres", "gpu:99"], "99 GPUs requested"),
    ],
)
def test_what_slurm_cannot_do_is_refused(cluster, words, message):
    done = cluster.types("run", "--compute", "gpu", *words, "train.py")
    assert done.code == 2 and message in done.err
    assert cluster.run_folders() == []


def test_this_machine_has_no_partitions(user):
    user.writes("train.py", TRAIN)
    words = ["--partition", "gpu", "--sbatch", "--exclusive"]
    done = user.types("run", *words, "train.py")
    assert done.code == 2
    assert "'local' (Local) does not accept the options extra, partition" in done.err
    assert not (user.here / ".scriptrun").exists()
    more = ["--param", "alpha=0.1,0.2", "--metric", "accuracy"]
    assert user.types("sweep", "train.py", *more, "--qos", "high").code == 2
    user.does("run", "train.py")
    assert "option gres" in user.types("rerun", "--gres", "gpu:1").err
    assert len(user.runs()) == 1


def test_the_time_limit_on_this_machine(user):
    user.writes("train.py", TRAIN)
    user.writes("wait.py", "import time\ntime.sleep(600)")
    limits = {"90": 5400, "2h": 7200, "1:30:00": 5400, "1-0": 86400, "1m30s": 90}
    for text, seconds in limits.items():
        assert f"at most {seconds} s" in user.does("run", "--time", text, "--plan", "train.py").out
    done = user.types("run", "--time", "1s", "wait.py")
    assert done.code == 1 and "max_run_duration_seconds=1" in done.err
    user.does("run", "--time", "2h", "train.py")
    done = user.does("rerun", "--time", "60")
    assert "Changed: max_run_duration_seconds 7200 -> 3600" in done.err


def test_in_python(user):
    user.writes("train.py", TRAIN)
    user.writes(
        "submit.py",
        "from scriptrun import Experiment, ScriptRunConfig, Workspace\n"
        "from scriptrun.exceptions import RunConfigurationException\n"
        "config = ScriptRunConfig('.', 'train.py')\n"
        "for options in ({'partition': 'gpu'}, ['partition'], {}):\n"
        "    config.target_options = options\n"
        "    try:\n"
        "        run = Experiment(Workspace.create('w', path='.', exist_ok=True), 'e').submit(config)\n"
        "    except RunConfigurationException as error:\n"
        "        print(error)\n"
        "run.wait_for_completion()\n"
        "print(run.status)\n",
    )
    first, *_, last = user.does("exec", "submit.py").out.splitlines()
    assert "does not accept the option partition" in first
    assert last == "Completed"
