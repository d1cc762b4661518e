"""The cases of the engines' suite for jobs of several ranks (``scriptrun.testing.engines``)."""

# ruff: noqa: D102 (the name of a case says what it promises)

from __future__ import annotations

import json
import os

import pytest

from scriptrun.core.run import Run
from scriptrun.spec.job import Resources
from scriptrun.testing.jobs import TIME_TO_SAVE, Bench, log_of_rank, until, wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


SHOWS = "import json, os, sys\nprint(json.dumps([dict(os.environ), sys.argv[1:], os.getcwd()]))\n"
#: waits until as many processes have started as the second argument says
ALL_CAME = """
import time
sys.stdout.flush()
open(f"{sys.argv[1]}/{os.getpid()}-{os.environ['SCRIPTRUN_RANK']}", "w").close()
while len(os.listdir(sys.argv[1])) < int(sys.argv[2]):
    time.sleep(0.01)
"""
#: rank 1 fails once all have begun; the others save on SIGTERM
FAILS = """
import os, signal, sys, time
place, rank = sys.argv[1], int(os.environ["RANK"])
def save(number, frame):
    open(f"{place}/saved-{rank}", "w").close()
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
open(f"{place}/began-{rank}", "w").close()
while not all(os.path.exists(f"{place}/began-{n}") for n in range(int(os.environ["WORLD_SIZE"]))):
    time.sleep(0.01)
if rank == 1:
    print("what went wrong")
    sys.exit(7)
time.sleep(3600)
"""
MEETS = """
import os, socket, time
address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
if os.environ["RANK"] == "0":
    with socket.create_server(("", address[1])) as server:
        connection, _ = server.accept()
        print(connection.recv(100).decode())
else:
    last = time.monotonic() + 300
    while True:
        try:
            connection = socket.create_connection(address, timeout=300)
            break
        except OSError:
            assert time.monotonic() < last, "nobody listens"
            time.sleep(0.05)
    connection.sendall(b"rank 1 was here")
"""
LOGS = """
import os
from scriptrun import Run
rank = os.environ["RANK"]
Run.get_context().log("rank", int(rank))
os.makedirs("outputs", exist_ok=True)
open(f"outputs/of-{rank}.txt", "w").write(rank)
open("outputs/same.txt", "w").write("same")
open("outputs/differs.txt", "w").write(rank)
"""
MPI = """
import os
from mpi4py import MPI
world = MPI.COMM_WORLD
total = world.allreduce(world.rank)
print(world.rank, world.size, total, os.environ["OMPI_COMM_WORLD_LOCAL_RANK"], os.environ["RANK"])
"""


def rank_report(run: Run, rank: int) -> tuple[dict[str, str], list[str], str]:
    """The variables, arguments and working directory that a rank of SHOWS printed."""
    environ, words, folder = json.loads(log_of_rank(run, rank))
    return environ, words, folder


def devices(run: Run, rank: int) -> list[str]:
    """The GPUs that a rank of SHOWS saw."""
    return [
        device
        for device in rank_report(run, rank)[0].get("CUDA_VISIBLE_DEVICES", "").split(",")
        if device
    ]


