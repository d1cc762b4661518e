"""What a value read from a file may be, by its field's annotation."""

from __future__ import annotations

import pytest

from scriptrun.spec import field_types
from scriptrun.spec.environment import EnvironmentSpec
from scriptrun.spec.job import JobSpec
from scriptrun.spec.job_data import JobData

JOB = {"id": "r", "experiment": "e", "workspace": "w", "created": "2024-05-01T10:00:00Z"}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("str", ["", "a"], [None, 1, [], {}, True]),
        ("int", [0, -3], [1.5, "1", None, True]),
        ("float", [0, 2.5, float("inf")], ["1", None, False]),
        ("bool", [True, False], [0, 1, "true", None]),
        ("str | None", ["", None], [0, []]),
        ("int | float | None", [1, 1.5, None], ["1"]),
        ("Json", [{}, {"a": [1]}], [[], None, "{}"]),
        ("dict[str, str | None]", [{}, {"a": 1}], [[], None]),
        ("dict[str, str] | None", [{}, None], [[], 1]),
        ("tuple[str, ...]", [(), ["a"], ("a", "b")], ["a", None, [1], ["a", None]]),
        ("list[list[str]]", [[], [["a"]]], [["a"], [[1]], {}]),
        ("tuple[str, ...] | None", [None, []], [1, [1]]),
        ("SomeOtherClass | None", [1, None, {}], []),
    ],
)
def test_what_a_field_may_hold(kind, good, bad):
    for value in good:
        field_types.check({"field": kind}, {"field": value, "another": object()})
    for value in bad:
        with pytest.raises(ValueError, match="in the field 'field'"):
            field_types.check({"field": kind}, {"field": value})


def test_the_sentence_names_what_is_expected_and_what_is_there():
    with pytest.raises(ValueError) as caught:
        field_types.check({"a": "str | None"}, {"a": [1]})
    assert str(caught.value) == "expected text or null in the field 'a', not a list"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((name, 7) for name in ("id", "created", "arguments", "target", "tags", "data", "retry")),
        ("arguments", "words"),
        ("arguments", [1]),
        ("target", {"options": []}),
        ("distribution", {"nodes": "2"}),
        ("environment", {"pip": "numpy"}),
        ("environment", {"docker": []}),
        ("environment", {"docker": {"platform": "linux"}}),
        ("data", {"inputs": {}}),
        ("data", {"inputs": [7]}),
        ("data", {"inputs": [{"dataset": []}]}),
        ("data", {"outputs": [{"source_globs": 1}]}),
        ("retry", {"limit": "x"}),
        ("resources", {"gpus": "all"}),
        ("grace_seconds", None),
        ("format", "new"),
        ("format", 99),
    ],
)
def test_a_damaged_job_is_refused_with_a_sentence(field, value):
    with pytest.raises(ValueError) as caught:
        JobSpec.from_dict({**JOB, field: value})
    assert str(caught.value).startswith(("expected ", "job.json has format 99"))


def test_what_is_whole_reads_as_it_was_written():
    environment = EnvironmentSpec(kind="packages", pip=("numpy",), local={"a": "b"})
    job = JobSpec(**JOB, arguments=("a",), environment=environment, data=JobData(expands=True))
    assert JobSpec.from_dict(job.to_dict()) == job
