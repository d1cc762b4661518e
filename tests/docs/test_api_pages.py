"""The reference of the API holds every public name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import scriptrun

PAGES = Path(__file__).resolve().parents[2] / "docs" / "reference" / "api"
LISTED = {
    name
    for page in PAGES.glob("*.md")
    for name in re.findall(r"(?m)^::: (\S+)$", page.read_text("utf-8"))
}


@pytest.mark.parametrize("name", sorted(set(scriptrun.__all__) - {"__version__", "exceptions"}))
def test_every_public_name_is_in_the_reference(name):
    assert f"{scriptrun._HOMES[name]}.{name}" in LISTED


@pytest.mark.parametrize("name", scriptrun.exceptions.__all__)
def test_every_exception_is_in_the_reference(name):
    assert f"{getattr(scriptrun.exceptions, name).__module__}.{name}" in LISTED
