"""Dispatch a command line to the command's module."""

from __future__ import annotations

import importlib
import os
import sys

import scriptrun
from scriptrun.cli import commands as cli_commands
from scriptrun.cli import errors as cli_errors
from scriptrun.cli.terminal import streams
from scriptrun.runtime import standard_streams
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from scriptrun.cli.parsers import Parser

USAGE = "usage: scriptrun COMMAND ...   (see scriptrun COMMAND --help)"


def run(words: list[str]) -> int:
    """Run the command line ``words`` and return the exit code."""
    standard_streams.replace_missing()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names may be in any script
    if words[:1] == ["--no-fsync"]:
        os.environ[importlib.import_module("scriptrun.runtime.files").FSYNC_VARIABLE] = "0"
        words = words[1:]
    if any(word.startswith(("--env", "--set")) for word in words):
        importlib.import_module("scriptrun.cli.command_line").hide(words)
    with streams.cleaned_output():
        return cli_errors.run_guarded(_dispatch, words)


def _dispatch(words: list[str]) -> int:
    first = words[0] if words else "--help"
    first = cli_commands.ALIASES.get(first, first)
    if first in ("-h", "--help", "help") and len(words) <= 1:
        print(overview())
        return 0 if words else 2
    if first in ("-V", "--version"):
        print(f"scriptrun {scriptrun.__version__}")
        return 0
    if first == "runs":
        return _dispatch_runs(words[1:])
    if first not in cli_commands.COMMANDS:
        raise UserErrorException(*describe_unknown(first, cli_commands.COMMANDS))
    return run_command(first, words[1:])


def _dispatch_runs(words: list[str]) -> int:
    """Run ``runs list`` as ``list``, and so on; ``runs`` alone lists the runs."""
    first = words[0] if words else "list"
    if first in ("-h", "--help"):
        print(overview(cli_commands.RUNS))
        return 0
    if first not in cli_commands.RUNS:
        raise UserErrorException(*describe_unknown(first, cli_commands.RUNS, "runs "))
    return run_command(first, words[1:])


def run_command(name: str, words: list[str]) -> int:
    """Parse ``words`` for the command ``name``, run it, and return the exit code."""
    module = load_module(name)
    args = parser_of(name, words).parse(words)
    code: int = module.run(args)
    return code


def load_module(name: str) -> ModuleType:
    """Import the module of the command ``name``."""
    return importlib.import_module(f"scriptrun.cli.{cli_commands.COMMANDS[name].module}")


def parser_of(name: str, words: list[str] | None = None) -> Parser:
    """Build the parser of the command ``name``; ``words`` decide whether it formats help."""
    parsers = importlib.import_module("scriptrun.cli.parsers")
    module = load_module(name)
    line, doc = cli_commands.COMMANDS[name].line, module.__doc__ or ""
    parser: Parser = parsers.make_parser(name, line, words or [], doc)
    module.arguments(parser)
    return parser


def overview(commands: dict[str, cli_commands.Command] | None = None) -> str:
    """Return the help of ``scriptrun`` itself: all commands, one line each."""
    if commands is not None:
        return "\n".join(["usage: scriptrun runs COMMAND ...", "", *_lines(commands)])
    return "\n".join(
        [
            "Describe a training job once, run it anywhere, and keep a record of it.",
            "",
            USAGE,
            "",
            "Runs (RUN is an ID, unique ID prefix, name, latest or best:METRIC; default: latest):",
            *_lines(_commands_in_tidy(False)),
            "",
            "Organize runs:",
            *_lines(_commands_in_tidy(True)),
            "",
            "More:",
            *_lines(cli_commands.OTHERS),
            "",
            "--no-fsync before COMMAND: wait for no disk; a power cut may take what it wrote.",
            "",
            "Get started:  scriptrun run train.py -- --alpha 0.5",
        ]
    )


def _commands_in_tidy(are_in: bool) -> dict[str, cli_commands.Command]:
    """The commands on runs that keep a workspace tidy, or the others."""
    commands = cli_commands.RUNS.items()
    return {name: each for name, each in commands if each.module.startswith("tidy.") == are_in}


def _lines(commands: dict[str, cli_commands.Command]) -> list[str]:
    return [f"  {name:<12}{command.line}" for name, command in commands.items()]


def describe_unknown(
    word: str, commands: dict[str, cli_commands.Command], prefix: str = ""
) -> tuple[str, str]:
    """Return the error message and the hint for an unknown command."""
    if word.startswith("-"):
        return f"Unexpected option {word!r} before the command.", USAGE
    near = cli_commands.nearest(word, commands)
    if near:
        hint = f"Did you mean `scriptrun {prefix}{near}`?"
    elif word.endswith(".py"):
        hint = f"To run a script, use: scriptrun run {word}"
    else:
        hint = f"Commands: {', '.join(commands)}."
    return f"{word!r} is not a scriptrun command.", hint
