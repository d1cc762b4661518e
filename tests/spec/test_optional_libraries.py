"""Libraries that scriptrun does without."""

from __future__ import annotations

import json
import sys

import pytest

from scriptrun.spec import optional_libraries
from scriptrun.spec.errors import UserErrorException


def test_an_installed_library_and_one_that_is_not(monkeypatch):
    assert optional_libraries.require("json", "this") is json
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserErrorException) as caught:
        optional_libraries.require("pandas", "to_frame()", "Or use list().")
    assert caught.value.message == "to_frame() requires pandas, which is not installed."
    assert caught.value.hint == "Install it: pip install pandas. Or use list()."
