"""JSON of others: any depth and size ends in an error with a line."""

from __future__ import annotations

import pytest

from scriptrun.store import document_limits, json_reader
from scriptrun.store.document_limits import LimitExceeded, Limits, MalformedDocument


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 200_000, "line 1, column 101: it is nested more than 100 levels deep"),
        ('{"a":\n' * 200_000, "line 101, column 1: it is nested"),
        ('["[[[", ' + "[" * 150 + "]" * 150 + "]", "line 1, column 108: it is nested"),
        ("[" + "1," * 200_000 + "1]", "more than 100,000 values"),
        ("9" * 5000, "invalid JSON"),
        ("[1,\n2", "line 2, column 2: invalid JSON"),
        (b"\xff", "not UTF-8"),
        (b'"\xff"', "not UTF-8"),
        ("", "line 1, column 1: invalid JSON"),
        (" " * (5 << 20), "larger than 4 MiB"),
    ],
    ids=lambda text: repr(text)[:20],
)
def test_what_cannot_be_read_is_said_with_its_line(text, problem):
    with pytest.raises(MalformedDocument, match=problem):
        json_reader.parse(text)


def test_values():
    assert json_reader.parse('{"a": [1, null, "x"]}') == {"a": [1, None, "x"]}
    assert json_reader.parse("[" * 100 + "]" * 100)


def test_a_file_is_read_up_to_its_limit(tmp_path):
    limits = Limits(characters=1 << 20, values=10)
    path = tmp_path / "x"
    path.write_text("\ufeff" + "a" * (1 << 20), "utf-8")
    assert document_limits.read_text(path, limits) == "a" * (1 << 20)
    path.write_text("a" * ((1 << 20) + 1))
    with pytest.raises(LimitExceeded, match="larger than 1 MiB"):
        document_limits.read_text(path, limits)
    with pytest.raises(OSError, match="a pipe or a device"):
        document_limits.read_text("/dev/zero", limits)


def test_a_file_is_read_as_its_byte_order_mark_says(tmp_path):
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        (tmp_path / "x").write_text("a: ä\n", encoding)
        assert document_limits.read_text(tmp_path / "x") == "a: ä\n"
    (tmp_path / "x").write_bytes("\ufeffa".encode("utf-16-be"))
    assert document_limits.read_text(tmp_path / "x") == "a"


def test_constants_keep_their_text():
    value = json_reader.parse("[NaN, -Infinity]", number=lambda text, number: (text, number))
    assert [text for text, _ in value] == ["NaN", "-Infinity"]
