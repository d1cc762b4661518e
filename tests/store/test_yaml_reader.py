"""One reader of YAML: its limits, its errors, its values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import scriptrun
from scriptrun.store import yaml_reader
from scriptrun.store.document_limits import LimitExceeded, Limits, MalformedDocument

INFINITY = float("inf")
SMALL = Limits(characters=1000, values=20, depth=5)
#: nine levels of ten aliases each: a billion values
LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


def test_no_other_module_parses_yaml():
    source = Path(scriptrun.__file__).parent
    others = [
        path.name
        for path in source.rglob("*.py")
        if re.search(r"yaml\.(safe_|full_|unsafe_)?load|SafeLoader", path.read_text("utf-8"))
        and path.name != "yaml_reader.py"
    ]
    assert not others


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 3.10\nb: 2020-01-01\nc: yes\nd:\n", {"a": 3.1, "b": "2020-01-01", "c": "yes", "d": None}),
        ("[0123, 08, 0o17, 0x1F, +12, -7]", [123, 8, 15, 31, 12, -7]),
        ("[1e3, 1.5E3, .5, -.5, 1., -.inf, .INF]", [1000.0, 1500.0, 0.5, -0.5, 1.0, -INFINITY, INFINITY]),
        ("[1_000, 12:30:00, 0b11, 0O17, -0o7, 1.2.3, '~', =, on, n]",
         ["1_000", "12:30:00", "0b11", "0O17", "-0o7", "1.2.3", "~", "=", "on", "n"]),
        ("[~, null, Null, NULL, true, True, FALSE, nUll, tRue]",
         [None, None, None, None, True, True, False, "nUll", "tRue"]),
        ("[!!int 010, !!float 3, !!str 010, !!bool TRUE]", [10, 3.0, "010", True]),
        ("a: <<\nb: [<<]", {"a": "<<", "b": ["<<"]}),
        ("a: 1\na: 2\n", {"a": 2}),
        ("a: &x {k: v}\nb: *x\nc: {<<: *x, l: w}", {"a": {"k": "v"}, "b": {"k": "v"}, "c": {"k": "v", "l": "w"}}),
        ("", None),
        (b"a: \xc3\xa4", {"a": "ä"}),
    ],
)  # fmt: skip
def test_values(text, value):
    assert yaml_reader.parse(text) == value


def test_scalars_keep_their_text():
    value = yaml_reader.parse("a: 3.10\nb: 2020-01-01\n0x1F: True", keep_text=True)
    assert value == {"a": "3.10", "b": "2020-01-01", "0x1F": "True"}
    assert (value["a"].value, value["0x1F"].value) == (3.1, True)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LAUGHS, "line 6, column .* more than 100,000 values"),
        ("[" * 100_000, "line 1, column 101: it is nested more than 100 levels deep"),
        ("- " * 5000, "nested more than 100"),
        ("? " * 5000, "nested more than 100"),
        (
            "".join(f"a{n}: &a{n} [*a{n - 1}]\n" if n else "a0: &a0 x\n" for n in range(500)),
            "nested",
        ),
        ("a: &a\n  b: *a", "line 2, column 6: .* refers to a value that contains it"),
        ("#" * (5 << 20), "it is larger than 4 MiB"),
        ("x: " + "9" * 5000, "line 1, column 4"),
        ("x: 0x" + "f" * 5000, "line 1, column 4: .*too large"),
        ("a:\n  !!int b", "line 2, column 3: .*invalid value 'b'"),
        ("a: !!bool b", "invalid value 'b'"),
        ("a: !!timestamp 2020-01-01", "the tag 'timestamp' is not supported"),
        ("a: !!bool yes", "invalid value 'yes': expected true or false"),
        ("a: !!set {b}", "the tag 'set' is not supported"),
        ("a: !!binary aGk=", "the tag 'binary' is not supported"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        (r'"\UFFFFFFFF"', "an escape for no character"),
        ("a\nb\x01c", "line 2"),
        (b"a: \xff", "unacceptable character"),
        ("? [a]\n: b", "unhashable key"),
        ("a: [", "line 1, column 5: invalid YAML"),
        ("a\n---\nb", "another document"),
    ],
    ids=lambda text: repr(text)[:20],
)
@pytest.mark.parametrize("keep_text", [False, True])
def test_what_cannot_be_read_is_said_with_its_line(text, problem, keep_text):
    with pytest.raises(MalformedDocument, match=problem):
        yaml_reader.parse(text, keep_text)


def test_limits_are_exact():
    assert yaml_reader.parse("[[[[a]]]]", limits=SMALL) == [[[["a"]]]]
    with pytest.raises(LimitExceeded):
        yaml_reader.parse("[[[[[a]]]]]", limits=SMALL)
    assert yaml_reader.parse(f"[{'a,' * 19}]", limits=SMALL) == ["a"] * 19
    with pytest.raises(LimitExceeded):
        yaml_reader.parse(f"[{'a,' * 20}]", limits=SMALL)


def test_nulls_keep_their_text_if_asked():
    value = yaml_reader.parse("a: ~\nb:\nNull: 'null'", keep_text=True, keep_nulls=True)
    assert value == {"a": "~", "b": "", "Null": "null"}
    assert [value["a"].value, value["b"].value, list(value)[2].value] == [None, None, None]


def test_an_escaped_surrogate_pair_is_one_character():
    assert yaml_reader.parse('["\\ud83d\\ude00", "\\ud83d", "\\U0001F600"]') == [
        "😀",
        "\ud83d",
        "😀",
    ]
