"""Cells that are scripts of a shell or another program, where IPython is not installed."""

from __future__ import annotations

import argparse
import subprocess
import sys

from scriptrun.dropin.notebook import commands
from scriptrun.dropin.notebook.notes import Notes

#: the magics that are named after their program
PROGRAMS = ("bash", "sh", "python", "python3", "perl", "ruby")
_SHELLS = ("bash", "sh")


def run(
    title: str, words: list[str], script: str, notes: Notes, variables: dict[str, object]
) -> None:
    """Do the cell ``title``: ``words`` are a program, its arguments and IPython's options.

    ``variables`` get what ``--out`` and ``--err`` name. Raises CalledProcessError if it fails.
    """
    options, command = _options().parse_known_args(words)
    if not command:
        notes.skipped(title, "it names no program")
        return
    if command[0] in _SHELLS:
        script, skipped = commands.without_skipped(script)
        for line in skipped:
            notes.skips(line, line)
    sys.stdout.flush()
    try:
        process = subprocess.Popen(
            command,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if options.out else None,
            stderr=subprocess.PIPE if options.err else None,
        )
    except FileNotFoundError:
        notes.skipped(title, f"{command[0]} is not installed")
        return
    if options.proc:
        variables[options.proc] = process
    if options.bg:
        _begin(process, script)
        return
    stdout, stderr = process.communicate(script)
    variables.update({options.out: stdout} if options.out else {})
    variables.update({options.err: stderr} if options.err else {})
    if process.returncode and options.raise_error:
        notes.exited(title, process.returncode)
        raise subprocess.CalledProcessError(process.returncode, command)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("--out", "--err", "--proc"):
        parser.add_argument(name)
    parser.add_argument("--bg", action="store_true")
    parser.add_argument("--raise-error", action=argparse.BooleanOptionalAction, default=True)
    return parser


def _begin(process: subprocess.Popen[str], script: str) -> None:
    """Give the process its script, and do not wait for it."""
    assert process.stdin is not None
    process.stdin.write(script)
    process.stdin.close()
