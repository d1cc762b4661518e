"""Values of numpy and pandas, where a setting takes Python's own."""

from __future__ import annotations

import enum
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from scriptrun.spec import library_values
from scriptrun.spec.errors import UserErrorException
from scriptrun.spec.library_values import plain_value, text_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.bool_(True), True),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.str_("a"), "a"),
        (np.array(3), 3),
        (np.arange(3), [0, 1, 2]),
        (pd.Series(["a", "b"]), ["a", "b"]),
        (pd.Index([1.5]), [1.5]),
    ],
    ids=str,
)
def test_they_become_pythons_own(value, expected):
    plain = plain_value(value)
    assert plain == expected
    assert type(plain) is type(expected)


@pytest.mark.parametrize("value", [1, "a", None, [np.int64(1)], Decimal("0.10")], ids=repr)
def test_anything_else_is_unchanged(value):
    assert plain_value(value) is value


class Color(str, enum.Enum):  # noqa: UP042
    RED = "red"


class Level(int, enum.Enum):
    HIGH = 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Color.RED, "red"),
        (Level.HIGH, "3"),
        (True, "True"),
        (np.float64(0.1), "0.1"),
        (np.str_("a"), "a"),
        (Decimal("1.10"), "1.10"),
        (None, "None"),
    ],
    ids=str,
)
def test_a_value_as_text(value, text):
    assert text_of(value) == text


def test_a_library_that_is_not_installed(monkeypatch):
    assert library_values.require("pandas", "this") is pd
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserErrorException) as caught:
        library_values.require("pandas", "to_frame()", "Or use list().")
    assert caught.value.message == "to_frame() requires pandas, which is not installed."
    assert caught.value.hint == "Install it: pip install pandas. Or use list()."
