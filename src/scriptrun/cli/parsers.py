"""Argument parsers: argparse with scriptrun's errors, suggestions, and rich help."""

from __future__ import annotations

import argparse
import os
import re
import sys

from scriptrun.cli import commands
from scriptrun.cli.terminal import streams
from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, Protocol

    from _typeshed import SupportsWrite

    class _HelpFormatter(Protocol):
        def __call__(self, *, prog: str) -> argparse.HelpFormatter: ...


#: skip argparse's lookup of translations, which takes 2 ms: there are none
setattr(argparse, "_", str)  # noqa: B010

#: argparse's errors, and what to say instead
_REWORDED = (
    (r"argument (\S+): not allowed with argument (\S+)", "{1} cannot be combined with {0}"),
    (r"argument (\S+): invalid (?:int|float) value: (.+)", "Invalid {0} {1}: expected a number"),
    (r"argument (\S+): expected (?:one|at least one) argument", "{0} requires a value"),
    (r"the following arguments are required: (.+)", "Missing {0}"),
)


class Parser(argparse.ArgumentParser):
    """A parser that raises UserErrorException and keeps the words after ``--`` unparsed."""

    #: the words after ``--`` (None: no ``--``); set by ``parse``
    rest: list[str] | None = None
    #: whether the command takes words after ``--``
    takes_rest = False
    #: what the words after ``--`` are for, and what stands before it, in the hint about it
    rest_purpose, subject = "pass arguments to the script", "train.py"
    #: whether the command handles unknown words itself (as ``args.left``)
    takes_options = False
    #: options whose value may begin with a dash: ``--sort -metrics.loss``
    signed_options: tuple[str, ...] = ()
    #: the argument of several words that may be between the options
    words_argument = ""

    def parse(self, words: list[str]) -> argparse.Namespace:
        """Parse ``words``; ``args.rest`` are those after the first ``--``, unchanged."""
        rest = None
        if self.takes_rest and "--" in words:
            index = words.index("--")
            words, rest = words[:index], words[index + 1 :]
        args, unknown = self.parse_known_args(self._join_signed(words))
        if self.words_argument and not any(word.startswith("-") for word in unknown):
            words = [*getattr(args, self.words_argument), *unknown]
            setattr(args, self.words_argument, words)
            unknown = []
        if unknown and not (self.takes_options and getattr(args, "verb", "") in ("add", "set")):
            self.reject_words(unknown)
        args.rest, args.left = rest, unknown
        return args

    def _join_signed(self, words: list[str]) -> list[str]:
        """``words`` with the values of signed options joined to them: ``--sort=-metrics.loss``."""
        joined: list[str] = []
        for word in words:
            if joined and joined[-1] in self.signed_options and word.startswith("-"):
                joined[-1] += f"={word}"
            else:
                joined.append(word)
        return joined

    def reject_words(self, unknown: list[str]) -> NoReturn:
        """Raise UserErrorException for unknown words, with a suggestion."""
        text = " ".join(unknown)
        options = [name for action in self._actions for name in action.option_strings]
        near = {option.lstrip("-"): option for option in options}  # all options have dashes alike
        word = unknown[0].partition("=")[0].lstrip("-")
        found = suggestion.nearest(word, near, likeness=0.5) if unknown[0][:1] == "-" else []
        hint = f"Did you mean {near[found[0]]!r}? " if found else ""
        if self.takes_rest:
            hint += f"To {self.rest_purpose}, use --: {self.prog} ... {self.subject} -- {text}"
        raise UserErrorException(
            f"Unexpected argument {text!r} for `{self.prog}`.", hint.strip() or self._help_hint()
        )

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """Print the help, with its colours: it is all scriptrun's own text."""
        super()._print_message(message, streams.raw(file or sys.stdout))

    def _help_hint(self) -> str:
        return f"See `{self.prog} --help`."

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """Suggest the nearest choice for one that is invalid."""
        if action.choices is None or value in action.choices:
            return
        word = str(value)
        if isinstance(action, argparse._SubParsersAction):
            near = commands.nearest(word, action.choices)
            hint = f"Did you mean `{self.prog} {near}`? " if near else ""
            hint += f"Commands: {', '.join(action.choices)}."
            raise UserErrorException(f"{word!r} is not a {self.prog} command.", hint)
        shown = str(action.metavar or "").split("|")
        values = shown if len(shown) > 1 else [str(each) for each in action.choices]
        name = action.option_strings[-1] if action.option_strings else "argument"
        longer = [each for each in values if word and each.startswith(word)]
        near = f"Did you mean {longer[0]!r}? " if longer else suggestion.question(word, values)
        raise UserErrorException(
            f"Invalid {name} {word!r} for `{self.prog}`.", f"{near}Values: {', '.join(values)}."
        )

    def error(self, message: str) -> NoReturn:
        """Raise argparse's errors as UserErrorException, in scriptrun's words."""
        message = re.sub(r"(?<= )-\w/--", "--", message)
        for pattern, words in _REWORDED:
            if match := re.fullmatch(pattern, message):
                message = words.format(*match.groups())
        raise UserErrorException(f"{message[:1].upper()}{message[1:]}.", self._help_hint())


def make_parser(name: str, summary: str, words: list[str], doc: str) -> Parser:
    """Build the parser of the command ``name``; ``words`` decide whether it formats help."""
    text = doc.strip().partition("\n")[2].strip().replace("``", "`")
    if _is_help_requested(words):
        text = "\n\n".join(map(_refill, text.split("\n\n")))
    return Parser(
        prog=f"scriptrun {name}",
        description=f"{summary}.",
        epilog=text or None,
        allow_abbrev=False,
        formatter_class=_formatter(words),
    )


def _is_help_requested(words: list[str]) -> bool:
    return "-h" in words or "--help" in words


def _refill(paragraph: str) -> str:
    """Wrap prose at the terminal's width, at most 100; keep examples and tables unchanged."""
    if "  " in paragraph:
        return paragraph
    import shutil
    import textwrap

    columns = min(shutil.get_terminal_size().columns, 100)
    return textwrap.fill(paragraph, columns, break_long_words=False, break_on_hyphens=False)


def _formatter(words: list[str]) -> _HelpFormatter:
    if not _is_help_requested(words):
        return _plain_formatter
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return argparse.RawDescriptionHelpFormatter
    from rich_argparse import RawDescriptionRichHelpFormatter

    return RawDescriptionRichHelpFormatter


def _plain_formatter(prog: str) -> argparse.HelpFormatter:
    """Return a formatter for help that is not shown: argparse makes one for each argument.

    The fixed width avoids importing shutil, 3 ms, for the terminal's width.
    """
    return argparse.RawDescriptionHelpFormatter(prog, width=80)
