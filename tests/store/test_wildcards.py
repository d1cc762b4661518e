"""Wildcards match what the plain expressions match, and end soon whatever the pattern."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from scriptrun.data.stores.globs import compile_glob
from scriptrun.store.snapshots.gitignore import PatternList
from scriptrun.store.wildcards import ANY, FOLDERS, STAR, regex_of

PLAIN = {STAR: "[^/]*", FOLDERS: "(?:.*/)?", ANY: ".*"}
PIECES = st.lists(
    st.one_of(
        st.sampled_from([(STAR, ""), (ANY, "")]),
        st.sampled_from(["a", "b", "/", "[ab]", "[^/]"]).map(lambda regex: ("", regex)),
        # folders begin after a slash, as .gitignore files have them
        st.just(("/", "")),
    ),
    max_size=8,
).map(
    lambda pieces: [
        piece
        for kind, regex in pieces
        for piece in ([("", "/"), (FOLDERS, "")] if kind == "/" else [(kind, regex)])
    ]
)


@given(PIECES, st.lists(st.text("ab/", max_size=12), min_size=1, max_size=10))
def test_it_matches_what_the_plain_expression_matches(pieces, texts):
    plain = "".join(PLAIN.get(kind, regex) for kind, regex in pieces)
    for text in texts:
        found = re.fullmatch(regex_of(pieces), text, re.DOTALL)
        assert bool(found) == bool(re.fullmatch(plain, text, re.DOTALL)), text


def test_patterns_full_of_stars_end():
    path = "/".join(["a" * 60] * 8)
    for pattern in ("*a" * 30 + "b", "**/a*" * 20 + "b", "*" * 500 + "b", "**/*a/" * 20 + "b"):
        assert compile_glob(pattern).fullmatch(path) is None
        assert PatternList(pattern.encode()).find_match(path.encode(), False) is None
