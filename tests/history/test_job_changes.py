"""What a rerun changes of a job, and what it leaves alone."""

from __future__ import annotations

from scriptrun.cli.options import set_field
from scriptrun.core.workspace import Workspace
from scriptrun.history import job_changes
from scriptrun.history.job_changes import Changes
from scriptrun.spec.job import JobSpec


def changed(tmp_path, job, *settings, **changes):
    """The job after ``--set`` of ``settings`` and other ``changes``."""
    configuration = job_changes.configuration_of(job) if settings else None
    for text in settings:
        set_field.apply(configuration, text)
    workspace = Workspace.create(str(tmp_path / "w"), exist_ok=True)
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
