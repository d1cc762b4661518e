"""The ranks of a node, of each kind of job: what they execute, and where they are told to be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.runtime import identity
from scriptrun.runtime.order import Attempt, LaunchOrder
from scriptrun.runtime.ranks import common, mpi, nodes, pytorch, shim, tensorflow
from scriptrun.testing.jobs import PATIENCE, until

PLACES = {"folder": "/run", "workspace": "/ws", "store": "/ws/store", "runtime": "/ws/kit"}


def job_of(kind, each=1, **settings):
    way = {"kind": kind, "processes_per_node": each, "settings": settings, "nodes": 1}
    return {
        "id": "r_1",
        "experiment": "e",
        "workspace": "w",
        "script": "train.py",
        "distribution": way,
    }


def meeting_of(count, cpus=8, **more):
    told = [
        {"address": f"10.0.0.{n}", "ports": [5000, 5001, 5002], "cpus": cpus, "work": f"/w{n}"}
        for n in range(count)
    ]
    return {"address": "10.0.0.0", "port": 4000, "nodes": [{**each, **more} for each in told]}


def attempt_of(node=0, count=1, **more):
    return Attempt(LaunchOrder(**{**PLACES, "node": node, "nodes": count, "environ": {}, **more}))


@given(st.integers(1, 5), st.integers(1, 5))
def test_every_rank_runs_once_and_knows_its_place(count, each):
    seen = []
    for node in range(count):
        there = pytorch.tasks(job_of("pytorch", each), attempt_of(node, count), meeting_of(count))
        assert [task.local_rank for task in there] == list(range(each))
        seen += there
    assert [task.rank for task in seen] == list(range(count * each))
    for task in seen:
        told = task.variables
        assert int(told["RANK"]) == int(told["NODE_RANK"]) * each + int(told["LOCAL_RANK"])
        assert (told["WORLD_SIZE"], told["LOCAL_WORLD_SIZE"]) == (str(count * each), str(each))
        assert (told["MASTER_ADDR"], told["MASTER_PORT"]) == ("10.0.0.0", "4000")
        assert told["AZ_BATCH_NODE_LIST"].split(";") == told["AZ_BATCH_HOST_LIST"].split(",")
    assert len({common.log_path("/run", task) for task in seen}) == len(seen)


def test_a_job_of_nodes_has_one_process_on_each():
    (task,) = nodes.tasks(job_of("nodes"), attempt_of(2, 3), meeting_of(3))
    assert (task.rank, task.node, task.variables["WORLD_SIZE"]) == (2, 2, "3")
    assert common.log_path("/run", task) == "/run/user_logs/std_log_process_2.txt"


@pytest.mark.parametrize(
    ("each", "cpus", "more", "expected"),
    [
        (1, 8, {}, None),
        (2, 8, {}, "4"),
        (3, 8, {}, "2"),
        (16, 8, {}, "1"),
        (2, 8, {"resources": {"cpus": 4}}, "2"),
        (2, 8, {"resources": {"cpus": 64}}, "4"),
        (2, 8, {"variables": {"OMP_NUM_THREADS": "7"}}, None),
    ],
)
def test_threads_are_a_ranks_share_of_the_cpus(each, cpus, more, expected):
    made = common.World(
        {**job_of("pytorch", each), **more}, attempt_of(), meeting_of(1, cpus), each
    )
    assert made.position_variables(0, 0, 0).get("OMP_NUM_THREADS") == expected


def test_threads_that_are_inherited_stay_and_rehearsed_nodes_share_a_machine():
    job = job_of("pytorch", 2)
    inherited = attempt_of(environ={"OMP_NUM_THREADS": "1"})
    assert common.World(job, inherited, meeting_of(1), 2).threads() is None
    rehearsed = attempt_of(count=2, rehearsal=True)
    assert common.World(job, rehearsed, meeting_of(2), 2).threads() == 2


@pytest.mark.parametrize(
    ("held", "each", "binding", "expected"),
    [
        ("", 2, "process", [None, None]),
        ("a,b", 2, None, ["a,b", "a,b"]),
        ("a,b", 2, "process", ["a", "b"]),
        ("a,b,c,d", 2, "process", ["a,b", "c,d"]),
        ("a,b", 4, "process", ["a", "b", "a", "b"]),
        ("a,b,c", 2, "process", ["a", "b"]),
    ],
)
def test_gpus_are_shared_out_where_that_was_asked(held, each, binding, expected):
    job = {**job_of("pytorch", each), "resources": {"gpu_binding": binding}}
    world = common.World(job, attempt_of(devices=held), meeting_of(1), each)
    assert [world.devices(0, local) for local in range(each)] == expected


@given(st.integers(1, 8), st.integers(1, 4))
def test_rehearsed_nodes_that_can_have_gpus_of_their_own_do(gpus, count):
    held = [f"G{n}" for n in range(gpus)]
    attempt = attempt_of(count=count, devices=",".join(held), rehearsal=True)
    world = common.World(job_of("pytorch"), attempt, meeting_of(count), 1)
    shares = [world.devices(node, 0).split(",") for node in range(count)]
    if gpus >= count:
        given_out = [each for share in shares for each in share]
        assert len(set(given_out)) == len(given_out) and set(given_out) <= set(held)
    else:
        assert shares == [held] * count


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 4), st.booleans())
def test_tensorflows_tasks_all_see_one_cluster(count, workers, servers, chief):
    job = job_of("tensorflow", workers=workers, parameter_servers=servers, chief=chief)
    job["distribution"]["nodes"] = count
    meeting = meeting_of(count)
    for each in meeting["nodes"]:
        each["ports"] = list(range(5000, 5020))
    told = [
        (task, json.loads(task.variables["TF_CONFIG"]))
        for node in range(count)
        for task in tensorflow.tasks(job, attempt_of(node, count), meeting)
    ]
    assert sorted(task.rank for task, _ in told) == list(range(workers + servers))
    cluster = told[0][1]["cluster"]
    assert all(config["cluster"] == cluster for _, config in told)
    assert len(cluster.get("worker", [])) + len(cluster.get("chief", [])) == workers
    assert len(cluster.get("ps", [])) == servers and ("chief" in cluster) is chief
    addresses = [each for kind in cluster.values() for each in kind]
    assert len(set(addresses)) == len(addresses)
    for task, config in told:
        kind, index = config["task"]["type"], config["task"]["index"]
        assert cluster[kind][index].startswith(f"10.0.0.{task.node}:")
        assert (task.name, task.is_server) == (f"{kind} {index}", kind == "ps")
    assert meeting["nodes"][0]["ports"] == list(range(5000, 5020))


def test_a_parameter_server_leaves_the_gpus_to_the_workers():
    job = job_of("tensorflow", workers=1, parameter_servers=1)
    worker, server = tensorflow.tasks(job, attempt_of(devices="0,1"), meeting_of(1))
    assert worker.variables["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert server.variables["CUDA_VISIBLE_DEVICES"] == ""


def program(folder, name, text="exit 0"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_mpirun_of_the_environment_wins_and_mpiexec_will_do(tmp_path):
    mine, other = tmp_path / "mine", tmp_path / "other"
    assert mpi.find_mpirun(None, str(other)) is None
    program(other, "mpiexec")
    assert mpi.find_mpirun(str(mine), str(other)) == str(other / "mpiexec")
    program(other, "mpirun")
    program(mine, "mpirun")
    assert mpi.find_mpirun(None, str(other)) == str(other / "mpirun")
    assert mpi.find_mpirun(str(mine), str(other)) == str(mine / "mpirun")


@pytest.mark.parametrize(
    ("real", "expected"),
    [("orterun", True), ("prterun", True), ("mpiexec.hydra", False), ("mpiexec.mpich", False)],
)
def test_an_mpi_is_known_by_what_its_mpirun_is(tmp_path, real, expected):
    program(tmp_path / "lib", real)
    (tmp_path / "mpirun").symlink_to(tmp_path / "lib" / real)
    assert mpi.is_open_mpi(str(tmp_path / "mpirun")) is expected


def test_an_mpi_that_hides_its_name_is_known_by_its_neighbours(tmp_path):
    path = program(tmp_path, "mpirun")
    assert not mpi.is_open_mpi(str(path))
    program(tmp_path, "prterun")
    assert mpi.is_open_mpi(str(path))


def mpi_run(tmp_path, **more):
    (tmp_path / "attempts" / "1").mkdir(parents=True, exist_ok=True)
    places = {**PLACES, "folder": str(tmp_path), "python": sys.executable}
    return attempt_of(**{**places, **more})


def test_mpirun_starts_the_shim_for_each_rank_of_the_plan(tmp_path):
    program(tmp_path / "bin", "orterun")
    (tmp_path / "bin" / "mpirun").symlink_to("orterun")
    outer = {"OMPI_COMM_WORLD_RANK": "7", "PMI_SIZE": "9", "SLURM_NTASKS": "4", "KEPT": "yes"}
    attempt = mpi_run(tmp_path, environ={**outer, "PATH": str(tmp_path / "bin")})
    (task,) = mpi.tasks(job_of("mpi", 2), attempt, meeting_of(1))
    assert task.argv[0] == str(tmp_path / "bin" / "mpirun")
    assert task.argv[task.argv.index("-n") + 1] == "2"
    assert task.argv[-2:] == [shim.__file__, str(tmp_path / "attempts/1/ranks.json")]
    assert attempt.order.environ["KEPT"] == "yes"
    assert not {"OMPI_COMM_WORLD_RANK", "PMI_SIZE", "SLURM_NTASKS"} & set(attempt.order.environ)
    plan = json.loads((tmp_path / "attempts/1/ranks.json").read_text())
    assert [each["variables"]["RANK"] for each in plan["ranks"]] == ["0", "1"]
    assert {each["variables"]["OMPI_COMM_WORLD_SIZE"] for each in plan["ranks"]} == {"2"}
    assert {each["variables"]["SLURM_NTASKS"] for each in plan["ranks"]} == {"4"}


def test_without_an_mpirun_the_job_cannot_start_and_other_nodes_start_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    attempt = mpi_run(tmp_path, environ={"PATH": str(tmp_path / "empty")})
    with pytest.raises(FileNotFoundError, match="mpirun not found"):
        mpi.tasks(job_of("mpi", 2), attempt, meeting_of(1))
    assert mpi.tasks(job_of("mpi", 2), attempt_of(1, 2), meeting_of(2)) == []


def ended(place, rank, status, t, **more):
    told = {"rank": rank, "status": status, "t": t, "node": 0, **more}
    (place / f"rank-{rank}.end.json").write_text(json.dumps(told))


def plan(place, *logs):
    made = {"ranks": [{"log": str(log)} for log in logs]}
    (place / "ranks.json").write_text(json.dumps(made))


def test_the_first_to_fail_by_itself_is_the_one(tmp_path):
    plan(tmp_path, *["/none"] * 4)
    assert mpi.first_failure(str(tmp_path), 2) is None
    ended(tmp_path, 0, 0, 1.0)
    assert mpi.first_failure(str(tmp_path), 2, launcher_ended=True) is None
    ended(tmp_path, 1, 15, 2.0, stopped=True)
    ended(tmp_path, 3, 9 << 8, 5.0)
    ended(tmp_path, 2, 7 << 8, 6.0)
    task, status = mpi.first_failure(str(tmp_path), 2)
    assert (task.rank, task.node, task.local_rank, status) == (3, 1, 1, 9 << 8)


def test_a_rank_that_aborted_is_known_by_its_log(tmp_path):
    (tmp_path / "0").write_text("fine\n")
    (tmp_path / "1").write_text("x\napplication called MPI_Abort(MPI_COMM_WORLD, 259) - 1\n")
    plan(tmp_path, tmp_path / "0", tmp_path / "1")
    ended(tmp_path, 0, 15, 1.0, stopped=True)
    ended(tmp_path, 1, 15, 2.0, stopped=True)
    task, status = mpi.first_failure(str(tmp_path), 2)
    assert (task.rank, os.WEXITSTATUS(status)) == (1, 259 & 0xFF)


def start(tmp_path, code, grace=PATIENCE, **more):
    """One rank, started as mpirun starts it."""
    place = tmp_path / "attempt"
    place.mkdir(exist_ok=True)
    (tmp_path / "work").mkdir(exist_ok=True)
    task = {
        "argv": [sys.executable, "-c", code], "variables": {"MINE": "1"},
        "work": str(tmp_path / "work"), "log": str(tmp_path / "log"), "node": 0, **more,
    }  # fmt: skip
    (place / "ranks.json").write_text(json.dumps({"ranks": [None, task], "grace": grace}))
    environ = {"PATH": os.defpath, "PMI_RANK": "1", "WHERE": "/a/b"}
    argv = [sys.executable, "-I", "-S", shim.__file__, str(place / "ranks.json")]
    return subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, text=True)


def end_of(tmp_path):
    return json.loads((tmp_path / "attempt" / "rank-1.end.json").read_text())


@pytest.mark.parametrize(
    ("code", "returned"),
    [("pass", 0), ("raise SystemExit(9)", 9), ("import os; os.kill(os.getpid(), 9)", -9)],
)
def test_the_shim_ends_as_its_script_did_and_tells_of_it(tmp_path, code, returned):
    assert start(tmp_path, code).wait(PATIENCE) == returned
    told = end_of(tmp_path)
    status = told["status"]
    assert (os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)) == returned
    assert (told["rank"], told["stopped"], told["starved"]) == (1, False, False)
    owner = json.loads((tmp_path / "attempt/rank-1.start.json").read_text())["process"]
    assert identity.is_local(owner) and not identity.is_alive(owner)
    assert sorted(os.listdir(tmp_path / "attempt")) == [
        "rank-1.end.json", "rank-1.start.json", "ranks.json",
    ]  # fmt: skip


def test_a_rank_has_its_log_its_folder_and_its_own_places(tmp_path):
    code = "import os, sys; print(os.getcwd(), os.environ['MINE'], os.environ['WHERE'], sys.stdin.read())"
    assert start(tmp_path, code, moved=[["/a", "/scratch"]]).wait(PATIENCE) == 0
    assert (tmp_path / "log").read_text().split() == [str(tmp_path / "work"), "1", "/scratch/b"]


def test_what_cannot_be_executed_ends_like_a_shells(tmp_path):
    process = start(tmp_path, "", argv=[str(tmp_path / "none")])
    assert process.wait(PATIENCE) == 127
    assert str(tmp_path / "none") in (tmp_path / "log").read_text()


SAVES = (
    "import signal, sys, time\n"
    "def save(*_): print('saved', flush=True); sys.exit(4)\n"
    "signal.signal(signal.SIGTERM, save); open('ready', 'w').close()\n"
    "while True: time.sleep(3600)"
)


def wait_for(path):
    until(path.exists, f"{path} does not come")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_script_may_save_when_mpirun_stops_or_kills_what_it_knows(tmp_path, number):
    process = start(tmp_path, SAVES)
    wait_for(tmp_path / "work" / "ready")
    process.send_signal(number)
    assert process.wait(PATIENCE) == (4 if number == signal.SIGTERM else -signal.SIGKILL)
    wait_for(tmp_path / "attempt" / "rank-1.end.json")
    assert end_of(tmp_path)["stopped"] and os.WEXITSTATUS(end_of(tmp_path)["status"]) == 4
    assert (tmp_path / "log").read_text() == "saved\n"


def test_one_that_does_not_end_is_killed_after_its_grace(tmp_path):
    code = SAVES.replace("sys.exit(4)", "None")
    process = start(tmp_path, code, grace=0.0)
    wait_for(tmp_path / "work" / "ready")
    process.kill()
    process.wait(PATIENCE)
    wait_for(tmp_path / "attempt" / "rank-1.end.json")
    assert os.WTERMSIG(end_of(tmp_path)["status"]) == signal.SIGKILL


def test_a_script_hears_once_that_it_is_to_end_however_often_that_is_said(tmp_path):
    leaves = "import signal, sys\nsignal.signal(signal.SIGUSR1, lambda *_: sys.exit(5))\n"
    code = leaves + SAVES.replace("sys.exit(4)", "None")
    process = start(tmp_path, code)
    wait_for(tmp_path / "work" / "ready")
    process.send_signal(signal.SIGTERM)
    until(lambda: (tmp_path / "log").read_text() == "saved\n")
    for number in (signal.SIGTERM, signal.SIGUSR1):
        process.send_signal(number)
    assert process.wait(PATIENCE) == 5
    assert (tmp_path / "log").read_text() == "saved\n"
