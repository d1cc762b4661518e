"""Requirement files: what is kept, joined, included and made absolute."""

from __future__ import annotations

import pytest

from scriptrun.config.environments.requirements import (
    read_requirements,
    requirement_name,
    split_option,
)
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
    with pytest.raises(UserErrorException, match=r"b\.txt' \(included by .*r\.txt'\): No such"):
        read_requirements(tmp_path / "r.txt")
    (tmp_path / "b.txt").write_text("-r r.txt\n")
    with pytest.raises(UserErrorException, match="includes itself"):
        read_requirements(tmp_path / "r.txt")
    (tmp_path / "bad.txt").write_bytes(b"-r \0")
    with pytest.raises(UserErrorException, match=r"included by .*bad\.txt'\): No file can have"):
        read_requirements(tmp_path / "bad.txt")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00n")
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
    (tmp_path / "r.txt").write_text("a \\\n" * 500_000 + "b\n")
    assert read_requirements(tmp_path / "r.txt") == ["a " * 500_000 + "b"]
