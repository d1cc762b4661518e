"""Where a run's time went, from records of all kinds."""

from __future__ import annotations

import json
import os

import pytest

from scriptrun.runs import phases
from scriptrun.spec import ids
from scriptrun.spec.job import JobSpec
from scriptrun.tracking.run_state import RunState

#: when the run was submitted
T0 = 1_700_000_000.0


@pytest.fixture
def attempts(tmp_path):
    """The phases of a run of ``events`` (seconds after T0, kind, fields) and ``results``."""

    def find(events, results=(), state="Completed", ended=None, nodes=1):
        job = JobSpec("r", "e", "w", ids.utc(T0))
        job = job.replace(distribution=job.distribution.replace(nodes=nodes))
        for path, result in dict(results).items():
            place = tmp_path / "attempts" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            moved = {k: v + T0 if isinstance(v, float) else v for k, v in result.items()}
            place.write_text(json.dumps({"reason": "", **moved}))
        record = [{"t": T0 + t, "kind": kind, **fields} for t, kind, fields in events]
        for event in record:
            if "began" in event:
                event["began"] += T0
        status = RunState(state, ended=None if ended is None else T0 + ended)
        found = phases.attempts(tmp_path, job, record, status)
        return [
            (each.state, {name: round(s, 2) for name, s in each.seconds.items()}) for each in found
        ]

    return find


def state(name, reason=""):
    return {"state": name, "reason": reason}


QUEUED = (1.0, "state", state("Queued"))
RUNNING = (30.0, "state", state("Running"))
WHOLE = [
    QUEUED,
    (2.0, "state", state("Preparing", "building its environment")),
    (12.0, "environment", {"cached": False}),
    (25.0, "launched", {"attempt": 1, "began": 24.0}),
    (25.5, "state", state("Preparing", "delivering its data")),
    RUNNING,
    (90.0, "state", state("Finalizing")),
]
RESULT = {"state": "Completed", "began": 24.0, "script_ended": 90.0, "ended": 91.0}


def test_every_phase(attempts):
    result = {**RESULT, "finalized": 94.0}
    assert attempts(WHOLE, {"1/result.json": result}) == [
        (
            "Completed",
            {
                "submitting": 1.0,
                "queued": 13.0,
                "environment": 10.0,
                "snapshot": 1.5,
                "data": 4.5,
                "script": 60.0,
                "finalizing": 4.0,
            },
        )
    ]


def test_a_record_of_an_older_version(attempts):
    events = [QUEUED, (5.0, "environment", {"cached": True}), RUNNING]
    result = {"state": "Failed", "began": 28.0, "ended": 60.0}
    assert attempts(events, {"1/result.json": result}, "Failed") == [
        ("Failed", {"submitting": 1.0, "queued": 27.0, "snapshot": 2.0, "script": 30.0})
    ]


def test_a_node_whose_clock_is_behind(attempts):
    events = [QUEUED, (-20.0, "launched", {"attempt": 1, "began": -21.0}), (2.0, "state", {})]
    events[-1] = (2.0, "state", state("Running"))
    (found,) = attempts(events, {"1/result.json": {"state": "Completed", "ended": 10.0}})
    assert found[1] == {"submitting": 1.0, "queued": 1.0, "script": 8.0}


def test_several_nodes(attempts):
    events = [
        QUEUED,
        (4.0, "launched", {"attempt": 1, "began": 3.0}),
        (5.0, "state", state("Preparing", "delivering its data")),
        (8.0, "data", {"input": "x"}),
        RUNNING,
    ]
    result = {"state": "Completed", "script_ended": 40.0, "ended": 50.0, "finalized": 51.0}
    (found,) = attempts(events, {"1/result.json": result}, nodes=2)
    assert found[1] == {
        "submitting": 1.0,
        "queued": 2.0,
        "snapshot": 1.0,
        "data": 3.0,
        "nodes": 33.0,  # 1 before the data, 22 before the script, 10 after it
        "script": 10.0,
        "finalizing": 1.0,
    }


