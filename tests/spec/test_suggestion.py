"""spec/suggestion.py: the nearest valid name, in a hint and at a sentence's end."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.spec import suggestion

STATES = ["Queued", "Running", "Completed", "Failed", "Canceled"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("faild", "Failed"), ("FAILED", "Failed"), ("cancelled", "Canceled"), ("runing", "Running")],
)
def test_a_slip_is_recognized_whatever_its_case(typed, meant):
    assert suggestion.nearest(typed, STATES) == [meant]
    assert suggestion.question(typed, STATES) == f"Did you mean {meant!r}? "


def test_nothing_is_suggested_for_a_name_that_resembles_none():
    assert suggestion.nearest("xyz", STATES) == []
    assert suggestion.question("xyz", STATES) == ""
    assert suggestion.did_you_mean("xyz", STATES) == f"; valid names: {', '.join(sorted(STATES))}."
    assert suggestion.did_you_mean("xyz", []) == "."


def test_several_near_names_are_all_named():
    assert suggestion.question("train", ["train2", "train1"], 2) == (
        "Did you mean 'train2' or 'train1'? "
    )
    assert suggestion.did_you_mean("faild", STATES) == "; did you mean 'Failed'?"


@given(st.text(string.ascii_letters, min_size=4, max_size=12), st.data())
def test_one_missing_letter_still_finds_the_name(name, data):
    at = data.draw(st.integers(0, len(name) - 1))
    assert suggestion.nearest(name[:at] + name[at + 1 :], [name, "0" * 20]) == [name]


def test_an_iterator_of_names_is_read_once():
    assert suggestion.did_you_mean("faild", iter(STATES)) == "; did you mean 'Failed'?"


def test_a_hint_names_the_nearest_and_then_all():
    assert suggestion.hint("faild", ["Queued", "Failed"], "States") == (
        "Did you mean 'Failed'? States: Queued, Failed."
    )
    assert suggestion.hint("xyz", iter(["Failed"]), "States") == "States: Failed."
    assert suggestion.hint("xyz", [], "Models") == "Models: none."
