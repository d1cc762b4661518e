"""At a real terminal: Ctrl-C, colours, help."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time

import pytest

from scriptrun.testing.jobs import PATIENCE

SLEEPY = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print('started', flush=True)
time.sleep(3600)
"""
#: takes its time to end
DEAF = """
import os, signal, sys, time
def save(*_):
    {saving}
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print('started', flush=True)
time.sleep(3600)
"""


def at_the_terminal():
    """In the child: the terminal is its own, and so is how it takes its signals."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, user, *words, **environ):
        ours, theirs = pty.openpty()
        self.fd, self.seen = ours, b""
        self.process = subprocess.Popen(
            self.argv(user, *words), cwd=user.here, env={**user.environ, **environ},
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=at_the_terminal,
        )  # fmt: skip
        os.close(theirs)

    def argv(self, user, *words):
        return user.argv(*words)

    def read(self, seconds=0.1) -> bool:
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += data
        return bool(data)

    def until(self, text: bytes) -> None:
        end = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            assert self.read() or text in self.seen, self.seen

    def types(self, data: bytes) -> None:
        os.write(self.fd, data)

    def ends(self) -> int:
        end = time.monotonic() + PATIENCE
        while self.read() and time.monotonic() < end:
            pass
        os.close(self.fd)
        return self.process.wait(timeout=PATIENCE)


class Patient(Terminal):
    """The command, which waits as long for the second Ctrl-C as a busy machine may take to press it."""

    def argv(self, user, *words):
        code = (
            "import sys\nfrom scriptrun.cli import main\nfrom scriptrun.cli.terminal import attach\n"
            f"attach.GRACE = {PATIENCE}\nsys.exit(main())"
        )
        return [sys.executable, "-c", code, *map(str, words)]


@pytest.mark.slow
def test_ctrl_c_once_lets_the_run_go_on(user):
    user.writes("train.py", SLEEPY)
    terminal = Terminal(user, "run", "train.py")
    terminal.until(b"started")
    terminal.types(b"\x03")
    terminal.until(b"Press Ctrl-C again within 3 s")
    assert terminal.ends() == 130
    assert b"keeps running" in terminal.seen
    assert b"scriptrun logs" in terminal.seen
    assert user.runs()[0]["state"] == "Running"
    user.does("cancel")
    user.waits_for("Canceled")


def test_ctrl_c_twice_cancels_the_run(user):
    user.writes("train.py", SLEEPY)
    terminal = Patient(user, "run", "train.py")
    terminal.until(b"started")
    terminal.types(b"\x03")
    terminal.until(b"to cancel the run; otherwise it keeps running")
    terminal.types(b"\x03")
    assert terminal.ends() == 130
    assert b"Canceled" in terminal.seen
    (run,) = user.runs()
    assert run["state"] == "Canceled"
    assert terminal.seen.startswith(b"Created workspace")
    first = terminal.seen.partition(b"started")[0]
    assert f"Run {run['short_name']} ({run['id']})\r\n".encode() in first


def test_a_third_ctrl_c_does_not_say_that_the_run_goes_on(user):
    saving = f"while not os.path.exists({str(user.here / 'saved')!r}): time.sleep(0.05)"
    user.writes("train.py", DEAF.format(saving=saving))
    grace = f"AZUREML_RUN_KILL_SIGNAL_TIMEOUT_SEC={PATIENCE:g}"
    terminal = Patient(user, "run", "--env", grace, "train.py")
    terminal.until(b"started")
    terminal.types(b"\x03")
    terminal.until(b"to cancel the run; otherwise it keeps running")
    terminal.types(b"\x03")
    terminal.until(b"Canceling")
    terminal.types(b"\x03")
    assert terminal.ends() == 130
    assert b"is requested" in terminal.seen
    assert terminal.seen.count(b"keeps running") == 1  # what the first one said
    (user.here / "saved").touch()
    user.waits_for("Canceled")


def test_an_open_last_line_is_ended(user):
    user.writes("train.py", "print('no end', end='')\n")
    for words in (["run", "train.py"], ["logs", "-f"]):
        terminal = Terminal(user, *words, NO_COLOR="1")
        assert terminal.ends() == 0
        assert b"no end\r\nCompleted" in terminal.seen
    assert user.does("run", "train.py").out == "no end"


def test_a_closed_terminal_lets_the_run_go_on(user):
    user.writes("train.py", SLEEPY)
    terminal = Terminal(user, "run", "train.py")
    terminal.until(b"started")
    os.close(terminal.fd)
    terminal.process.wait(timeout=PATIENCE)
    assert user.runs()[0]["state"] == "Running"
    user.does("cancel")
    user.waits_for("Canceled")


def test_an_interrupt_without_a_terminal_detaches(user):
    user.writes("train.py", SLEEPY)
    process = subprocess.Popen(
        user.argv("run", "train.py"), cwd=user.here, env=user.environ,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout.readline() == b"started\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert b"keeps running" in err
    assert b"Traceback" not in err
    user.does("cancel")
    user.waits_for("Canceled")


def test_colours_only_where_they_are_shown(user):
    user.writes("train.py", "")
    user.does("run", "train.py")
    for environ, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        terminal = Terminal(user, "list", **environ)
        assert terminal.ends() == 0
        assert (b"\x1b[32m" in terminal.seen) is coloured


def test_a_narrow_terminal_keeps_one_line_a_run(user):
    user.writes("train.py", "raise SystemExit('x' * 300)\n")
    user.types("run", "train.py")
    terminal = Terminal(user, "list", NO_COLOR="1", COLUMNS="60")
    assert terminal.ends() == 0
    assert len(terminal.seen.splitlines()) == 2


@pytest.mark.parametrize("word", ["run", "list", "compute", "env", "shell"])
def test_help_at_a_terminal(user, word):
    terminal = Terminal(user, word, "--help")
    assert terminal.ends() == 0
    assert b"--help" in terminal.seen
    assert b"\x1b[" in terminal.seen
    plain = user.does(word, "--help").out
    assert "\x1b" not in plain
    assert plain.startswith("usage: scriptrun")


@pytest.mark.parametrize("columns", [70, 80, 200])
def test_help_fits_the_terminal(user, columns):
    for words in (["run"], ["shell"], ["env"], ["rerun"], ["completion"]):
        lines = user.does(*words, "--help", COLUMNS=str(columns)).out.splitlines()
        prose = [
            line for line in lines if "  " not in line.lstrip() and not line.startswith("usage")
        ]
        assert max(map(len, prose)) <= columns
    assert 'eval "$(scriptrun completion bash)"       in ~/.bashrc' in "\n".join(lines)


def test_help_of_all(user):
    assert user.does("--help").out == user.does("help").out
    for name in ("run", "list", "doctor", "completion"):
        assert f"\n  {name} " in user.does("--help").out
    assert user.types().code == 2
    assert user.does("help", "logs").out == user.does("logs", "--help").out
    assert user.does("--version").out == user.does("version").out


def shell(user, line, **more):
    return subprocess.run(
        ["sh", "-c", line], cwd=user.here, env={**user.environ, **more}, capture_output=True, text=True, timeout=PATIENCE
    )  # fmt: skip


def test_a_stdout_that_is_closed_or_full(user):
    command = user.argv()[0]
    user.writes("train.py", "print('x')\n")
    user.does("run", "train.py")
    assert shell(user, f"{command} list >&-").returncode in (0, 2)
    if os.path.exists("/dev/full"):
        done = shell(user, f"{command} list > /dev/full")
        assert done.returncode == 2
        assert done.stderr.startswith("scriptrun: ")
        assert len(done.stderr.splitlines()) == 1


def test_a_directory_that_is_gone(user):
    command = user.argv()[0]
    done = shell(user, f"mkdir x; cd x; rmdir ../x; {command} list")
    assert done.returncode == 2
    assert "no longer exists" in done.stderr


def test_as_a_module(user):
    done = subprocess.run(
        [sys.executable, "-m", "scriptrun", "--version"], capture_output=True, text=True
    )
    assert done.stdout == user.does("--version").out


def test_a_compute_target_without_a_class_is_asked_for_it(user):
    terminal = Terminal(user, "compute", "add", "small", "--max-runs", "1")
    terminal.until(b"Class (1-")
    terminal.types(b"Slrm\n")
    terminal.until(b"Invalid class 'Slrm'. Did you mean 'Slurm'?")
    terminal.types(b"1\n")
    assert terminal.ends() == 0
    assert user.does("compute", "show", "small", "--json").json["class"] == "Local"
