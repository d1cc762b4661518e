from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.runtime.injob import short_names
from scriptrun.runtime.injob.short_names import short_name

LISTS = {"adjectives": short_names._ADJECTIVES, "nouns": short_names._NOUNS}
#: of people's IDs: they never change
FOREVER = {
    "digits_1764580000_ab12cd34": "scarlet-owl-61",
    "digits_1764580000_ab12cd34_0": "casual-osprey-89",
    "HD_0b4a51f6-9d4c-4e8e-8d3e-2f1b7a6c5d4e_17": "gallant-alpaca-53",
    "réseau_1500000000_00000000": "alpine-mitten-60",
    "train_1712345678_\udcff": "happy-octopus-85",
    "": "tidal-piano-61",
}


@pytest.mark.parametrize("run_id", FOREVER)
def test_a_name_never_changes(run_id):
    assert short_name(run_id) == FOREVER[run_id]


@given(
    st.text(
        st.characters(codec="utf-8") | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
    )
)
def test_every_id_has_a_name_that_can_be_typed(run_id):
    assert re.fullmatch(r"[a-z]{3,7}-[a-z]{3,7}-[1-9][0-9]?", short_name(run_id))


def test_names_are_spread_evenly():
    """Of a sweep's child runs, too, whose IDs differ by their last digits."""
    names = [short_name(f"digits_1764580000_ab12cd34_{n}").split("-") for n in range(50_000)]
    for part, count in enumerate([256, 256, 99]):
        found = Counter(name[part] for name in names)
        expected = len(names) / count
        assert len(found) == count
        assert all(abs(each - expected) < 6 * expected**0.5 for each in found.values())


def _are_near(first, second):
    """Whether one letter too many, too few, wrong or swapped turns one word into the other."""
    shorter, longer = sorted((first, second), key=len)
    if len(longer) - len(shorter) > 1:
        return False
    if len(longer) > len(shorter):
        return any(longer[:n] + longer[n + 1 :] == shorter for n in range(len(longer)))
    wrong = [n for n in range(len(first)) if first[n] != second[n]]
    swapped = len(wrong) == 2 and first[wrong[0]] + first[wrong[1]] == (
        second[wrong[1]] + second[wrong[0]]
    )
    return len(wrong) <= 1 or swapped


@pytest.mark.parametrize("words", LISTS.values(), ids=LISTS)
def test_words_differ_by_more_than_a_slip(words):
    assert len(set(words)) == 256
    assert words == sorted(words)
    near = [(a, b) for n, a in enumerate(words) for b in words[n + 1 :] if _are_near(a, b)]
    assert near == []


def test_no_word_is_near_one_of_the_other_list():
    adjectives, nouns = LISTS.values()
    assert [(a, b) for a in adjectives for b in nouns if _are_near(a, b)] == []
