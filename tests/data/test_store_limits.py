"""What a store's server may not exceed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.data.errors import DatastoreException
from scriptrun.data.stores import limits


def test_entries_are_counted(monkeypatch):
    monkeypatch.setenv(limits.MAX_ENTRIES_SETTING, "3")
    limit = limits.ListingLimit("store")
    for _ in range(3):
        limit.add()
    with pytest.raises(DatastoreException, match="of store lists more than 3 files"):
        limit.add()


@pytest.mark.parametrize("setting", ["", "many", "-1", "²"])
def test_a_setting_that_is_no_number_does_not_count(monkeypatch, setting):
    monkeypatch.setenv(limits.MAX_ENTRIES_SETTING, setting)
    assert limits.max_entries() > 1_000_000


@given(st.text() | st.integers().map(str) | st.none())
def test_sizes(text):
    try:
        size = limits.parse_size(text, "store")
    except DatastoreException as error:
        assert "announces a file" in str(error) and text.isdigit()
        return
    assert -1 <= size <= limits.MAX_SIZE
    assert size == -1 or size == int(text)
