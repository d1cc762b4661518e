"""Waiting for several runs in one process."""

from __future__ import annotations

import shutil

import pytest

from scriptrun.core.experiment import Experiment
from scriptrun.core.run import Run
from scriptrun.core.workspace import Workspace
from scriptrun.runs import wait
from scriptrun.spec.errors import UserErrorException


@pytest.fixture
def logging(tmp_path):
    """Start a run of this process, which ends when it is told to."""
    experiment = Experiment(Workspace.create("w", path=tmp_path), "e")
    return lambda: experiment.start_logging(snapshot_directory=None)


def test_runs_come_as_they_end(logging):
    first, second, third = runs = [logging() for _ in range(3)]
    steps = iter([third.complete, lambda: shutil.rmtree(second.path), lambda: first.fail("why")])
    seen = [
        (run.id, status.state, status.reason.split(":")[0])
        for run, status in wait.until_ended(runs, pause=lambda seconds: next(steps)())
    ]
    assert [entry[:2] for entry in seen] == [
        (third.id, "Completed"),
        (second.id, "Missing"),
        (first.id, "Failed"),
    ]
    assert seen[2][2] == "why" and "no longer exists" in seen[1][2]


def test_no_more_than_the_timeout(logging):
    run = logging()
    pauses = []
    assert not list(wait.until_ended([run], 0.0, pauses.append))
    assert not list(wait.until_ended([run], 1e-9, pauses.append))
    assert not list(wait.until_ended([], None, pauses.append))
    assert pauses == []
    run.complete()
    assert [found.id for found, _ in wait.until_ended([run], 0.0)] == [run.id]


def test_a_damaged_and_a_removed_record_do_not_stop_the_others(logging):
    first, second = logging(), logging()
    for run in (first, second):
        run.complete()
    (first.path / "job.json").write_text("{")
    runs = [Run.at(run.workspace, run.path) for run in (first, second)]
    states = {run.id: status.state for run, status in wait.until_ended(runs)}
    assert states == {first.id: "Completed", second.id: "Completed"}


def test_a_process_does_not_wait_for_its_own_run(logging):
    run = logging()
    with pytest.raises(UserErrorException, match="cannot wait for itself"):
        wait.refuse_own([run])
    run.complete()
    wait.refuse_own([run])
