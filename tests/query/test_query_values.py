"""Times, durations and numbers in queries."""

from __future__ import annotations

import datetime

import pytest

from scriptrun.query import moments, numbers

#: a Tuesday at noon, local time
NOW = datetime.datetime(2024, 5, 14, 12, 0).timestamp()


def at(*parts):
    return datetime.datetime(*parts).timestamp()


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("now", NOW, NOW),
        ("-2d", NOW - 172800, NOW - 172800),
        ("-1h30m", NOW - 5400, NOW - 5400),
        ("-1.5h", NOW - 5400, NOW - 5400),
        ("+1min", NOW + 60, NOW + 60),
        ("today", at(2024, 5, 14), at(2024, 5, 15)),
        ("Yesterday", at(2024, 5, 13), at(2024, 5, 14)),
        ("2024-05", at(2024, 5, 1), at(2024, 6, 1)),
        ("2023-12", at(2023, 12, 1), at(2024, 1, 1)),
        ("2024-02-29", at(2024, 2, 29), at(2024, 3, 1)),
        ("2024-05-01T10", at(2024, 5, 1, 10), at(2024, 5, 1, 11)),
        ("2024-05-01 10:30", at(2024, 5, 1, 10, 30), at(2024, 5, 1, 10, 31)),
        ("2024-05-01t10:30:05", at(2024, 5, 1, 10, 30, 5), at(2024, 5, 1, 10, 30, 6)),
        ("2024-05-01T10:30Z", 1714559400.0, 1714559460.0),
        ("2024-05-01T10:30+02:00", 1714552200.0, 1714552260.0),
    ],
)
def test_times(text, start, end):
    assert moments.parse_time(text, NOW) == moments.Moment(start, end)


@pytest.mark.parametrize(
    "text",
    ["", "-2", "-2x", "2d", "2023-02-29", "2024-13", "14", "tomorrow", "2024-05-01x", "--1d"],
)
def test_what_is_no_time(text):
    assert moments.parse_time(text, NOW) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1.5h", 5400), ("2 h 5 min", 7500), ("1w", 604800), (".5m", 30)],
)
def test_durations(text, seconds):
    assert moments.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "1y", "-1h", "1h-", "h", "٩h", "٩", "9" * 400 + "h"])
def test_what_is_no_duration(text):
    assert moments.parse_duration(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e-3", 0.001),
        ("0.001", 0.001),
        ("-5", -5.0),
        (".5", 0.5),
        ("inf", float("inf")),
        ("-Infinity", float("-inf")),
        ("nan", None),
        ("1_000", None),
        ("0x10", None),
        ("1e999", None),
        ("\uff11\uff12", None),
        ("", None),
    ],
)
def test_numbers(text, number):
    assert numbers.parse_number(text) == number


def test_texts_as_they_are_compared():
    assert [numbers.comparable(text) for text in ("True", "FALSE", "NaN", "Yes")] == [
        "true",
        "false",
        "nan",
        "Yes",
    ]
