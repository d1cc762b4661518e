"""A script's header: where its block begins and ends, and headers that are none."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.config.environments import conda_comments, script_header
from scriptrun.spec.errors import EnvironmentException

#: the expression of PEP 723, with spaces and empty lines allowed around the marks
BLOCK = r"(?m)^# /// script\s*$\s(?P<content>(^#(| .*)$\s)+)^# ///\s*$"
LINES = ["# /// script", "# /// script ", "# ///", "# /// ", "#", "# a", "#b", "", "x = 1"]


@given(st.lists(st.sampled_from(LINES), max_size=10).map("\n".join))
def test_blocks_are_those_of_the_expression(text):
    expected = [match["content"].splitlines() for match in re.finditer(BLOCK, f"{text}\n")]
    assert script_header._find_blocks(text.split("\n"))[0] == expected


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("tool = 3", "'tool' must be a table, not 3"),
        ("tool.uv = 3", "'uv' must be a table, not 3"),
        ("tool.uv.index = 3", "invalid 'index'"),
        ("tool.uv.index = [{}]", "invalid 'index'"),
        ("tool.uv.sources = [1]", "invalid 'sources'"),
        ("tool.uv.find-links = [1]", "invalid 'find-links'"),
        ("dependencies = 3", "must be a list of strings"),
        ("requires-python = 3", "must be a string"),
        ("a = " + "[" * 10_000, "nested more than 100 levels"),
        (".".join(["a"] * 500) + " = 1", "nested more than 100 levels"),
        ("a = " + "9" * 5000, "not valid TOML"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_metadata_is_said(tmp_path, content, problem):
    path = tmp_path / "x.py"
    path.write_text(f"# /// script\n# {content}\n# ///\n")
    with pytest.raises(EnvironmentException, match=problem):
        script_header.find(path)


def test_endless_headers_and_comments_end():
    with pytest.raises(EnvironmentException, match="not closed"):
        script_header.read("# /// script\n" * 100_000, "x.py")
    assert conda_comments._split_comment("a" + " " * 200_000 + "b") == (
        "a" + " " * 200_000 + "b",
        "",
    )
    assert conda_comments._split_comment("a   # b # c") == ("a", "# b # c")
    assert conda_comments._split_comment("'a  # b'") == ("'a  # b'", "")
