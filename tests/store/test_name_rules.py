"""Names that people choose."""

from __future__ import annotations

import pytest

from scriptrun.store import name_rules


@pytest.mark.parametrize("name", ["gpu", "v100-cluster", "a.b_c", "4gpu", "große", "x" * 300])
def test_valid_names(name):
    assert not name_rules.strict_problem(name) and not name_rules.problem(name)


@pytest.mark.parametrize(
    "name",
    ["../x", "a/b", "a\\b", "", " ", ".hidden", "-x", "a:1", "a@1", "a\nb", "a\x1b[0m", None],
)
def test_invalid_names(name):
    assert name_rules.strict_problem(name) and name_rules.problem(name)


def test_spaces_are_allowed_where_the_sdk_allowed_them():
    assert not name_rules.problem("diabetes dataset")
    assert name_rules.problem(" diabetes")
    assert "letters" in name_rules.strict_problem("my cluster")
