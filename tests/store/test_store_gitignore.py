"""Single lines of ignore files, and which of them decides; whole trees are compared with git's."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun.store.snapshots import gitignore
from scriptrun.store.snapshots.ignore import Reason, Rules, rules_for

FILE, FOLDER = False, True


@pytest.mark.parametrize(
    ("line", "path", "is_folder", "fits"),
    [
        ("a", "a", FILE, True),
        ("a", "x/a", FILE, True),
        ("a", "ab", FILE, False),
        ("/a", "x/a", FILE, False),
        ("/a", "a", FOLDER, True),
        ("a/", "a", FILE, False),
        ("a/", "x/a", FOLDER, True),
        ("x/a", "x/a", FILE, True),
        ("x/a", "y/x/a", FILE, False),
        ("*.log", "deep/er/x.log", FILE, True),
        ("*.log", ".log", FILE, True),
        ("*.log", "x.logs", FILE, False),
        ("x*z", "x/z", FILE, False),
        ("a?c", "abc", FILE, True),
        ("a?c", "a/c", FILE, False),
        ("**/a", "a", FILE, True),
        ("**/a", "x/y/a", FILE, True),
        ("a/**", "a", FOLDER, False),
        ("a/**", "a/b/c", FILE, True),
        ("a/**/b", "a/b", FILE, True),
        ("a/**/b", "a/x/y/b", FILE, True),
        ("a/**/b", "ab", FILE, False),
        ("[a-c]", "b", FILE, True),
        ("[!a-c]", "b", FILE, False),
        ("[^a-c]", "d", FILE, True),
        ("[]x]", "]", FILE, True),
        ("[[:digit:]]", "7", FILE, True),
        ("[[:digit:]]", "x", FILE, False),
        ("[[:upper:][:digit:]_]", "_", FILE, True),
        ("x[!a]y", "x/y", FILE, False),
        (r"\*", "*", FILE, True),
        (r"\*", "x", FILE, False),
        (r"\!a", "!a", FILE, True),
        (r"\#a", "#a", FILE, True),
        ("a.b", "axb", FILE, False),
        ("a  ", "a", FILE, True),
        ("a\\ ", "a ", FILE, True),
        ("a\\ ", "a", FILE, False),
        ("ä*", "äö", FILE, True),
        ("(a|b)", "a", FILE, False),
        ("a\nb", "a", FILE, True),
    ],
)
def test_a_line_fits_a_path_as_git_has_it(line, path, is_folder, fits):
    found = gitignore.PatternList(line.encode()).find_match(path.encode(), is_folder)
    assert (found is not None) is fits


@pytest.mark.parametrize(
    "line", ["", "   ", "# comment", "!", "/", "!/", "[a", "a\\", "[[:nope:]]", "[a-", "\0a"]
)
def test_lines_that_can_match_nothing_are_left_out(line):
    assert gitignore.parse(line.encode()) == []


def test_the_last_line_that_fits_decides_and_is_named():
    listed = gitignore.PatternList(b"# all logs\r\n*.log\r\n!keep.log\r\nkeep.log/\r\n")
    first = listed.find_match(b"x.log", FILE)
    assert (first.text, first.line) == ("*.log", 2)
    kept = listed.find_match(b"keep.log", FILE)
    assert (kept.text, kept.line, kept.negated) == ("!keep.log", 3, True)
    folder = listed.find_match(b"keep.log", FOLDER)
    assert (folder.line, folder.negated, folder.folders_only) == (4, False, True)
    assert listed.find_match(b"other", FILE) is None
    assert gitignore.PatternList(b"").find_match(b"a", FILE) is None


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    assert [each.text for each in gitignore.parse(b"\xef\xbb\xbfa\nb")] == ["a", "b"]


def test_a_line_of_other_bytes_fits_just_these():
    listed = gitignore.PatternList(b"\xff*")
    assert listed.find_match(b"\xff\xfe", FILE) is not None
    assert listed.find_match(b"\xfe", FILE) is None
    assert listed.patterns[0].text == "\udcff*"


@settings(max_examples=150)
@given(content=st.binary(max_size=40), path=st.binary(min_size=1, max_size=8))
def test_no_content_is_an_error(content, path):
    listed = gitignore.PatternList(content)
    found = listed.find_match(path, FILE)
    assert found is None or found in listed.patterns
    assert found is None or not found.folders_only


@settings(max_examples=150)
@given(name=st.binary(min_size=1, max_size=8).filter(lambda name: not set(name) & set(b"/\0\n\r")))
def test_a_name_with_a_backslash_before_each_byte_fits_itself_alone(name):
    line = b"/" + b"".join(b"\\" + bytes([each]) for each in name)
    listed = gitignore.PatternList(line)
    assert listed.find_match(name, FILE) is not None
    assert listed.find_match(name + b"x", FILE) is None
    assert listed.find_match(b"x/" + name, FILE) is None


@pytest.mark.parametrize(
    ("line", "name", "said"),
    [
        ("!name", b"name", True),
        ("!/a/name/", b"name", True),
        ("!/name/a", b"name", False),
        ("!*", b"name", False),
        ("name", b"name", True),
    ],
)
def test_whether_a_line_speaks_of_a_name_itself(line, name, said):
    assert gitignore.parse(line.encode())[0].targets_name(name) is said


def test_a_reason_names_its_line_where_there_is_one():
    assert str(Reason("*.log", "data/.gitignore", 3)) == "*.log (data/.gitignore:3)"
    assert str(Reason("always left out")) == "always left out"


def _rules(tmp_path, **files: str) -> Rules:
    for name, text in files.items():
        (tmp_path / f".{name}").write_text(text)
    source = os.fsencode(tmp_path)
    top = rules_for(source)
    with os.scandir(source) as found:
        entries = {each.name: each for each in found}
    return top.below(b"", entries.get(top.kind))


def test_an_amlignore_replaces_the_gitignore(tmp_path):
    rules = _rules(tmp_path, gitignore="a\n", amlignore="b\n")
    assert rules.reason(b"a", FILE) is None
    assert rules.reason(b"x/b", FILE) == Reason("b", ".amlignore", 1)


def test_what_is_always_left_out_cannot_be_brought_back_and_what_is_by_default_can(tmp_path):
    rules = _rules(tmp_path, amlignore="!*\n!.scriptrun\n!node_modules\n")
    assert rules.reason(b".scriptrun", FOLDER) is not None
    assert rules.reason(b"a/node_modules", FOLDER) is None
    assert rules.reason(b".git", FOLDER) is not None, "'!*' does not speak of .git itself"


def test_a_gitignore_brings_no_default_back(tmp_path):
    rules = _rules(tmp_path, gitignore="!node_modules\n")
    assert rules.reason(b"node_modules", FOLDER) is not None


def test_an_environment_is_left_out_unless_an_amlignore_names_it(tmp_path):
    rules = _rules(tmp_path, amlignore="!env\n")
    marks = frozenset({b"pyvenv.cfg", b"bin"})
    assert rules.environment(b"env", marks) is None
    assert rules.environment(b"env2", marks) is not None
    assert rules.environment(b"env2", frozenset({b"bin"})) is None
    assert rules.environment(b"", marks) is None, "the source itself is meant"


def test_files_above_the_source_count_up_to_the_repository(tmp_path):
    source = tmp_path / "outer" / "repo" / "deep" / "source"
    source.mkdir(parents=True)
    (tmp_path / "outer" / ".gitignore").write_text("outer\n")
    repository = tmp_path / "outer" / "repo"
    (repository / ".gitignore").write_text("top\n/deep/source/only\n")
    assert rules_for(os.fsencode(source)).reason(b"top", FILE) is None, "no repository yet"
    (repository / ".git").mkdir()
    rules = rules_for(os.fsencode(source))
    assert rules.reason(b"a/top", FILE) == Reason("top", "../../.gitignore", 1)
    assert rules.reason(b"only", FILE) == Reason("/deep/source/only", "../../.gitignore", 2)
    assert rules.reason(b"a/only", FILE) is None
    assert rules.reason(b"outer", FILE) is None


def test_a_source_that_its_repository_ignores_is_meant_all_the_same(tmp_path):
    source = tmp_path / "scratch" / "source"
    source.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("scratch/\n*.log\n")
    assert rules_for(os.fsencode(source)).reason(b"x.log", FILE) is None


def test_the_stamp_changes_with_an_ignore_file(tmp_path):
    first = _rules(tmp_path, gitignore="a\n").stamp
    assert _rules(tmp_path, gitignore="ab\n").stamp != first


def test_a_folder_named_like_an_ignore_file_is_none(tmp_path):
    (tmp_path / ".gitignore").mkdir()
    (tmp_path / ".amlignore").mkdir()
    assert _rules(tmp_path).reason(b"a", FILE) is None
