"""The command lines of containers: what a machine without GPUs cannot show otherwise."""

from __future__ import annotations

import os

import pytest

from scriptrun.runtime import files, identity
from scriptrun.runtime.containers import apptainer_enroot, docker
from scriptrun.runtime.launcher import variables
from scriptrun.runtime.order import Attempt, LaunchOrder

JOB = {"id": "run", "distribution": {"processes_per_node": 1}, "variables": {"KEY": "secret"}}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("podman", ["--device", "nvidia.com/gpu=all"]),
        ("docker", ["--gpus", "all"]),
        ("apptainer", ["--nv"]),
    ],
)
def test_the_gpus_of_a_job_are_handed_to_its_container(tmp_path, monkeypatch, kind, expected):
    """All of the machine, of which a variable names the job's; no value is on the command line."""
    (tmp_path / "attempts" / "1").mkdir(parents=True)
    program = tmp_path / "bin" / kind
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setenv("SCRIPTRUN_CONTAINER_TOOL", str(program))
    told = {"kind": kind, "tool": str(program), "image": "i", "file": "/i.sif", "user": "0:0"}
    order = LaunchOrder(
        folder=str(tmp_path),
        workspace=str(tmp_path),
        store=str(tmp_path),
        runtime=str(tmp_path / "kit"),
        environ={"PATH": os.defpath},
        devices="GPU-1,GPU-3",
        container=told,
    )
    task = variables.Task(0, 0, 0, ["true"], {"CUDA_VISIBLE_DEVICES": "GPU-1,GPU-3"}, "log")
    make = apptainer_enroot.run_command if kind in apptainer_enroot.KINDS else docker.run_command
    argv, environ = make(JOB, Attempt(order), task, str(tmp_path / "work"))
    text = "\0".join(argv)
    assert "\0".join(expected) in text
    assert "secret" not in text and "GPU-1" not in text
    assert {"secret", "GPU-1,GPU-3"} <= set(environ.values())
    without = Attempt(order.replace(devices=""))
    assert expected[-1] not in make(JOB, without, task, str(tmp_path))[0]


def test_only_the_runs_own_containers_are_removed_whatever_its_folder_says(tmp_path):
    folder = tmp_path / "a_1"
    attempt = folder / "attempts" / "1"
    attempt.mkdir(parents=True)
    tool = tmp_path / "docker"
    tool.write_text(f'#!/bin/sh\nfor last; do :; done\necho "$last" >> {tmp_path}/removed\n')
    tool.chmod(0o755)
    order = LaunchOrder(
        folder=str(folder),
        workspace=str(tmp_path),
        store=str(tmp_path),
        runtime=str(tmp_path / "kit"),
        environ={"PATH": os.defpath},
        container={"kind": "docker", "tool": str(tool)},
    )
    names = [
        "scriptrun-a_1-1-0-0",
        "database",
        "scriptrun-a_10-1-0-0",
        "scriptrun-a_1-1-1-0",  # another node's
        "--all",
        None,
    ]
    for rank, name in enumerate(names):
        value = {"tool": str(tool), "kind": "docker", "host": identity.host(), "node": 0}
        (attempt / f"container-{rank}.json").write_bytes(files.to_json({**value, "name": name}))
    (attempt / "container-9.json").write_bytes(files.to_json({"node": 0}))
    docker.remove_containers(order)
    assert (tmp_path / "removed").read_text() == "scriptrun-a_1-1-0-0\n"


def test_a_service_sees_the_files_of_its_models_and_no_others(tmp_path):
    folder, workspace = tmp_path / "run", str(tmp_path)
    store = tmp_path / ".scriptrun" / "models" / ".content"
    for digest in ("aa1", "ab2", "cc3"):
        (store / digest[:2]).mkdir(parents=True)
        (store / digest[:2] / digest).write_text(digest)
    one = folder / "azureml-models" / "one" / "1"
    one.mkdir(parents=True)
    (one / "local.txt").write_text("a copy")
    for number, other in enumerate(("/etc/shadow", f"{store}/../../../x", "../up", str(store))):
        (one / f"{number}.txt").symlink_to(other)
    service = {"kind": "service"}
    assert docker.served_files(service, str(folder), workspace) == []
    (one / "model.txt").symlink_to(store / "aa" / "aa1")
    assert docker.served_files(service, str(folder), workspace) == [str(store / "aa")]
    (one / "more").mkdir()
    (one / "more" / "b.txt").symlink_to(store / "cc" / "cc3")
    assert docker.served_files(service, str(folder), workspace) == [str(store)]
    assert docker.served_files({}, str(folder), workspace) == [], "what others call so is theirs"
