"""Requirement files: what is kept, joined, included and made absolute."""

from __future__ import annotations

import re

import pytest

from scriptrun import CondaDependencies
from scriptrun.config.environments.requirement_files import expand_lines, read_requirements
from scriptrun.config.environments.requirements import requirement_name, split_option
from scriptrun.spec.errors import UserErrorException


def test_lines_are_cleaned_and_nothing_is_lost(tmp_path):
    (tmp_path / "r.txt").write_bytes(
        b"\xef\xbb\xbf# a comment\r\nnumpy==1.20  # pinned\r\n\r\n"
        b"torch==1.6.0 \\\r\n    --hash=sha256:aa \\\r\n    --hash=sha256:bb\r\n"
        b"--index-url https://example.invalid/#frag\r\n"
        b"pkg @ https://example.invalid/p.whl#sha256=ff ; python_version < '3.9'\r\n"
        b"last \\"
    )
    assert read_requirements(tmp_path / "r.txt") == [
        "numpy==1.20",
        "torch==1.6.0 --hash=sha256:aa --hash=sha256:bb",
        "--index-url https://example.invalid/#frag",
        "pkg @ https://example.invalid/p.whl#sha256=ff ; python_version < '3.9'",
        "last",
    ]


def test_nested_files_and_paths_are_relative_to_their_own_file(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "r.txt").write_text("-r sub/more.txt\n--requirement=other.txt\n-e .\n")
    (tmp_path / "other.txt").write_text("scipy\n")
    (tmp_path / "sub" / "more.txt").write_text(
        "-c limits.txt\n-e ./lib\n./wheels/x.whl\n--find-links wheels\n"
        "-e git+https://example.invalid/x#egg=x\n-f https://example.invalid/\nfoo.tar.gz\n"
    )
    sub = tmp_path / "sub"
    for name in ("lib", "wheels"):
        (sub / name).mkdir()
    for name in ("limits.txt", "wheels/x.whl", "foo.tar.gz"):
        (sub / name).write_text("")
    assert read_requirements(tmp_path / "r.txt") == [
        f"-c {sub / 'limits.txt'}",
        f"-e {sub / 'lib'}",
        str(sub / "wheels" / "x.whl"),
        f"--find-links {sub / 'wheels'}",
        "-e git+https://example.invalid/x#egg=x",
        "-f https://example.invalid/",
        str(sub / "foo.tar.gz"),
        "scipy",
        f"-e {tmp_path}",
    ]


def test_missing_and_circular_files_are_sentences(tmp_path):
    with pytest.raises(UserErrorException, match=r"r\.txt': No such file"):
        read_requirements(tmp_path / "r.txt")
    (tmp_path / "r.txt").write_text("-r b.txt\n")
    with pytest.raises(
        UserErrorException, match=r"b\.txt' \(included by .*r\.txt', line 1\): No such"
    ):
        read_requirements(tmp_path / "r.txt")
    (tmp_path / "b.txt").write_text("-r r.txt\n")
    with pytest.raises(UserErrorException, match="includes itself"):
        read_requirements(tmp_path / "r.txt")
    (tmp_path / "bad.txt").write_bytes(b"-r \0")
    with pytest.raises(
        UserErrorException, match=r"included by .*bad\.txt', line 1\): No file can have"
    ):
        read_requirements(tmp_path / "bad.txt")
    (tmp_path / "bad.txt").write_bytes(b"\xff\x00n")
    with pytest.raises(UserErrorException, match="not UTF-8"):
        read_requirements(tmp_path / "bad.txt")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Scikit_Learn[alldeps]>=0.2 ; os_name=='x'", "scikit-learn"),
        ("a", "a"),
        ("pkg@https://x/y.whl", "pkg"),
        ("zope.interface~=5", "zope-interface"),
        ("https://x/y.whl", "https://x/y.whl"),
        ("git+https://x/y", "git+https://x/y"),
        ("lib/x.whl", "lib/x.whl"),
        ("./x", "./x"),
    ],
)
def test_names(line, name):
    assert requirement_name(line) == name


def test_options():
    assert split_option("--index-url=https://x/?a=b") == ("--index-url", "https://x/?a=b")
    assert split_option("-rfile.txt") == ("-r", "file.txt")
    assert split_option("--pre") == ("--pre", "")


def test_files_that_include_ever_more_files_are_refused(tmp_path):
    for n in range(40):  # 2^40 files
        (tmp_path / f"{n}.txt").write_text(f"-r {n + 1}.txt\n-r {n + 1}.txt\n")
    (tmp_path / "40.txt").write_text("numpy\n")
    with pytest.raises(UserErrorException, match=r"0\.txt' includes too many files"):
        read_requirements(tmp_path / "0.txt")


