"""What the command line prints is cleaned, and its own colours and status lines pass."""

from __future__ import annotations

import io
import json
import sys

import pytest

from scriptrun.cli import dispatch, parsers
from scriptrun.cli import errors as cli_errors
from scriptrun.cli.terminal import csv_text, output, progress, streams
from scriptrun.spec.errors import UserErrorException

HOSTILE = "a\x1b[31mb\x1b]52;c;aGk=\x07\x9b2J\u202ec"
VISIBLE = "a\\x1b[31mb\\x1b]52;c;aGk=\\x07\\x9b2J\\u202ec"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def a_terminal(monkeypatch):
    """Make stdout and stderr a terminal; within the test, since pytest replaces them before it."""
    shown = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setattr(sys, "stderr", shown)
    return shown


def test_everything_printed_is_cleaned(monkeypatch):
    terminal = a_terminal(monkeypatch)
    with streams.cleaned_output():
        print(HOSTILE)
        sys.stderr.writelines([HOSTILE, "\n"])
        cli_errors.say(HOSTILE)
    assert terminal.getvalue() == f"{VISIBLE}\n" * 3
    assert sys.stdout is terminal


def test_own_colours_pass_and_cannot_be_imitated(monkeypatch):
    terminal = a_terminal(monkeypatch)
    with streams.cleaned_output():
        print(output.paint(HOSTILE, "31"))
    with streams.cleaned_output():
        print(output.paint("\x1b0011223344556677[32m", "31"))
    first, second = terminal.getvalue().splitlines()
    assert first == f"\x1b[31m{VISIBLE}\x1b[0m"
    assert second.count("\x1b") == 2


def test_what_runs_in_the_same_process_prints_as_it_is(monkeypatch):
    terminal = a_terminal(monkeypatch)
    with streams.cleaned_output(), streams.raw_output():
        print(HOSTILE)
    assert terminal.getvalue() == f"{HOSTILE}\n"


def test_a_status_line_is_cleaned(monkeypatch):
    terminal = a_terminal(monkeypatch)
    with streams.cleaned_output():
        streams.show_status(HOSTILE)
        streams.show_status("")
    assert terminal.getvalue() == f"\r\x1b[K{VISIBLE}\r\x1b[K"


def test_a_progress_bars_title_is_cleaned(monkeypatch):
    terminal = a_terminal(monkeypatch)
    with (
        streams.cleaned_output(),
        progress.show_progress(f"[red]{HOSTILE}", 1, 10) as counter,
    ):
        counter.add(1, 10)
    shown = terminal.getvalue()
    assert "\x1b]52" not in shown
    assert "\u202e" not in shown
    assert "\x9b" not in shown


def test_json_is_escaped_as_json(monkeypatch):
    terminal = a_terminal(monkeypatch)
    value = {HOSTILE: [HOSTILE + "\x7f\x85 ä"]}
    with streams.cleaned_output():
        output.print_json(value)
    assert json.loads(terminal.getvalue()) == {"schema": 1, **value}
    assert not set("\x1b\x07\x9b\u202e\x7f\x85") & set(terminal.getvalue())


def test_a_table_shows_a_cell_on_one_line(monkeypatch):
    terminal = a_terminal(monkeypatch)
    with streams.cleaned_output():
        output.print_table([HOSTILE], [["x\ny\tz\r"]])
    heading, row = terminal.getvalue().splitlines()
    assert VISIBLE in heading
    assert row == "x y z\\x0d"


def test_help_keeps_its_colours(monkeypatch):
    terminal = a_terminal(monkeypatch)
    parser = parsers.make_parser("x", "Do", ["--help"], "Doc.")
    with streams.cleaned_output():
        parser.print_help()
    assert "\\x1b" not in terminal.getvalue()


def test_a_file_is_printed_as_it_is_except_on_a_terminal(monkeypatch):
    terminal = a_terminal(monkeypatch)
    with streams.cleaned_output():
        output.print_file(HOSTILE)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with streams.cleaned_output():
        output.print_file(HOSTILE)
        assert sys.stdout.getvalue() == HOSTILE
    assert terminal.getvalue() == VISIBLE


def test_errors_echo_arguments_cleaned(capsys):
    assert dispatch.run(["list", HOSTILE]) == 2
    assert dispatch.run([HOSTILE]) == 2
    assert dispatch.run(["run", f"--set={HOSTILE}"]) == 2
    assert dispatch.run(["export", "--to", HOSTILE]) == 2
    out, err = capsys.readouterr()
    assert not set("\x1b\x07\x9b\u202e") & set(out + err)
    assert str(UserErrorException(HOSTILE)) == VISIBLE


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (0.5, 0.5),
        (-1, -1),
        ("-0.5", "-0.5"),
        ("+1e3", "+1e3"),
        ("=cmd|'/c calc'!A0", "'=cmd|'/c calc'!A0"),
        ("+1+2", "'+1+2"),
        ("-1+2", "'-1+2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("plain", "plain"),
        ([1, 2], "[1, 2]"),
        (None, None),
    ],
)
def test_a_csv_holds_no_formulas(value, cell):
    assert csv_text.cell(value, str) == cell
