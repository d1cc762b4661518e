"""scriptrun on a login node: how it is called, and what is said where it cannot be had.

This machine stands for the cluster: both transports promise the same.
"""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.engines.transport import LocalTransport
from scriptrun.remote import bootstrap
from scriptrun.spec.errors import ComputeTargetException, ExperimentExecutionException


def tool(tmp_path, text):
    path = tmp_path / "tool"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return {"root": str(tmp_path / "root"), "tool": str(path)}


def call(address, data=b""):
    return bootstrap.call(LocalTransport(), address, ["-m", "x y"], data, 60.0)


def test_a_tool_that_is_named_is_started_and_hears_what_is_sent(tmp_path):
    address = tool(tmp_path, 'printf "%s|" "$@"; cat')
    assert call(address, b"\0\xff\n") == b"-P|-m|x y|\0\xff\n"
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo a >&2; echo b >&2; exit 3", "a b"),
        ("exit 3", "exit code 3"),
        ("exit 127", "exit code 127"),
        ("yes | head -c 5000 >&2; echo last >&2; exit 1", "y last"),
    ],
)
def test_a_tool_that_breaks_is_told_by_its_last_words(tmp_path, text, words):
    address = tool(tmp_path, text)
    with pytest.raises(ExperimentExecutionException, match="did not respond") as caught:
        call(address)
    assert caught.value.message.endswith(words) and address["tool"] in caught.value.message
    assert len(caught.value.message) < 900 and not (tmp_path / "root").exists()


def test_where_there_is_no_python_a_tool_can_be_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("sh", "printenv"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    address = {"root": str(tmp_path / "root")}
    with pytest.raises(ComputeTargetException, match=r"No Python 3\.11") as caught:
        call(address)
    assert "--tool" in caught.value.hint and not (tmp_path / "root").exists()


def test_a_python_that_is_too_old_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "sh").symlink_to("/bin/sh")
    tool(tmp_path, "exit 1")
    (tmp_path / "tool").rename(tmp_path / "python3.13")
    with pytest.raises(ComputeTargetException, match=r"No Python 3\.11"):
        bootstrap.install(LocalTransport(), str(tmp_path / "root"))


def test_a_tool_that_was_made_is_found_again(tmp_path):
    address = {"root": str(tmp_path / "a root")}
    argv = bootstrap.tool_command(address)
    os.makedirs(os.path.dirname(argv[0]))
    os.symlink(sys.executable, argv[0])
    code = b"import sys; print(sys.flags.isolated)"
    assert bootstrap.call(LocalTransport(), address, ["-"], code, 60.0).strip() == b"1"
    assert bootstrap.tool_key() in argv[0]


@pytest.mark.parametrize(
    ("root", "expected"),
    [("~", "/home/me"), ("~/x y", "/home/me/x y"), ("/a/~/b", "/a/~/b"), ("~other/x", "~other/x")],
)
def test_a_root_may_begin_at_home(monkeypatch, root, expected):
    monkeypatch.setenv("HOME", "/home/me")
    assert bootstrap.absolute(LocalTransport(), root) == expected


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_an_absolute_root_stays_as_it_is(root):
    assert bootstrap.absolute(LocalTransport(), f"/{root}") == f"/{root}"
