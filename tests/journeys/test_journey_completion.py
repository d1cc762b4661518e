"""Completion, in the real shells."""

from __future__ import annotations

import shutil
import subprocess

import pexpect
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
    assert bash(user, "show", "tri") == [run]
    assert bash(user, "can") == ["cancel"]
    assert bash(user, "runs", "dow") == ["download"]
    assert bash(user, "run", "--det") == ["--detach"]
    assert bash(user, "show", "won") == ["wonder"]
    user.does("run", "-e", "trial", "train.py")
    name = user.runs()[0]["short_name"]
    assert bash(user, "show", name[:-1]) == [name]
    assert bash(user, "list", "-s", "Comp") == ["Completed"]
    assert bash(user, "list", "--experiment", "t") == ["trial"]
    assert bash(user, "run", "--compute", "l") == ["local"]
    assert bash(user, "run", "--compute", "=", "l") == ["local"]
    assert bash(user, "run", "--compute", "=") == ["local"]
    assert bash(user, "compute", "al") == ["alias"]
    assert bash(user, "compute", "show", "l") == ["local"]
    assert bash(user, "help", "dow") == ["download"]
    assert bash(user, "--no-fsync", "dow") == ["download"]
    assert bash(user, "exec", "--pyt") == ["--python"]
    assert bash(user, "exec", "train.py", "--pyt") == []
    assert bash(user, "compute", "add", "--cl") == ["--class"]
    found = bash(user, "env", "show", "scriptrun-sk")
    assert found == ["scriptrun-sklearn", "scriptrun-sklearn-minimal"]
    assert bash(user, "completion", "z") == ["zsh"]
    assert bash(user, "config", "set", "pi") == ["pixi-project", "pins"]
    assert bash(user, "config", "set", "pins", "") == ["exact", "relax"]
    assert bash(user, "config", "set", "--project", "compute", "") == ["local"]
    assert bash(user, "config", "get", "compute", "") == []
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


# real terminals: what a person sees after pressing Tab

START = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
}
PREPARE = {
    "bash": "bind 'set enable-bracketed-paste off'; bind 'set show-all-if-ambiguous on'",
    "zsh": "autoload -Uz compinit; compinit -u -D; unsetopt zle_bracketed_paste",
}


class Terminal:
    """An interactive shell in which a person types and presses Tab."""

    def __init__(self, user, shell):
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed (Debian: apt install {shell})")
        self.environ = {**user.environ, "PATH": search_path(user), "TERM": "dumb", "HISTFILE": ""}
        self.environ |= {"PS1": "ready> ", "ZDOTDIR": str(user.here)}
        self.child = pexpect.spawn(
            shell, START[shell], cwd=str(user.here), env=self.environ, encoding="utf-8",
            timeout=PATIENCE, dimensions=(40, 200),
        )  # fmt: skip
        self.child.sendline(
            f'{PREPARE[shell]}; eval "$(scriptrun completion {shell})"; echo prep""ared'
        )
        self.child.expect("prepared\r\n")

    def tab(self, typed, shown):
        """Type ``typed`` and Tab; wait until ``shown`` is there, and clear the line."""
        self.child.send(typed + "\t")
        self.child.expect(shown)
        self.child.sendcontrol("u")


def search_path(user):
    return f"{user.argv()[0].rpartition('/')[0]}:{user.environ['PATH']}"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_terminal_completes_what_a_person_types(user, shell):
    user.writes("train.py", "")
    user.writes("requirements-a.txt", "")
    user.does("run", "-n", "wonder", "-e", "trial", "train.py")
    run = user.runs()[0]["id"]
    terminal = Terminal(user, shell)
    terminal.tab("scriptrun can", r"scriptrun cancel ")
    terminal.tab("scriptrun env bu", r"scriptrun env build ")
    terminal.tab("scriptrun run --deta", r"scriptrun run --detach ")
    terminal.tab("scriptrun show tri", f"scriptrun show {run} ")
    terminal.tab("scriptrun show won", "scriptrun show wonder ")
    terminal.tab("scriptrun run --compute lo", "scriptrun run --compute local ")
    terminal.tab("scriptrun run --compute=lo", "scriptrun run --compute=local ")
    terminal.tab("scriptrun run --environment scriptrun-py", "scriptrun-pytorch")
    terminal.tab("scriptrun run tra", r"scriptrun run train\.py ")
    terminal.tab("scriptrun run --requirements req", r"requirements-a\.txt ")
    terminal.tab("scriptrun run --de\t", "--detach")
    terminal.child.close(force=True)


def test_zsh_shows_what_each_command_does(user):
    terminal = Terminal(user, "zsh")
    terminal.tab("scriptrun s\t", "sweep +-- Search hyperparameters")
    terminal.child.close(force=True)


def fish(user, line):
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed (Debian: apt install fish)")
    environ = {**user.environ, "PATH": search_path(user), "HOME": str(user.here / "home")}
    script = "scriptrun completion fish | source; complete -C $argv[1]"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script, "--", line],
        cwd=user.here, env=environ, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(found.partition("\t")[::2] for found in done.stdout.splitlines())


def test_fish_completes_and_describes(user):
    user.writes("train.py", "")
    user.writes("requirements-a.txt", "")
    user.does("run", "-n", "wonder", "-e", "trial", "train.py")
    run = user.runs()[0]["id"]
    assert fish(user, "scriptrun can") == {"cancel": "Cancel active runs"}
    assert "build" in fish(user, "scriptrun env ")
    assert list(fish(user, "scriptrun run --deta")) == ["--detach"]
    assert fish(user, "scriptrun show tri") == {run: "Completed train.py"}
    assert fish(user, "scriptrun show won") == {"wonder": f"Completed {run}"}
    assert list(fish(user, "scriptrun run --compute lo")) == ["local"]
    assert list(fish(user, "scriptrun run --compute=lo")) == ["--compute=local"]
    assert "scriptrun-pytorch" in fish(user, "scriptrun run --environment scriptrun-py")
    assert "train.py" in fish(user, "scriptrun run tra")
    assert "requirements-a.txt" in fish(user, "scriptrun run --requirements req")
    assert "train.py" not in fish(user, "scriptrun ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_finds_no_mistake_in_its_script(user, shell):
    script = user.does("completion", shell).out
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed (Debian: apt install {shell})")
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
