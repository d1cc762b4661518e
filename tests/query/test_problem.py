"""How the problems of a query are shown."""

from __future__ import annotations

import pytest

from scriptrun.query.problem import Problem, QueryException, refuse


def test_without_problems_nothing_is_raised():
    refuse("a", [])


def test_one_problem_has_its_hint_below():
    with pytest.raises(QueryException) as caught:
        refuse("state=x", [Problem("Unknown state 'x'.", 6, 7, "States: a.")])
    assert caught.value.message == "Invalid query: Unknown state 'x'.\n    state=x\n          ^"
    assert caught.value.hint == "States: a."


def test_carets_stand_below_wide_characters_and_behind_the_end():
    with pytest.raises(QueryException) as caught:
        refuse("日本=x", [Problem("a", 0, 2), Problem("b", 4, 4)])
    assert caught.value.message.split("\n")[2] == "    ^^^^  ^"


def test_control_characters_are_not_shown():
    with pytest.raises(QueryException) as caught:
        refuse("a\x1b[2J\n=", [Problem("b", 0, 1)])
    assert caught.value.message.split("\n")[1] == "    a [2J ="
