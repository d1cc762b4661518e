"""Jobs in containers on a real Slurm cluster, whose nodes have a store of their own."""

from __future__ import annotations

import json
import shutil

import pytest
from pods import BASE, own, short_path

from scriptrun.config.distributed import PyTorchConfiguration
from scriptrun.config.environments.environment import Environment
from scriptrun.config.script_run_config import ScriptRunConfig
from scriptrun.core.experiment import Experiment
from scriptrun.engines.slurm.engine import Slurm
from scriptrun.spec.errors import RunConfigurationException
from scriptrun.testing.jobs import TIME_TO_SAVE, Bench, log_of, log_of_rank, until, wait

pytestmark = [pytest.mark.podman, pytest.mark.slurm]

TELLS = """
import json, os, sys
from scriptrun import Run
Run.get_context().log("seen", 1)
print(json.dumps([sys.executable, os.getcwd(), os.environ["WORD"], sys.argv[1], os.getuid()]))
"""
RANKS = "import os\nprint(os.environ['RANK'], 'of', os.environ['WORLD_SIZE'])"
SAVES = """
import signal, sys, time
def save(*_):
    open("outputs/saved", "w").write("yes")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
import os
os.makedirs("outputs", exist_ok=True)
print("began", flush=True)
time.sleep(3600)
"""
ODD = 'a "b" $HOME\n%j é'


@pytest.fixture
def bench(tmp_path, slurm, podman):
    return Bench(tmp_path)


def config(bench, target, code, arguments=(), **how):
    environment = Environment.from_docker_image("base", BASE)
    environment.python.user_managed_dependencies = True
    environment.environment_variables = {"WORD": ODD, **TIME_TO_SAVE}
    return ScriptRunConfig(
        str(bench.source(code)),
        "job.py",
        list(arguments),
        compute_target=target,
        environment=environment,
        **how,
    )


def submit(bench, *args, **how):
    return Experiment(bench.workspace, "slurm").submit(config(bench, *args, **how))


def passes(bench, target, slurm):
    """A job that tells, one that fails, one that is killed, and one that is canceled and saves."""
    run = submit(bench, target, TELLS, [ODD])
    assert wait(run) == "Completed", run.standing.reason + log_of(run)
    python, here, word, argument, _ = json.loads(log_of(run))
    assert (python, here) == ("/usr/local/bin/python", str(run.path / "work"))
    assert word == argument == ODD
    assert run.get_metrics() == {"seen": 1}

    ranks = PyTorchConfiguration("Gloo", process_count=4, node_count=2)
    two = submit(bench, target, RANKS, distributed_job_config=ranks)
    ends = [
        submit(bench, target, f"import os, sys\n{line}")
        for line in ("sys.exit(7)", "os.kill(os.getpid(), 9)")
    ]
    assert [wait(each) for each in ends] == ["Failed", "Failed"]
    assert wait(two) == "Completed", two.standing.reason
    assert [log_of_rank(two, rank) for rank in range(4)] == [f"{rank} of 4\n" for rank in range(4)]
    assert "exited with code 7" in ends[0].standing.reason
    assert "SIGKILL" in ends[1].standing.reason

    saves = submit(bench, target, SAVES)
    until(lambda: "began" in log_of(saves), "it has not begun")
    saves.cancel()
    assert wait(saves) == "Canceled"
    assert (saves.path / "outputs" / "saved").read_text() == "yes"


def test_podman_on_nodes_that_have_to_load_the_image(bench, slurm):
    root = short_path()
    program = own.bring_up(root, images=())
    target = Slurm(containers="podman", setup=(f"export SCRIPTRUN_CONTAINER_TOOL={program}",))
    try:
        passes(bench, target, slurm)
    finally:
        own.end(root)


def test_apptainer(bench, slurm):
    if not shutil.which("apptainer"):
        pytest.skip("only on machines with apptainer")
    passes(bench, Slurm(containers="apptainer", setup=("unset SCRIPTRUN_CONTAINER_TOOL",)), slurm)


def test_what_the_target_does_not_say_is_refused(bench, slurm):
    with pytest.raises(RunConfigurationException, match="--containers TOOL"):
        submit(bench, Slurm(), TELLS)
    with pytest.raises(RunConfigurationException, match="use one of podman, apptainer, enroot"):
        submit(bench, Slurm(containers="docker"), TELLS)
