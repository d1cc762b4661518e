"""Control characters: shown in names, removed from logs, whatever pieces a log arrives in."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.spec.control_characters import LogCleaner, escape, one_line
from scriptrun.spec.errors import UserErrorException

#: texts that are rich in what terminals act on
HOSTILE = st.lists(
    st.one_of(
        st.sampled_from(
            "\x1b \x1b[ \x1b] \x1bP \x1b\\ \x1b[31m \x1b[0m \x1b[2J \x1b]52;c;aGk=\a \x1b]8;;u \a \b \r \n \x9b31m "
            "\x9d \x18 ; m 0 : ä \u202e \u2066 \x7f \x85 (".split(" ")
        ),
        st.text(max_size=3),
    )
).map("".join)
BYTES = st.one_of(HOSTILE.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary())


def cleaned(*pieces: bytes) -> bytes:
    cleaner = LogCleaner()
    return b"".join(cleaner.clean(piece) for piece in pieces) + cleaner.clean(b"", True)


@given(HOSTILE)
def test_nothing_that_a_terminal_acts_on_is_left_in_a_name(text):
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", escape(text)
    )
    assert not re.search("[\t\n\u2028\u2029]", one_line(text))
    assert escape(escape(text)) == escape(text)


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs"])))
def test_other_text_is_unchanged(text):
    assert escape(text) == text
    data = text.encode("utf-8")
    assert cleaned(data) == data


def test_escapes_are_readable():
    assert escape("a\x1b[31mb\x9b\u202e\tc\nd") == "a\\x1b[31mb\\x9b\\u202e\tc\nd"
    assert (
        escape("\u061c\u200e\u200f\u200d") == "\\u061c\\u200e\\u200f\u200d"
    )  # no joiners, as of emoji
    assert one_line("a\tb\nc") == "a b c"
    assert str(UserErrorException("no \x1b[2J", "see \x07")) == "no \\x1b[2J\n  see \\x07"


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"\x1b[1;31mred\x1b[0m\x1b[m", b"\x1b[1;31mred\x1b[0m\x1b[m"),  # colours
        (b"\x1b[38:2::1:2:3mx", b"\x1b[38:2::1:2:3mx"),
        (b"10%\r20%\r\n", b"10%\r20%\r\n"),  # a progress bar
        (b"a\x1b[Ab\x1b[2Kc\x1b[?25ld", b"abcd"),  # the cursor
        (b"a\x1b[>4;1mb", b"ab"),  # how keys are reported
        (b"a\x1b]52;c;aGk=\x07b", b"ab"),  # the clipboard
        (b"a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b", b"alinkb"),
        (b"a\x1bPq#0\x1b\\b\x1b_c\x1b\\d", b"abd"),  # DCS, APC
        (b"a\x1b]0;title\x1b[31mred", b"a\x1b[31mred"),
        (b"a\x1b]0;without end\nthe next line", b"a\nthe next line"),
        (b"a\x1b[12\nb", b"a\nb"),
        (b"a\x1b[12\xc3\xa4", "aä".encode()),
        (b"a\x1bcb\x1b(0c\x1b7d", b"abcd"),  # reset, character sets, the cursor's place
        (b"bell\x07 back\x08\x08 null\x00 shift\x0e delete\x7f", b"bell back null shift delete"),
        (b"\xc2\x9b31m \x9b31m \xc2\x85", b"\\x9b31m \\x9b31m \\x85"),  # C1, of both kinds
        ("a\u202eb\u2066".encode(), b"a\\u202eb\\u2066"),
        (b"not UTF-8: \xff\xe4 \xe2\x82", b"not UTF-8: \xff\xe4 \xe2\\x82"),
        (b"\x1b[" + b"1" * 1000 + b"mx", b"x"),
        (b"cut \x1b", b"cut "),
    ],
)
def test_of_a_logs_sequences_only_colours_are_left(data, shown):
    assert cleaned(data) == shown


@given(BYTES)
def test_a_cleaned_log_holds_no_sequence_but_sgr(data):
    rest = re.sub(rb"\x1b\[[0-9;:]*m", b"", cleaned(data))
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", rest)
    assert not re.search("[\x80-\x9f\udc80-\udc9f]", rest.decode("utf-8", "surrogateescape"))


@given(BYTES, st.lists(st.integers(0, 50)))
def test_a_log_in_pieces_is_cleaned_as_one_is(data, cuts):
    edges = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    assert cleaned(*pieces) == cleaned(data)


@given(BYTES)
def test_lines_are_not_lost(data):
    assert cleaned(data).count(b"\n") == data.count(b"\n")


@pytest.mark.parametrize(
    ("data", "coloured"), [(b"\x1b[31m", True), (b"\x1b[31m\x1b[0m", False), (b"a", False)]
)
def test_colours_that_stay_on_are_known(data, coloured):
    cleaner = LogCleaner()
    cleaner.clean(data)
    assert cleaner.is_coloured == coloured
