from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun.spec.errors import UserErrorException
from scriptrun.store import sizes


@settings(max_examples=50)
@given(number=st.integers(0, 10**15), unit=st.sampled_from(["", "k", "MB", "GiB", " TB", "tib"]))
def test_sizes(number, unit):
    factor = {"": 1, "k": 10**3, "MB": 10**6, "GiB": 1 << 30, " TB": 10**12, "tib": 1 << 40}[unit]
    assert sizes.size(f"{number}{unit}", "SIZE") == pytest.approx(number * factor, rel=1e-9)


@pytest.mark.parametrize("text", ["", "much", "5 potatoes", "-1", "1.2.3"])
def test_no_sizes(text):
    with pytest.raises(UserErrorException, match=r"Invalid size SIZE="):
        sizes.size(text, "SIZE")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("20 min", 1200), ("12h", 43200), ("30d", 2592000), ("2", 172800)],
)
def test_ages(text, seconds):
    assert sizes.age(text, "AGE") == seconds


def test_no_age():
    with pytest.raises(UserErrorException, match="Invalid age AGE='old'"):
        sizes.age("old", "AGE")