def test_files_that_include_ever_deeper_are_refused(tmp_path):
    for n in range(300):
        (tmp_path / f"{n}.txt").write_text(f"-r {n + 1}.txt\n")
    with pytest.raises(UserErrorException, match="includes too many files"):
        read_requirements(tmp_path / "0.txt")


def test_many_continued_lines_are_one(tmp_path):
    (tmp_path / "r.txt").write_text("a \\\n" + " \\\n" * 500_000 + "==1\n")
    assert read_requirements(tmp_path / "r.txt") == ["a ==1"]


def lines(folder, text, **variables):
    (folder / "r.txt").write_text(text, "utf-8")
    return read_requirements(folder / "r.txt")


@pytest.fixture
def files(tmp_path):
    for name in ("lib x", "lib", "a b", "wheels"):
        (tmp_path / name).mkdir()
    for name in ("a b.txt", "wheels/x.whl", "limits x.txt"):
        (tmp_path / name).write_text("inner\n")
    return tmp_path


def test_quotes_and_backslashes_in_options(files):
    found = lines(
        files,
        '-r "a b.txt"\n-r \'a b.txt\'\n-r a\\ b.txt\n--requirement="a b.txt"\n'
        '-e ./lib\\ x\n-e "./lib x"\n--editable=./lib\n-c "limits x.txt"\n',
    )
    assert found == [
        *["inner"] * 4,
        *[f"-e {files / 'lib x'}"] * 2,
        f"--editable {files / 'lib'}",
        f"-c {files / 'limits x.txt'}",
    ]
    with pytest.raises(UserErrorException, match=r"r\.txt, line 2: cannot split '-e \"x'"):
        lines(files, 'numpy\n-e "x\n')


def test_quotes_in_requirements_stay(files):
    text = "a ; python_version < '3.9' and platform_system == \"Linux\"\n"
    assert lines(files, text) == [text.strip()]


def test_comments_and_continued_lines(files):
    text = (
        "a # comment\nb @ https://x/b#no-comment\n  # comment \\\nc==1 \\\n  --hash=sha256:aa \\\n"
        "  --hash sha256:bb # comment\nd \\\n# in between\ne\n-e lib # comment\n"
        "-i https://example.invalid --extra-index-url https://other.invalid --pre\n\\\n"
    )
    assert lines(files, text) == [
        *("a", "b @ https://x/b#no-comment", "c==1 --hash=sha256:aa --hash=sha256:bb", "d", "e"),
        f"-e {files / 'lib'}",
        *("-i https://example.invalid", "--extra-index-url https://other.invalid", "--pre"),
    ]


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-32-le", b"\xff\xfe\0\0"),
        ("utf-32-be", b"\0\0\xfe\xff"),
        ("latin-1", b"# -*- coding: latin-1 -*-\n"),
        ("cp1252", b"#!x\n# vim: set fileencoding=cp1252 :\n"),
    ],
)
def test_encodings(tmp_path, encoding, mark):
    (tmp_path / "r.txt").write_bytes(mark + "numpy==1.20\r\nx; os_name != 'ü'\r\n".encode(encoding))
    assert read_requirements(tmp_path / "r.txt") == ["numpy==1.20", "x; os_name != 'ü'"]


def test_an_encoding_that_does_not_exist(tmp_path):
    (tmp_path / "r.txt").write_bytes(b"# coding: martian\nnumpy\n")
    with pytest.raises(UserErrorException, match=r"r\.txt': unknown encoding: martian"):
        read_requirements(tmp_path / "r.txt")


def test_variables(files, monkeypatch):
    monkeypatch.setenv("LIB_DIR", str(files))
    monkeypatch.setenv("VERSION", "1.2")
    monkeypatch.setenv("lower", "x")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("UNSET", raising=False)
    text = (
        "numpy==${VERSION}\n-e ${LIB_DIR}/lib\n-r ${LIB_DIR}/a\\ b.txt\n"
        "x @ file://${LIB_DIR}/wheels/x.whl\n"
        "--index-url https://u:${VERSION}@example.invalid\ny @ https://${VERSION}/y.whl\n"
    )
    assert lines(files, text) == [
        *("numpy==1.2", f"-e {files / 'lib'}", "inner", f"x @ file://{files}/wheels/x.whl"),
        "--index-url https://u:${VERSION}@example.invalid",
        "y @ https://${VERSION}/y.whl",
    ]
    with pytest.raises(UserErrorException) as caught:
        lines(files, "a${lower}\nb==${EMPTY}\nc==${UNSET}\nd$VERSION\n")
    assert [reason.rpartition(": ")[2] for reason in caught.value.reasons] == [
        *("unexpected '${lower}'", "the variable EMPTY is not set"),
        *("the variable UNSET is not set", "unexpected '$VERSION'"),
    ]