def test_retries(attempts):
    events = [*WHOLE, (200.0, "launched", {"attempt": 2, "began": 190.0})]
    events.append((201.0, "state", state("Running")))
    first = {**RESULT, "state": "Failed", "finalized": 91.0}
    last = {"state": "Completed", "script_ended": 221.0, "ended": 221.0, "finalized": 222.0}
    one, two = attempts(events, {"1/node-0.json": first, "2/result.json": last})
    assert one[0] == "Failed" and one[1]["script"] == 60.0
    assert two == (
        "Completed",
        {"queued": 99.0, "snapshot": 11.0, "script": 20.0, "finalizing": 1.0},
    )


def test_a_retry_in_the_queue(attempts):
    first = {**RESULT, "state": "Failed", "finalized": 91.0}
    one, two = attempts(WHOLE, {"1/node-0.json": first}, "Queued")
    assert one[0] == "Failed"
    assert two[0] == "" and list(two[1]) == ["queued"] and two[1]["queued"] > 1e6


@pytest.mark.parametrize("told_by", ["launched", "began", "start.json", "nothing"])
def test_an_attempt_whose_node_was_lost_ends_with_the_next(tmp_path, attempts, told_by):
    for number in (1, 2):
        start = tmp_path / "attempts" / str(number) / "node-0.start.json"
        start.parent.mkdir(parents=True)
        if told_by != "nothing":
            start.touch()
            os.utime(start, (T0 + 190.0, T0 + 190.0))
    told = {
        "launched": [(200.0, "launched", {"attempt": 2, "began": 190.0})],
        "began": [(190.0, "began", {"attempt": 2})],
    }
    events = [QUEUED, RUNNING, *told.get(told_by, []), (201.0, "state", state("Running"))]
    last = {"state": "Completed", "script_ended": 221.0, "ended": 221.0, "finalized": 222.0}
    one, two = attempts(events, {"2/result.json": {**last, "began": 190.0}})
    assert one[0] == "Failed" and two[0] == "Completed"
    if told_by != "nothing":
        assert one[1] == {"submitting": 1.0, "queued": 29.0, "script": 160.0}
        assert two[1]["script"] == 20.0
    assert sum(one[1].values()) + sum(two[1].values()) == 222.0


def test_active_and_lost_runs(attempts):
    ((ended, seconds),) = attempts([QUEUED], state="Queued")
    assert ended == "" and seconds["queued"] > 1e6
    ((ended, seconds),) = attempts([QUEUED, RUNNING], state="Running")
    assert ended == "" and seconds["queued"] == 29.0 and seconds["script"] > 1e6
    ((ended, seconds),) = attempts([QUEUED, RUNNING], state="Failed", ended=33.0)
    assert (ended, seconds["script"]) == ("Failed", 3.0)


def test_damaged_times(attempts):
    result = {"state": "Completed", "ended": 10.0, "script_ended": "late", "finalized": [1]}
    events = [QUEUED, (2.0, "launched", {"attempt": 1}), (3.0, "state", state("Running"))]
    (found,) = attempts(events, {"1/result.json": result})
    assert found[1] == {"submitting": 1.0, "queued": 2.0, "script": 7.0}


def test_events_without_a_time_are_ignored(tmp_path):
    told = [{"t": 0, "kind": "state", **state("Queued")}]
    told.append({"t": 0, "kind": "state", **state("Preparing", "building its environment")})
    told += [
        {"kind": "environment"},
        {"kind": "launched", "attempt": 1},
        {"kind": "data", "input": "x"},
    ]
    job = JobSpec("r", "e", "w", "")
    job = job.replace(distribution=job.distribution.replace(nodes=2))
    (found,) = phases.attempts(tmp_path, job, told, RunState("Failed", ended=5.0))
    assert found.seconds == {"queued": 0.0, "environment": 5.0}
