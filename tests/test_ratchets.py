"""What is still to be tidied up only gets less (ratchets.py)."""

from __future__ import annotations

import pytest
import ratchets


@pytest.fixture(scope="module")
def now() -> dict[str, int]:
    return ratchets.measured()


@pytest.mark.parametrize("name", list(ratchets.COUNTED))
def test_it_has_not_risen(now, name):
    assert now[name] <= ratchets.allowed()[name], "see tests/ratchets.py for what is counted"


@pytest.mark.parametrize("name", list(ratchets.COUNTED))
def test_what_has_fallen_is_written_down(now, name):
    assert now[name] >= ratchets.allowed()[name], "run: python tests/ratchets.py"
