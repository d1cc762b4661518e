"""Where a run lies on the nodes of a real Slurm: on the shared directory, or on their own disks."""

from __future__ import annotations

import pytest
from index_server import serving
from wheel_making import make_wheel

from scriptrun import Dataset, Datastore, Experiment
from scriptrun.engines.slurm.engine import Slurm
from scriptrun.spec.errors import ExperimentExecutionException, RunConfigurationException
from scriptrun.testing import jobs
from scriptrun.testing.jobs import Bench, kill, log_of, log_of_rank, until, wait
from scriptrun.testing.ranks import LOGS
from scriptrun.tracking import events

pytestmark = pytest.mark.slurm

PASSWORD = "hunter2-for-the-index"

WAITS = """
import time
open("outputs/so-far.txt", "w").write("kept")
print("began", flush=True)
time.sleep(3600)
"""


@pytest.fixture
def scratch(tmp_path):
    place = tmp_path / "own disk"
    place.mkdir()
    return place


def test_artifacts_come_home_from_the_nodes_own_disks(tmp_path, slurm, scratch):
    """The variable is the node's: each has a disk of its own."""
    setup = (f"export DISK='{scratch}'",)
    bench = Bench(tmp_path / "w", Slurm(partition="main", scratch="$DISK/runs", setup=setup))
    run = bench.run(LOGS + "print(os.getcwd())\n", pytorch=[2, 2])
    assert run.get_status() == "Completed", run.standing.reason
    places = [log_of_rank(run, rank).strip() for rank in range(2)]
    assert all(place.startswith(f"{scratch}/runs/") for place in places) and len({*places}) == 2
    assert (run.path / "outputs" / "of-0.txt").read_text() == "0"
    assert (run.path / "outputs" / "of-1.txt").read_text() == "1"
    assert not [each for each in (scratch / "runs").iterdir() if each.name != "cache"]
    assert not [each for each in run.path.iterdir() if each.name.startswith("work")]


def test_what_was_saved_comes_home_when_the_launcher_is_killed(tmp_path, slurm, scratch):
    bench = Bench(tmp_path / "w", Slurm(partition="main", scratch=str(scratch)))
    run = bench.submit(WAITS)
    until(lambda: "began" in log_of(run))
    kill(events.collect_facts(events.read(run.path)).began["launcher"]["pid"])
    assert wait(run) == "Failed"
    assert (run.path / "outputs" / "so-far.txt").read_text() == "kept"


LEAVES_LINKS = """
import os
os.makedirs("ck")
open("ck/m", "w").write("m")
os.symlink(os.path.abspath("ck"), "outputs/ck")
open("outputs/v1", "w").write("1")
os.symlink(os.path.abspath("outputs/v1"), "outputs/latest")
os.symlink("/dev", "outputs/dev")
os.rmdir("logs")
os.symlink("ck", "logs")
"""


@pytest.mark.parametrize("nodes", [1, 2])
def test_links_on_the_nodes_own_disks_keep_their_content(tmp_path, slurm, scratch, nodes):
    bench = Bench(tmp_path / "w", Slurm(partition="main", scratch=str(scratch)))
    run = bench.run(LEAVES_LINKS, nodes=nodes)
    assert run.get_status() == "Completed"
    written = [name for name in run.get_file_names() if name.startswith(("outputs/", "logs/"))]
    assert written == ["logs/m", "outputs/ck/m", "outputs/latest", "outputs/v1"]
    for name in written:
        real = (run.path / name).resolve(strict=True)
        assert real.is_relative_to(run.path.resolve())
    assert "outputs/dev (it leads to /dev" in "".join(run.get_details()["warnings"])


