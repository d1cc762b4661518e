"""Timestamps of records."""

from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from scriptrun.spec import ids


@given(st.floats(0, 4e9))
def test_seconds_as_iso_8601_with_a_zone(seconds):
    text = ids.utc(seconds)
    assert text.endswith("Z") and len(text) == len("2024-05-01T10:00:00.000000Z")
    moment = datetime.datetime.fromisoformat(text)
    assert moment.utcoffset() == datetime.timedelta(0)
    assert abs(moment.timestamp() - seconds) < 1e-5


def test_only_numbers_become_times():
    record = {"began": 0.5, "ended": None, "created": "1970-01-01T00:00:00Z", "size": 1}
    assert ids.with_iso_times(record, "began", "ended", "created", "gone") == {
        **record,
        "began": "1970-01-01T00:00:00.500000Z",
    }