class RankCases:
    """Mixed into the suite: needs ``bench``."""

    def test_each_rank_knows_its_rank_and_world_size(self, bench: Bench) -> None:
        words = ["$LOCAL_RANK", "of-${AZ_BATCHAI_TASK_INDEX}", "$HOME", "a b"]
        run = bench.run(SHOWS, words, pytorch=[4, 2])
        assert run.get_status() == "Completed", run.standing.reason
        reports = [rank_report(run, rank) for rank in range(4)]
        for rank, (environ, arguments, _) in enumerate(reports):
            node, local = divmod(rank, 2)
            assert [environ[name] for name in ("RANK", "NODE_RANK", "LOCAL_RANK")] == [
                str(rank),
                str(node),
                str(local),
            ]
            assert (environ["WORLD_SIZE"], environ["LOCAL_WORLD_SIZE"]) == ("4", "2")
            assert environ["AZUREML_NODE_COUNT"] == "2"
            assert arguments == [str(local), f"of-{rank}", "$HOME", "a b"]
        addresses = {(env["MASTER_ADDR"], env["MASTER_PORT"]) for env, _, _ in reports}
        assert len(addresses) == 1
        folders = [folder for _, _, folder in reports]
        assert folders[0] == folders[1] and folders[2] == folders[3]
        assert folders[0] != folders[2]

    def test_the_first_failure_stops_all_ranks(self, bench: Bench) -> None:
        marks = bench.root / "marks"
        marks.mkdir()
        run = bench.run(FAILS, [marks.as_posix()], pytorch=[4, 2], variables=TIME_TO_SAVE)
        assert run.get_status() == "Failed"
        reason = run.standing.reason
        assert "rank 1" in reason and "exited with code 7" in reason and "node 0" in reason
        assert run.get_details()["exitCode"] == 7
        assert {path.name for path in marks.glob("saved-*")} == {"saved-0", "saved-2", "saved-3"}
        result = json.loads((run.path / "attempts" / "1" / "result.json").read_text())
        assert result["rank"] == 1 and result["tail"] == ["what went wrong"]

    def test_two_nodes_connect_over_a_socket(self, bench: Bench) -> None:
        run = bench.run(MEETS, pytorch=[2, 2])
        assert run.get_status() == "Completed", run.standing.reason
        assert log_of_rank(run, 0) == "rank 1 was here\n"

    def test_two_jobs_at_once_do_not_connect_to_each_other(self, bench: Bench) -> None:
        runs = [bench.submit(MEETS, pytorch=[2, 1]) for _ in range(2)]
        assert [wait(run) for run in runs] == ["Completed"] * 2
        assert {log_of_rank(run, 0) for run in runs} == {"rank 1 was here\n"}

    def test_metrics_and_artifacts_of_all_nodes_are_kept(self, bench: Bench) -> None:
        run = bench.run(LOGS, pytorch=[2, 2])
        assert run.get_status() == "Completed", run.standing.reason
        assert sorted(run.get_metrics()["rank"]) == [0, 1]
        names = [name for name in run.get_file_names() if name.startswith("outputs/")]
        assert names == [
            "outputs/differs.txt",
            "outputs/node-1/differs.txt",
            "outputs/of-0.txt",
            "outputs/of-1.txt",
            "outputs/same.txt",
        ]
        assert any("differs.txt" in warning for warning in run.get_details()["warnings"])

    def test_a_source_file_changed_on_one_node_is_its_output(self, bench: Bench) -> None:
        code = "import os\nif os.environ['RANK'] == '1': open('outputs/a.txt', 'w').write('after_')"
        outputs = bench.source(code) / "outputs"
        outputs.mkdir()
        for name in ("a.txt", "kept.txt"):
            (outputs / name).write_text("before")
        run = bench.run(code, pytorch=[2, 2])
        assert run.get_status() == "Completed", run.standing.reason
        names = [name for name in run.get_file_names() if name.startswith("outputs/")]
        assert names == ["outputs/a.txt"]
        assert (run.path / "outputs" / "a.txt").read_text() == "after_"

    def test_tensorflow_tasks_get_the_cluster_specification(self, bench: Bench) -> None:
        marks = bench.root / "marks"
        marks.mkdir()
        run = bench.run(SHOWS + ALL_CAME, [marks.as_posix(), "3"], tensorflow=[2, 1])
        assert run.get_status() == "Completed", run.standing.reason
        configs = [json.loads(rank_report(run, rank)[0]["TF_CONFIG"]) for rank in range(3)]
        tasks = [(config["task"]["type"], config["task"]["index"]) for config in configs]
        assert tasks == [("worker", 0), ("worker", 1), ("ps", 0)]
        clusters = [config_of_rank["cluster"] for config_of_rank in configs]
        assert clusters[0] == clusters[1] == clusters[2]
        assert [len(clusters[0][kind]) for kind in ("worker", "ps")] == [2, 1]
        addresses = clusters[0]["worker"] + clusters[0]["ps"]
        assert len(set(addresses)) == 3 and all(":" in address for address in addresses)

    def test_a_command_runs_once_per_node(self, bench: Bench) -> None:
        run = bench.run(command="echo node $NODE_RANK of $AZUREML_NODE_COUNT", nodes=2)
        assert run.get_status() == "Completed", run.standing.reason
        assert [log_of_rank(run, n) for n in range(2)] == ["node 0 of 2\n", "node 1 of 2\n"]

    def gpus(self) -> int:
        """How many GPUs per node a job of this engine may request (default: none)."""
        return 0

    def given(self, run: Run) -> Json:
        """The resources per node that the engine's own records show; {} if it has none."""
        return {}

    def test_requested_resources_are_visible(self, bench: Bench) -> None:
        gpus = self.gpus()
        requested = {"cpus": 2, "gpus": gpus, "memory": "300M"}
        run = bench.run(SHOWS, pytorch=[2, 1], resources=requested)
        assert run.get_status() == "Completed", run.standing.reason
        assert run.job.resources == Resources(2, gpus, 300 << 20)
        assert {rank_report(run, rank)[0]["OMP_NUM_THREADS"] for rank in range(2)} == {"1"}
        granted = self.given(run)
        assert granted == {name: getattr(run.job.resources, name) for name in granted}
        together = [devices(run, rank) for rank in range(2)]
        assert together[0] == together[1] and len(together[0]) == gpus
        per_process = bench.run(
            SHOWS, pytorch=[2, 1], resources={**requested, "gpu_binding": "process"}
        )
        apart = [devices(per_process, rank) for rank in range(2)]
        assert [len(ids) for ids in apart] == [max(gpus // 2, min(gpus, 1))] * 2
        assert len(set(apart[0] + apart[1])) == min(gpus, 2 * len(apart[0]))

    def test_cancel_stops_every_rank(self, bench: Bench) -> None:
        marks = bench.root / "marks"
        marks.mkdir()
        code = FAILS.replace("if rank == 1", "if rank == 99")
        run = bench.submit(code, [marks.as_posix()], pytorch=[2, 2], variables=TIME_TO_SAVE)
        until(lambda: len(list(marks.glob("began-*"))) == 2, "the ranks have not begun")
        run.cancel()
        assert wait(run) == "Canceled"
        assert {path.name for path in marks.glob("saved-*")} == {"saved-0", "saved-1"}

    def test_mpi_starts_exactly_the_requested_ranks(self, bench: Bench) -> None:
        python = os.environ.get("SCRIPTRUN_TEST_MPI_PYTHON")
        if not python:
            pytest.skip("SCRIPTRUN_TEST_MPI_PYTHON does not name an interpreter with mpi4py")
        run = bench.run(MPI, mpi=[2, 2], python=python)
        assert run.get_status() == "Completed", _why(run)
        outputs = [log_of_rank(run, rank).split() for rank in range(4)]
        assert [output[:3] for output in outputs] == [[str(n), "4", "6"] for n in range(4)]
        assert [local_output[3] for local_output in outputs] == ["0", "1", "0", "1"]
        assert [rank_output[4] for rank_output in outputs] == ["0", "1", "2", "3"]


def _why(run: Run) -> str:
    log = run.path / "system_logs" / "mpi.txt"
    return run.standing.reason + (log.read_text() if log.exists() else "")
