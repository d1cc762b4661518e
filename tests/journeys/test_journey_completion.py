"""Completion, in the real shells."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from scriptrun.testing.jobs import PATIENCE

ASK = """
eval "$(scriptrun completion bash)"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_scriptrun scriptrun "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
((${#COMPREPLY[@]})) && printf '%s\\n' "${COMPREPLY[@]}"
"""


def bash(user, *words):
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    path = f"{user.argv()[0].rpartition('/')[0]}:{user.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", ASK, "bash", "scriptrun", *words],
        cwd=user.here, env={**user.environ, "PATH": path}, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    return done.stdout.split("\n")[:-1]


def test_bash_completes_commands_options_and_names(user):
    user.writes("train.py", "")
    user.does("run", "-n", "wonder", "-e", "trial", "train.py")
    run = user.runs()[0]["id"]
    assert bash(user, "can") == ["cancel"]
    assert bash(user, "runs", "dow") == ["download"]
    assert bash(user, "run", "--det") == ["--detach"]
    assert bash(user, "show", "tri") == [run]
    assert bash(user, "show", "won") == ["wonder"]
    assert bash(user, "list", "-s", "Comp") == ["Completed"]
    assert bash(user, "list", "--experiment", "t") == ["trial"]
    assert bash(user, "run", "--compute", "l") == ["local"]
    assert bash(user, "compute", "al") == ["alias"]
    assert bash(user, "compute", "add", "--cl") == ["--class"]
    found = bash(user, "env", "show", "scriptrun-sk")
    assert found == ["scriptrun-sklearn", "scriptrun-sklearn-minimal"]
    assert bash(user, "completion", "z") == ["zsh"]
    assert bash(user, "run", "train.py", "--", "--al") == []
    assert bash(user, "nothing", "x") == []


@pytest.mark.parametrize(
    "name", ["a$(touch made)", "a`touch made`", "a *", "a;touch made", "a'b\"c"]
)
def test_a_name_is_not_executed_by_bash(user, name):
    user.writes("train.py", "")
    user.does("run", "-n", name, "train.py")
    (word,) = bash(user, "show", "a")
    assert not (user.here / "made").exists()
    done = subprocess.run(
        ["bash", "--norc", "-c", f"printf '%s|' {word}"],
        cwd=user.here,
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"{name}|"
    assert not (user.here / "made").exists()


def test_completing_makes_no_workspace(user):
    assert bash(user, "show", "") == []
    assert not (user.here / ".scriptrun").exists()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_their_script(user, shell):
    script = user.does("completion", shell).out
    assert "scriptrun completion words" in script
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