def test_paths_that_do_not_exist_are_all_named(files, monkeypatch):
    monkeypatch.delenv("UNSET", raising=False)
    (files / "sub").mkdir()
    (files / "sub" / "more.txt").write_text("\n-e ../gone2\n")
    text = (
        "numpy\n-e ./gone1\n-r sub/more.txt\n./gone3.whl\nx @ file:///gone4/x%20y.whl ; a > 'b'\n"
        "file:///gone5\n-c gone6.txt\nlibs/gone7[extra]\n-e ${UNSET}/gone8\n-e lib[extra]\n"
        "./lib x ; python_version > '3'\nx @ ./wheels/x.whl\n-e git+https://example.invalid/gone\n"
    )
    with pytest.raises(UserErrorException) as caught:
        lines(files, text)
    found = caught.value.reasons
    assert [
        re.search(r"(\w+\.txt), line (\d+): .*gone(\d)", reason).groups() for reason in found
    ] == [
        ("r.txt", "2", "1"),
        ("more.txt", "2", "2"),
        *(("r.txt", str(n), str(n - 1)) for n in (4, 5, 6, 7, 8, 9)),
    ]
    assert found[-1].endswith("does not exist; the variable UNSET is not set")
    assert "'/gone4/x y.whl' does not exist" in found[3]


def test_paths_with_extras_and_markers(files):
    text = "-e lib[extra]\n./lib x ; python_version > '3'\nx @ ./wheels/x.whl\nwheels/x.whl\n"
    assert lines(files, text) == [
        f"-e {files / 'lib'}[extra]",
        f"{files / 'lib x'} ; python_version > '3'",
        f"x @ file://{files}/wheels/x.whl",
        str(files / "wheels" / "x.whl"),
    ]


def test_a_file_on_the_web_is_not_included(files):
    with pytest.raises(UserErrorException, match=r"line 1: .* is not on this machine"):
        lines(files, "-r https://example.invalid/r.txt\n")


def test_the_pip_section_of_a_conda_file_is_read_alike(files):
    text = (
        "dependencies:\n- python=3.11\n- pip:\n  - -r \"a b.txt\"\n  - 'numpy # old'\n"
        "  - -e ./lib\\ x\n  - -e gone\n"
    )
    (files / "env.yml").write_text(text)
    with pytest.raises(UserErrorException, match=r"env\.yml, line 7: '-e gone': .* does not exist"):
        CondaDependencies(files / "env.yml")
    (files / "env.yml").write_text(text.replace("  - -e gone\n", ""))
    assert CondaDependencies(files / "env.yml").pip_packages == [
        *("inner", "numpy"),
        f"-e {files / 'lib x'}",
    ]


def test_lines_without_a_text_have_no_number(tmp_path):
    with pytest.raises(UserErrorException, match=r"x\.yml: '-e gone': .* does not exist"):
        expand_lines(["-e gone"], tmp_path / "x.yml")


def test_the_quotes_of_a_marker_behind_an_editable_path_stay(files):
    text = (
        "-e ./lib ; python_version >= \"3.8\" and python_version < '4'\n"
        "-e \"./lib[x] ; python_version > '3'\"\n-e file:lib; python_version > '3'\n"
    )
    assert lines(files, text) == [
        f"-e {files / 'lib'} ; python_version >= \"3.8\" and python_version < '4'",
        f"-e {files / 'lib'}[x] ; python_version > '3'",
        f"-e {files / 'lib'}; python_version > '3'",
    ]


def test_file_urls_with_a_host_are_refused(files, monkeypatch):
    monkeypatch.delenv("PROJECT_ROOT", raising=False)
    text = "a @ file://./lib\n-e file://lib\nb @ file://${PROJECT_ROOT}/lib\n"
    with pytest.raises(UserErrorException) as caught:
        lines(files, text)
    first, second, third = caught.value.reasons
    assert "file 'file://./lib' does not exist on this machine" in first
    assert "file 'file://lib' does not exist on this machine" in second
    assert third.endswith("the variable PROJECT_ROOT is not set")
    monkeypatch.setenv("PROJECT_ROOT", str(files))
    assert lines(files, text.splitlines()[2]) == [f"b @ file://{files}/lib"]


def test_paths_of_another_system_are_refused(files):
    with pytest.raises(UserErrorException, match=r"line 1: 'wheels\\\\x\.whl'.* does not exist"):
        lines(files, "wheels\\x.whl\n")


def test_an_empty_entry_of_a_conda_file(tmp_path):
    (tmp_path / "env.yml").write_text("dependencies:\n- python=3.11\n- pip: ['', six]\n")
    assert CondaDependencies(tmp_path / "env.yml").pip_packages == ["six"]
    (tmp_path / "env.yml").write_text("dependencies:\n- python=3.11\n-\n")
    with pytest.raises(UserErrorException, match=r"dependencies\[1\] is empty"):
        CondaDependencies(tmp_path / "env.yml")
