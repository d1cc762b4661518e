"""What a rerun changes of a job, and what it leaves alone."""

from __future__ import annotations

import pytest

from scriptrun.cli.options import set_field
from scriptrun.core.workspace import Workspace
from scriptrun.history import job_changes
from scriptrun.history.job_changes import Changes
from scriptrun.spec.errors import RunConfigurationException
from scriptrun.spec.job import Distribution, JobSpec, Resources


def changed(tmp_path, job, *settings, **changes):
    """The job after ``--set`` of ``settings`` and other ``changes``."""
    configuration = job_changes.configuration_of(job) if settings else None
    for text in settings:
        set_field.apply(configuration, text)
    workspace = Workspace.create("w", path=tmp_path, exist_ok=True)
    return job_changes.apply(job, Changes(configuration=configuration, **changes), workspace).job


def job_with(**fields):
    return JobSpec("a_1", "e", "w", "2026-01-01T00:00:00Z", script="train.py", **fields)


def test_a_set_variable_leaves_all_others_alone(tmp_path):
    job = job_with(
        variables={"A": "2", "N": "", "D": "/data"},
        passed=("P", "B"),
        run_definition={"environmentVariables": {"A": "1", "N": None, "P": "x", "D": "{'r': 1}"}},
    )
    new = changed(tmp_path, job, "environment_variables.B=3")
    assert new.variables == {"A": "2", "N": "", "D": "/data", "B": "3"}
    assert new.passed == ("P",)
    again = changed(tmp_path, new, "environment_variables.A=5", "max_run_duration_seconds=60")
    assert again.variables == {"A": "5", "N": "", "D": "/data", "B": "3"}


@pytest.mark.parametrize("value", ["3", '["lr"]', '"lr"', "null", "{", "[" * 5000, ""])
def test_a_tag_that_a_sweep_would_write_stays_if_it_is_the_users(tmp_path, value):
    job = job_with(arguments=("--lr", "1"), tags={"hyperparameters": value})
    new = changed(tmp_path, job, arguments=("--lr", "2"))
    assert new.arguments == ("--lr", "2")
    assert new.tags == job.tags


def test_the_tags_of_a_sweeps_run_are_its_new_parameters(tmp_path):
    tags = {"hyperparameters": '{"--lr": 1, "--b": 3}', "--lr": "1", "--b": "3"}
    new = changed(tmp_path, job_with(arguments=("--lr", "1"), tags=tags), arguments=("--lr", "0.5"))
    assert new.tags == {"hyperparameters": '{"--b": 3, "--lr": 0.5}', "--lr": "0.5", "--b": "3"}


@pytest.mark.parametrize("value", ["10", "30", "null"])
def test_a_limit_before_its_warning_is_refused(tmp_path, value):
    job = job_with(max_run_duration_seconds=60.0, warn_before_seconds=30.0)
    with pytest.raises(RunConfigurationException, match=r"warn_before_seconds \(30.0\)"):
        changed(tmp_path, job, f"max_run_duration_seconds={value}")
    assert changed(tmp_path, job, "max_run_duration_seconds=31").max_run_duration_seconds == 31
    unlimited = job.replace(max_run_duration_seconds=None)
    assert changed(tmp_path, unlimited, "environment_variables.A=1").variables == {"A": "1"}


def test_the_time_to_save_follows_its_variable(tmp_path):
    name = "AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC"
    job = job_with(grace_seconds=10.0)
    assert changed(tmp_path, job, variables={name: "60"}).grace_seconds == 60
    new = changed(tmp_path, job, f"environment_variables.{name}=30")
    assert new.grace_seconds == 30
    assert changed(tmp_path, new, variables={"A": "1"}).grace_seconds == 30
    assert changed(tmp_path, new, passed=(name,)).grace_seconds == 10


def test_other_ranks_are_refused_where_resources_are_requested(tmp_path):
    definition = {"framework": "Python", "communicator": "Mpi", "mpi": {"processCountPerNode": 2}}
    job = job_with(
        distribution=Distribution("mpi", processes_per_node=2),
        run_definition=definition,
        resources=Resources(gpus=2),
    )
    more = "mpi.process_count_per_node=4"
    with pytest.raises(RunConfigurationException, match="it requests gpus for its number of ranks"):
        changed(tmp_path, job, more)
    assert changed(tmp_path, job, "node_count=2").distribution.nodes == 2
    free = changed(tmp_path, job.replace(resources=Resources()), more)
    assert free.distribution.processes_per_node == 4


def test_what_changes_the_outcome():
    job = job_with(run_definition={"environmentVariables": {"A": "1"}, "nodeCount": 1})

    def change(*settings, **changes):
        configuration = job_changes.configuration_of(job) if settings else None
        for text in settings:
            set_field.apply(configuration, text)
        return Changes(configuration=configuration, **changes).change_outcome(job)

    assert not change()
    assert not change(experiment="other", tags={"a": "b"})
    assert not change("max_run_duration_seconds=60", "environment_variables.A=1")
    assert change("max_run_duration_seconds=60", "environment_variables.A=2")
    assert change("node_count=2")
    assert change(arguments=("--lr", "1"))
    assert change(replace_arguments=True)
    assert change(variables={"A": "2"})
