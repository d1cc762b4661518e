"""What is written reads back the same, whichever YAML its reader follows."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.store import yaml_reader, yaml_writer

#: texts that YAML 1.1, YAML 1.2 or a reader of either takes for something else if unquoted
NASTY = [
    *("3.10", "0123", "08", "1e3", "1.5e3", "+.5", "0o17", "0x1F", "0b11", "1_000", "12:30:00"),
    *("yes", "No", "on", "OFF", "y", "N", "true", "True", "FALSE", "null", "Null", "~", ""),
    *("2020-01-01", "2020-01-01 10:00:00Z", ".inf", "-.INF", ".NaN", "<<", "=", "&a", "*a", "- a"),
    *("a: b", "a #b", "#", "%YAML", "---", "...", "{", "[", "|", ">", "@", "`", "!", "!!int 3"),
    *("a\x85b", "a\u2028b\u2029", "\ufeff", "a\nb\n", " a", "a ", "\t", "\x1b[31m", "😀", "\ud800"),
]
TEXTS = st.text() | st.sampled_from(NASTY)
#: each kind of writing that scriptrun has
STYLES = [{}, {"blocks": True}, {"empty_nulls": True, "width": 10**6}]
values = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
)


@pytest.mark.parametrize("style", STYLES)
@given(value=values)
def test_values_come_back(style, value):
    value = {"value": value}
    written = yaml_writer.dump(value, **style)
    assert yaml_reader.parse(written) == value
    assert yaml.safe_load(written) == value


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_texts_are_never_taken_for_something_else(style, text):
    for value in ({"key": text}, {text: "value"}, [text, [text]]):
        written = yaml_writer.dump(value, **style)
        assert yaml_reader.parse(written) == value == yaml.safe_load(written)
        kept = yaml_reader.parse(written, keep_text=True)
        assert kept == value and "PlainScalar" not in str(kept)


def test_a_text_is_quoted_for_readers_of_any_version():
    texts = ["1e3", "0o17", "08", "1_000", "12:30", "yes", "y", "2020-01-01"]
    assert yaml_writer.dump(texts) == "".join(f"- '{text}'\n" for text in texts)
    assert yaml_writer.dump(["1.2.3", "a-b", "x"]) == "- 1.2.3\n- a-b\n- x\n"


def test_numbers_and_nulls():
    assert yaml_writer.dump([1e20, 1e-05, math.inf, 3, None]) == (
        "- 1.0e+20\n- 1.0e-05\n- .inf\n- 3\n- null\n"
    )
    assert yaml_writer.dump({"a": None}, empty_nulls=True) == "a:\n"
    assert yaml_writer.dump(["a\nb\n"], blocks=True) == "- |\n  a\n  b\n"


def test_several_documents():
    written = yaml_writer.dump_all([{"a": 1}, {"b": "yes"}])
    assert list(yaml.safe_load_all(written)) == [{"a": 1}, {"b": "yes"}]


def test_texts_that_some_readers_cannot_read_as_numbers_are_quoted():
    assert yaml_writer.dump(["+_", "._", "_"]) == "- '+_'\n- '._'\n- '_'\n"
