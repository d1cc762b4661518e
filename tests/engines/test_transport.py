"""What a host may send over ssh. A program named ``ssh`` stands for the host."""

from __future__ import annotations

import os

import pytest

from scriptrun.engines import transport
from scriptrun.engines.transport import HostUnreachable, SshTransport


@pytest.fixture
def host(tmp_path, monkeypatch):
    """``host(script)`` lets ssh run a shell script instead."""

    def answer(script: str) -> SshTransport:
        (tmp_path / "ssh").write_text(f"#!/bin/sh\ncase $* in *-G*) exit 0;; esac\n{script}\n")
        (tmp_path / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        return SshTransport("host")

    return answer


def test_input_and_output_of_any_size(host):
    data = os.urandom(20 << 20)
    result = host("cat; echo done >&2; exit 3").run(["x"], data)
    assert (result.code, result.err) == (3, b"done\n")
    assert result.out == data


def test_a_host_that_does_not_read(host):
    assert host("echo no; exit 1").run(["x"], os.urandom(20 << 20)).out == b"no\n"


@pytest.mark.parametrize("where", ["", ">&2"])
def test_an_answer_without_end(host, monkeypatch, where):
    monkeypatch.setattr(transport, "MAX_ANSWER", 10 << 20)
    with pytest.raises(HostUnreachable, match=r"^x on host sent more than 10 MiB\."):
        host(f"yes {where}").run(["x"])


@pytest.mark.parametrize("script", ["exec sleep 20", "sleep 20 & exit 0"])
def test_a_host_that_does_not_end(host, script):
    """Also where a process in the background holds the pipes."""
    with pytest.raises(HostUnreachable, match="did not respond within 1 s"):
        host(script).run(["x"], timeout=1)


def test_what_a_command_leaves_behind_is_not_waited_for(host):
    assert host("sleep 20 >/dev/null 2>&1 & echo left; exit 0").run(["x"]).out == b"left\n"
