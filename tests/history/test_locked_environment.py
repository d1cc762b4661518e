"""What an environment is locked to, named in each way; and which runs used a dataset."""

from __future__ import annotations

import json

import pytest

from scriptrun import Environment, Workspace
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.history import dataset_usage, locked_environment
from scriptrun.preparation import environment_record
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.errors import ScriptrunError, UserErrorException
from scriptrun.spec.job import JobSpec
from scriptrun.spec.job_data import DatasetPin, JobData, JobInput
from scriptrun.tracking import run_folder

LOCK = {"python": "3.11.7", "requested": ["numpy"], "requirements": ["numpy==1.26.0"]}
KEYS = ("a" * 40, "a" * 20 + "b" * 20)


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create("w", path=tmp_path)


def built(key, **marker):
    place = cache_folders.reserve(key)
    cache_folders.mark(place, {"lock": LOCK, **marker})
    return place


def run_of(workspace, name, day=1, **facts):
    words = {"id": name, "experiment": "e", "workspace": "w"}
    job = JobSpec(**words, created=f"2024-05-0{day}T10:00:00.000000Z", **facts)
    folder = run_folder.make(workspace.runs_folder, job)
    run_folder.publish(folder, job)
    return folder


def test_a_built_one_is_meant_by_the_beginning_of_its_key(workspace):
    places = [built(key) for key in KEYS]
    found = locked_environment.find(workspace, KEYS[1][:21])
    assert (found.key, found.folder, found.name) == (KEYS[1], places[1], KEYS[1][:12])
    assert (found.lockfile, found.requested) == (LOCK, ("numpy",))
    with pytest.raises(UserErrorException, match="not an environment"):
        locked_environment.find(workspace, "aaaa")


def test_a_build_that_was_not_finished_is_none(workspace):
    cache_folders.reserve(KEYS[0])
    with pytest.raises(UserErrorException, match=KEYS[0]):
        locked_environment.find(workspace, KEYS[0])


def test_a_run_has_its_own_lock_and_may_have_none(workspace):
    asked = EnvironmentSpec(pip=("numpy",), conda=("python=3.11",))
    folder = run_of(workspace, "locked_run", environment=asked)
    bare = locked_environment.find(workspace, "locked_run")
    assert (bare.lockfile, bare.packages, bare.folder) == ({}, {}, None)
    assert bare.requested == ("python=3.11", "numpy") and bare.dependency_chains() == {}
    (folder / environment_record.LOCKFILE).write_text(json.dumps(LOCK))
    assert locked_environment.find(workspace, "locked_run").lockfile == LOCK


@pytest.mark.parametrize("text", ["", "nothing", ":1", "../x", "a:b:c"])
def test_what_means_nothing_is_refused(workspace, text):
    with pytest.raises(ScriptrunError):
        locked_environment.find(workspace, text)


def test_a_registered_one_is_meant_by_its_name_and_version(workspace):
    made = Environment("mine")
    made.python.user_managed_dependencies = True
    made.register(workspace)
    assert locked_environment.find(workspace, "mine").name == "mine"
    assert locked_environment.find(workspace, "mine:1").requested == ()
    with pytest.raises(ScriptrunError, match="mine"):
        locked_environment.find(workspace, "mine:7")


def test_runs_that_used_a_dataset_are_found_newest_first_and_odd_records_are_passed_over(workspace):
    used = JobData((JobInput("d"), JobInput("e", dataset=DatasetPin(id="D1"))))
    for day, name in enumerate(("old", "mid", "new"), 1):
        run_of(workspace, name, day, data=JobData() if name == "mid" else used)
    run_of(workspace, "other", 4, data=JobData((JobInput(dataset=DatasetPin()), JobInput())))
    (run_of(workspace, "cut", 5) / "job.json").write_text('{"cut')
    assert dataset_usage.run_ids(workspace, {"id": "D1"}) == ["new", "old"]
    assert dataset_usage.run_ids(workspace, {"id": None}) == []
    assert dataset_usage.run_ids(workspace, {"id": "D1"}, limit=0) == []