def test_a_scratch_that_cannot_be_is_told(tmp_path, slurm):
    with pytest.raises(RunConfigurationException, match="'local' is not an absolute path"):
        Bench(tmp_path / "w", Slurm(partition="main", scratch="local")).submit("print(1)")
    run = Bench(tmp_path / "x", Slurm(partition="main", scratch="$NO_SUCH/x")).run("print(1)")
    assert run.get_status() == "Failed"
    assert "unknown scratch directory on this node: $NO_SUCH/x" in run.standing.reason


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An index whose password only this process knows, by a variable."""
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    monkeypatch.setenv("SCRIPTRUN_SECRET_TEAM", PASSWORD)
    make_wheel(tmp_path / "index" / "mauve", "mauve", "4")
    with serving(tmp_path / "index", "me", PASSWORD) as host:
        yield f"http://me:${{secret:team}}@{host}"


#: where the rank finds its data, its cache and the programs of its environment; that it is there
SEES = """
import os
paths = [sys.argv[1], os.environ["GIVEN"], os.environ["SCRIPTRUN_CACHE"], os.environ["VIRTUAL_ENV"]]
print(*paths, os.environ["PATH"].split(":")[0], sep="\\n")
assert open(sys.argv[1] + "/a b.txt").read() == "brought"
"""


def _of_mpi(bench, target, code, requirements):
    """What each of two ranks says that srun has started on two nodes, in lines."""
    given = bench.root / "given"
    given.mkdir()
    for name in ("a b.txt", "c.txt"):
        (given / name).write_text("brought")
    store = Datastore.register_local(bench.workspace, "given", given)
    order = Bench(bench.root, target.replace(mpi="pmi2")).order(
        code, mpi=[1, 2], requirements=requirements
    )
    config = jobs._config(order)
    data = Dataset.File.from_files((store, "**")).as_named_input("given").as_download()
    config.arguments = [data]
    run = Experiment(bench.workspace, "data").submit(config)
    assert wait(run) == "Completed", run.standing.reason
    return [log_of_rank(run, rank).splitlines() for rank in range(2)]


def test_the_environment_is_built_once_on_each_node(tmp_path, slurm, index):
    """Two ranks on each of two nodes, which are told apart by a directory of their own.

    The index's password reaches the builds there, and neither the script nor any file.
    """
    asked = tmp_path / "requirements.txt"
    asked.write_text(f"--index-url {index}\nmauve\n")
    disk = f"{tmp_path}/disks/$SLURMD_NODENAME"
    own_cache = (f"export UV_CACHE_DIR='{tmp_path}/uv'",)
    target = Slurm(partition="main", cpus=2, scratch=disk, own_environments=True, setup=own_cache)
    bench = Bench(tmp_path / "w", target)
    code = f"import mauve, os, sys\nassert '{PASSWORD[:5]}' not in str(os.environ)\nprint(sys.prefix)\n"
    run = bench.run(code, pytorch=[4, 2], requirements=str(asked))
    assert run.get_status() == "Completed", run.standing.reason
    places = [log_of_rank(run, rank).strip() for rank in range(4)]
    assert places[0] == places[1] != places[2] == places[3]
    assert all(
        f"{tmp_path}/disks/n" in place and "/cache/environments/" in place for place in places
    )
    again = _of_mpi(bench, target, code + SEES, str(asked))
    assert [each[0] for each in again] == [places[0], places[2]]
    for disk, own in zip((places[0], places[2]), again, strict=True):
        assert all(path.startswith(disk.partition("/cache/")[0]) for path in own[1:])
    said = (run.path / "system_logs" / "environment.txt").read_text()
    assert [said.count(f"node {node}: Building") for node in (0, 1)] == [1, 1]
    kept = [path for path in (tmp_path / "w" / ".scriptrun").rglob("*") if path.is_file()]
    assert (run.path / "job.json") in kept
    assert not [path for path in kept if PASSWORD.encode() in path.read_bytes()]
    assert "built once on each node" in (run.path / "slurm" / "1" / "job.sh").read_text()
    (tmp_path / "full" / "cache").mkdir(parents=True)
    (tmp_path / "full" / "cache" / "environments").touch()  # nothing can be built below it
    bench.target = target.replace(scratch=f"{tmp_path}/full")
    failed = bench.run(code, requirements=str(asked))
    assert failed.get_status() == "Failed"
    assert "environment build failed on node 0: " in failed.standing.reason
    with pytest.raises(RunConfigurationException, match="set its path with scratch"):
        bench.target = Slurm(partition="main", own_environments=True)
        bench.submit("print(1)")


TOO_MUCH = """
import os, time
hold = bytearray(900 << 20) if os.environ.get("RANK", "1") == "1" else None
time.sleep(3600)
"""


def test_who_takes_too_much_memory_is_named_with_the_cause(tmp_path, slurm_groups):
    """Alone, as a rank of its node's launcher, and as one that srun has started."""
    bench = Bench(tmp_path / "w", Slurm(partition="main", cpus=1, memory="128M", mpi="pmi2"))
    shapes = ({}, {"pytorch": [2, 2]}, {"mpi": [1, 2]})
    runs = [bench.submit(TOO_MUCH, **shape) for shape in shapes]
    assert {wait(run) for run in runs} == {"Failed"}
    rank = f"job.py on rank 1 (node 1: {slurm_groups.names[1]})"
    for run, who in zip(runs, ("job.py", rank, rank), strict=True):
        said = f"{who} was killed by SIGKILL: out of memory"
        assert run.standing.reason == said


def test_what_slurm_refuses_has_failed_at_once(tmp_path, slurm):
    bench = Bench(tmp_path / "1", Slurm(partition="main", constraint="no-such-feature"))
    with pytest.raises(ExperimentExecutionException, match="Invalid feature"):
        bench.submit("print(1)")
    (run,) = Experiment(bench.workspace, bench.experiment).get_runs()
    assert run.get_status() == "Failed"
    assert run.standing.reason.startswith("Slurm rejected the job: ")
    with pytest.raises(
        RunConfigurationException, match="9 GPUs requested per node, but nodes in 'main' have 2"
    ):
        Bench(tmp_path / "2", Slurm(partition="main", gres="gpu:9")).submit("print(1)")
    lost = Bench(tmp_path / "3", Slurm(partition="main", python="/no/python")).run("print(1)")
    assert lost.get_status() == "Failed"
    assert "no launcher start" in lost.standing.reason
    assert "/no/python: No such file" in lost.standing.reason
