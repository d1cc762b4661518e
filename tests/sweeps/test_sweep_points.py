"""Points of other sweeps, the values that runs logged, and when a sweep ends."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from scriptrun.registry.workspace_files import WorkspaceFiles
from scriptrun.spec.job import JobSpec, Target
from scriptrun.sweeps import children, plot, proposals, termination
from scriptrun.sweeps.journal import ChildRun, Journal
from scriptrun.tracking import run_folder

CREATED = "2024-05-01T10:00:00.000000Z"


@pytest.fixture
def home(tmp_path):
    return WorkspaceFiles.create("w", path=tmp_path / "home")


def _run(home, run_id) -> Path:
    job = JobSpec(id=run_id, experiment="e", workspace="w", created=CREATED)
    folder = run_folder.make(home.runs_folder, job)
    run_folder.publish(folder, job)
    return folder


def _sweep(home, run_id, *kept: ChildRun) -> Path:
    folder = _run(home, run_id)
    journal = Journal(folder)
    for each in kept:
        journal.add(each)
        if each.state:
            journal.end(each)
    journal.close()
    return folder


def child(number, state="", **facts):
    return ChildRun(number, f"s_{number}", {"lr": number}, CREATED, state=state, **facts)


@pytest.mark.parametrize(
    ("run_id", "parameters"),
    [("s_1", {"lr": 1}), ("s_7", {}), ("s_x", {}), ("s", {}), ("gone_1", {}), ("", {}), ("_1", {})],
)
def test_the_parameters_of_a_run_are_those_of_its_sweeps_journal(home, run_id, parameters):
    _sweep(home, "s", child(0), child(1))
    assert proposals.parameters_of(home, run_id) == parameters


def test_the_outputs_of_a_run_that_is_gone_on_from(home):
    folder = _run(home, "r")
    assert proposals.outputs_of(home, "r", Target()) == str(folder / "outputs")
    assert proposals.outputs_of(home, "gone", Target()) is None


def test_other_sweeps_that_are_gone_are_passed_over(home):
    assert proposals.resumed_sweeps(home, SimpleNamespace(resume_from=["gone", "gone"])) == []


def _log(folder: Path, *lines: dict) -> None:
    (folder / "metrics").mkdir(exist_ok=True)
    with open(folder / "metrics" / "0-1-a.jsonl", "a", encoding="utf-8") as file:
        file.writelines(json.dumps(each) + "\n" for each in lines)


def test_values_of_the_metric_are_its_numbers_alone(home):
    folder = _run(home, "r")
    values = children.MetricValues(folder, "loss")
    assert values.poll() == children.values_of(folder, "loss") == []
    _log(
        folder,
        {"t": 1, "k": "scalar", "m": "loss", "v": 3},
        {"t": 2, "k": "scalar", "m": "x", "v": 9},
    )
    assert values.poll() == children.values_of(folder, "loss") == [3.0]
    later = [
        {"t": 3 + n, "k": "scalar", "m": "loss", "v": v} for n, v in enumerate((True, "2", 1.5))
    ]
    _log(folder, *later)
    assert values.poll() == children.values_of(folder, "loss") == [3.0, 1.5]
    assert values.poll() == [3.0, 1.5], "nothing new"
    assert children.values_of(folder, "none") == []
    _log(folder, {"t": 9, "k": "list", "m": "loss", "v": [10**400, -(10**400)]})
    assert values.poll()[-2:] == children.values_of(folder, "loss")[-2:] == [math.inf, -math.inf]


def test_what_parameters_explain_of_the_largest_values():
    runs = [
        ChildRun(number, f"r_{number}", {"--a": number % 2}, "", best=1e300 * (number % 2))
        for number in range(8)
    ]
    assert plot.importance(["--a"], runs) == {"--a": 1.0}


@dataclasses.dataclass
class Standing:
    """A sweep as its driver sees it, with a journal on the disk."""

    folder: Path
    journal: Journal
    workspace: WorkspaceFiles
    began: float = 0.0
    exhausted: bool = False
    hopes: object = None
    minutes: float | None = None
    total: int = 10
    live: frozenset = frozenset()

    template = JobSpec(id="t", experiment="e", workspace="w", created=CREATED, script="a.py")

    @property
    def limits(self):
        return SimpleNamespace(max_duration_minutes=self.minutes, max_total_runs=self.total)

    @property
    def flight(self):
        return SimpleNamespace(live=self.live, begun=lambda: self.live, lacks_any=lambda: False)


def standing(home, *kept, **facts):
    folder = _sweep(home, "s", *kept)
    return Standing(folder, Journal(folder).read(), home, **facts)


FAILED = [child(n, "Failed", reason=f"exit code {n}", ended=time.time()) for n in range(3)]


def test_a_sweep_goes_on_while_nothing_stands_against_it(home):
    driver = standing(home, child(0, "Completed"), child(1))
    assert termination.immediate_outcome(driver) is None
    assert termination.can_start_runs(driver)
    assert termination.final_outcome(driver) is None


def test_a_request_to_cancel_ends_it(home):
    driver = standing(home, child(0, "Completed"))
    (driver.folder / "cancel.json").write_text("{}")
    assert termination.immediate_outcome(driver).state == "Canceled"


@pytest.mark.parametrize(("first", "state"), [("Completed", "Completed"), ("Failed", "Canceled")])
def test_when_its_time_is_over_what_completed_counts(home, first, state):
    ending = termination.immediate_outcome(standing(home, child(0, first), minutes=1))
    assert (ending.state, "1" in ending.reason) == (state, True)
    driver = standing_again(home, minutes=10**9)
    assert termination.immediate_outcome(driver) is None


def standing_again(home, **facts):
    folder = home.find_run("s")
    return Standing(folder, Journal(folder).read(), home, **facts)


def test_where_the_first_all_fail_no_other_is_begun(home):
    driver = standing(home, *FAILED)
    assert termination.all_failed(driver)
    assert not termination.can_start_runs(driver)
    ending = termination.immediate_outcome(driver)
    assert ending.state == "Failed"
    assert "exit code 0" in ending.reason
    assert termination.immediate_outcome(standing_again(home, live=frozenset({3}))) is None, (
        "one has begun"
    )
    assert not termination.all_failed(standing_again(home, began=time.time() + 9)), "it was resumed"


@pytest.mark.parametrize(
    "more", [child(3, "Completed"), child(3, "Failed", values=2), child(3, values=1)]
)
def test_one_that_came_to_something_lets_it_go_on(home, more):
    driver = standing(home, *FAILED, more)
    driver.journal.children[3] = more
    assert not termination.all_failed(driver)


@pytest.mark.parametrize(
    ("kept", "facts", "state"),
    [
        ([child(0, "Canceled")], {"total": 1}, "Canceled"),
        ([child(0, "Failed", reason="why")], {"total": 1}, "Failed"),
        ([child(0, "Failed", reason="why"), child(1, "Canceled")], {"total": 2}, "Failed"),
        ([child(0, "Completed"), child(1, "Failed")], {"total": 2}, "Completed"),
        ([child(0, "Completed")], {"exhausted": True}, "Completed"),
        ([], {"exhausted": True}, "Completed"),
    ],
)
def test_how_it_ends_when_all_have_ended(home, kept, facts, state):
    ending = termination.final_outcome(standing(home, *kept, **facts))
    assert ending.state == state
    if state == "Failed":
        assert "why" in ending.reason
    if facts.get("exhausted"):
        assert str(len(kept)) in ending.reason
