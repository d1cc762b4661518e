"""Several ranks on this machine: what ends them, what is told of it, and real libraries."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from scriptrun import Experiment, ScriptRunConfig
from scriptrun.config.distributed import MpiConfiguration, PyTorchConfiguration
from scriptrun.runtime import files
from scriptrun.spec.errors import RunConfigurationException
from scriptrun.spec.job import Resources
from scriptrun.testing.jobs import Bench, kill, living, log_of_rank, until, wait
from scriptrun.testing.ranks import SHOWS, rank_report
from scriptrun.tracking import events

WAITS = """
import os, sys, time
def hangs_in_here():
    print("rank", os.environ["RANK"], "waits", flush=True)
    open(f"{sys.argv[1]}/{os.environ['RANK']}", "w").write(str(os.getpid()))
    time.sleep(3600)
hangs_in_here()
"""
GLOO = """
import torch
import torch.distributed as dist
dist.init_process_group("gloo", init_method="env://")
value = torch.tensor([float(dist.get_rank() + 1)])
dist.all_reduce(value)
print(dist.get_rank(), dist.get_world_size(), value.item())
dist.destroy_process_group()
"""


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.fixture
def waiting(bench):
    """A rehearsal of two nodes with two ranks each, all of which wait; and their pids by rank."""
    place = bench.root / "marks"
    place.mkdir()
    run = bench.submit(WAITS, [place.as_posix()], pytorch=[4, 2])
    until(lambda: len([p for p in place.glob("?") if p.read_text()]) == 4, "they have not begun")
    yield run, {int(path.name): int(path.read_text()) for path in place.glob("?")}
    run.cancel()
    wait(run)
    until(lambda: not living(place.as_posix()), "some live on")


def test_a_rank_that_is_killed_ends_the_others(waiting):
    run, pids = waiting
    os.kill(pids[3], signal.SIGKILL)
    assert wait(run) == "Failed"
    assert "rank 3 (node 1)" in run.standing.reason and "SIGKILL" in run.standing.reason
    result = files.read_json(str(run.path / "attempts" / "1" / "result.json"))
    assert result["tail"] == ["rank 3 waits"]
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids.values()), "some live on")


@pytest.mark.parametrize("who", ["launcher", "guard"])
@pytest.mark.parametrize("node", [0, 1])
def test_a_node_whose_keeper_is_killed_does_not_hold_the_run(waiting, who, node):
    run, _ = waiting
    if who == "guard":
        kill(files.read_json(str(run.path / f"attempts/1/node-{node}.start.json"))["pid"])
        run.cancel()
        assert wait(run) == "Canceled"
        return
    began = [
        event
        for event in events.read(run.path)
        if event["kind"] == "began" and event["node"] == node
    ]
    kill(began[0]["launcher"]["pid"])
    assert wait(run) == "Failed"
    assert "SIGKILL" in run.standing.reason


def test_hanging_ranks_leave_their_stacks(bench):
    place = bench.root / "marks"
    place.mkdir()

    def came(run):
        logs = [path.read_text() for path in run.path.glob("user_logs/std_log*.txt")]
        hang = sum("waits" in each for each in logs) == 2
        return hang and "py-spy timed out after" not in stacks_of(run)

    run = bench.overrun(WAITS, [place.as_posix()], pytorch=[2, 1], came=came)
    assert run.get_status() == "Failed"
    assert "max_run_duration_seconds" in run.standing.reason
    assert stacks_of(run).count("hangs_in_here") == 2


def stacks_of(run):
    return (run.path / "system_logs" / "stacks.txt").read_text()


def test_a_port_that_is_taken_is_told_and_another_one_is_agreed(bench):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = bench.run(SHOWS, pytorch=[2, 1], variables={"MASTER_PORT": port})
    given = {rank_report(run, rank)[0]["MASTER_PORT"] for rank in range(2)}
    assert len(given) == 1 and given != {port}
    assert any(port in each for each in run.get_details()["warnings"])


def test_a_rehearsal_says_so_and_shares_the_cpus(bench):
    run = bench.run(SHOWS, pytorch=[4, 2])
    notes = " ".join(run.get_details()["notes"])
    assert "simulating 2 nodes on this machine" in notes
    assert rank_report(run, 0)[0]["OMP_NUM_THREADS"] == "1"
    own = bench.run(SHOWS, pytorch=[2, 1], variables={"OMP_NUM_THREADS": "3"})
    assert rank_report(own, 1)[0]["OMP_NUM_THREADS"] == "3"


def test_a_job_of_one_rank_keeps_its_names(bench):
    run = bench.run(SHOWS, pytorch=[1, 1])
    environ, _, _ = rank_report(run, 0)
    assert (environ["RANK"], environ["WORLD_SIZE"]) == ("0", "1")


def test_left_out_means_one_process_a_node(bench):
    run = bench.run(SHOWS, pytorch=[None, 2])
    environ, _, _ = rank_report(run, 1)
    assert (environ["NODE_RANK"], environ["LOCAL_WORLD_SIZE"]) == ("1", "1")


@pytest.mark.slow
@pytest.mark.needs_torch
def test_torch_meets_by_its_own_means(bench):
    python = os.environ.get("SCRIPTRUN_TEST_TORCH_PYTHON")
    if not python:
        pytest.skip("SCRIPTRUN_TEST_TORCH_PYTHON names no interpreter that has PyTorch")
    run = bench.run(GLOO, pytorch=[2, 2], python=python)
    assert run.get_status() == "Completed", run.standing.reason
    told = [log_of_rank(run, rank).split() for rank in range(2)]
    assert told == [[str(rank), "2", "3.0"] for rank in range(2)]


@pytest.mark.slow
@pytest.mark.needs_torch
def test_torchrun_on_each_node_starts_the_ranks(bench):
    """Without a number of processes each node runs the command once, told where to meet."""
    python = os.environ.get("SCRIPTRUN_TEST_TORCH_PYTHON")
    if not python:
        pytest.skip("SCRIPTRUN_TEST_TORCH_PYTHON names no interpreter that has PyTorch")
    source = bench.source(GLOO)
    line = [
        "torchrun --nnodes=$AZUREML_NODE_COUNT --nproc-per-node=2 --node-rank=$NODE_RANK",
        *("--master-addr=$MASTER_ADDR --master-port", "$MASTER_PORT", "job.py"),
    ]
    run = bench.run(source=source, command=" ".join(line), nodes=2, python=python)
    assert run.get_status() == "Completed", (run.standing.reason, log_of_rank(run, 0))
    told = [line.split() for node in range(2) for line in log_of_rank(run, node).splitlines()]
    seen = sorted(words for words in told if words[1:] == ["4", "10.0"])
    assert [words[0] for words in seen] == list("0123")


def config(bench, distributed, **more):
    made = ScriptRunConfig(bench.source("print(1)"), "job.py", distributed_job_config=distributed)
    for name, value in more.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("distributed", "more", "said"),
    [
        (PyTorchConfiguration("Gloo", 3, 2), {}, "multiple of node_count=2"),
        (
            PyTorchConfiguration("Gloo", 2, 0),
            {},
            "node_count must be an integer of at least 1, not 0",
        ),
        (MpiConfiguration(0, 1), {}, "process_count_per_node must be an integer"),
        (None, {"cpus": 10_000}, "10000 CPUs"),
        (None, {"cpus": "two"}, "must be an integer of at least 1, not 'two'"),
        (None, {"memory": "much"}, "must be a size, e.g. 16G, not 'much'"),
        (None, {"memory": "900T"}, "of memory"),
        (None, {"gpus": 77}, "77 GPUs"),
        (MpiConfiguration(3, 1), {"gpus_per_process": 26}, "78 GPUs"),
        (None, {"cpus": 1, "cpus_per_process": 1}, "cpus=1 and cpus_per_process=1"),
        (None, {"memory_per_process": 0}, "memory_per_process .* not 0"),
        (None, {"gpu_binding": "core"}, "invalid gpu_binding 'core'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(bench, distributed, more, said):
    with pytest.raises(RunConfigurationException, match=said):
        Experiment(bench.workspace, "e").submit(config(bench, distributed, **more))
    assert not list(bench.workspace.runs_folder.rglob("job.json"))


def test_mpi_without_an_mpirun_says_what_to_install(bench, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RunConfigurationException, match="openmpi"):
        Experiment(bench.workspace, "e").submit(config(bench, MpiConfiguration(2, 1)))


def test_what_was_asked_for_is_recorded(bench):
    run = Experiment(bench.workspace, "e").submit(config(bench, None, cpus=1, memory="64M"))
    wait(run)
    assert run.job.resources == Resources(cpus=1, memory=64 << 20)
    a_rank = config(
        bench, PyTorchConfiguration("Gloo", 2), cpus_per_process=1, memory_per_process="9M"
    )
    run = Experiment(bench.workspace, "e").submit(a_rank)
    assert wait(run) == "Completed"
    assert run.job.resources == Resources(cpus=2, memory=18 << 20)


def scriptrun(bench, *words):
    command = [sys.executable, "-m", "scriptrun", *words]
    return subprocess.run(command, cwd=bench.root, capture_output=True, text=True)


def test_the_command_line_spreads_a_job_and_shows_its_ranks(bench):
    (bench.root / "train.py").write_text(
        "import os\nprint('rank', os.environ['RANK'], 'of', os.environ['WORLD_SIZE'])\n"
    )
    words = ("--nodes", "2", "--processes", "4", "--cpus-per-process", "1")
    done = scriptrun(bench, "run", "--pytorch", *words, "train.py")
    assert done.stdout == "rank 0 of 4\n", done.stderr
    shown = scriptrun(bench, "logs", "--all").stdout
    assert sorted(shown.splitlines()) == [f"[{n}] rank {n} of 4" for n in range(4)]
    assert scriptrun(bench, "logs", "--rank", "2").stdout == "rank 2 of 4\n"
    wrong = scriptrun(bench, "logs", "--rank", "4")
    assert wrong.returncode == 2 and "ranks are 0 to 3" in wrong.stderr
    wrong = scriptrun(bench, "run", "--processes", "4", "train.py")
    assert wrong.returncode == 2 and "--mpi or --pytorch" in wrong.stderr
    wrong = scriptrun(bench, "run", "--mpi", "--pytorch", "train.py")
    assert wrong.returncode == 2 and "--mpi cannot be combined with --pytorch" in wrong.stderr


def test_a_failed_ranks_last_lines_are_shown(bench):
    (bench.root / "train.py").write_text(
        "import os, sys\nif os.environ['RANK'] == '1':\n    sys.exit('it went wrong here')\n"
    )
    done = scriptrun(bench, "run", "--pytorch", "--processes", "2", "train.py")
    assert done.returncode == 1
    assert "train.py on rank 1 exited with code 1" in done.stderr
    assert "    it went wrong here" in done.stderr


def test_waiting_for_a_job_of_ranks_tells_of_the_first_failure(bench):
    run = bench.submit("import os, sys\nsys.exit('oh no' if os.environ['RANK'] == '1' else 0)",
                       pytorch=[2, 1])  # fmt: skip
    with pytest.raises(Exception, match="oh no"):
        run.wait_for_completion()
    assert json.loads((run.path / "attempts/1/result.json").read_text())["rank"] == 1
