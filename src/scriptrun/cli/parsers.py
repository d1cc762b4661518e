"""Argument parsers: argparse with our errors, near names, and rich help on a terminal."""

from __future__ import annotations

import argparse
import os
import sys

from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

#: argparse's own words in English: looking for translations costs 2 ms, and there are none of ours
setattr(argparse, "_", str)  # noqa: B010


class Parser(argparse.ArgumentParser):
    """A parser whose errors are sentences, and which keeps what follows ``--`` as it is."""

    #: what comes after ``--`` (None: no ``--``); set by ``parse``
    rest: list[str] | None = None
    #: whether the command takes words after ``--``
    takes_rest = False
    #: whether words that the parser does not know are the command's own business (``left``)
    takes_options = False

    def parse(self, words: list[str]) -> argparse.Namespace:
        """The parsed words, with ``rest``: those after the first ``--``, byte for byte."""
        rest = None
        if self.takes_rest and "--" in words:
            mark = words.index("--")
            words, rest = words[:mark], words[mark + 1 :]
        args, left = self.parse_known_args(words)
        if left and not (self.takes_options and getattr(args, "verb", "") in ("add", "set")):
            self.refuse_words(left)
        args.rest, args.left = rest, left
        return args

    def refuse_words(self, left: list[str]) -> NoReturn:
        """Say which words nobody knows, and what was meant."""
        shown = " ".join(left)
        options = [name for action in self._actions for name in action.option_strings]
        hint = suggestion.question(left[0].partition("=")[0], options)
        if self.takes_rest:
            hint += f"To pass arguments to the script, use --: {self.prog} ... train.py -- {shown}"
        raise UserErrorException(
            f"Unexpected argument {shown!r} for `{self.prog}`.", hint or self._more()
        )

    def _more(self) -> str:
        return f"See `{self.prog} --help`."

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found as one of our errors."""
        raise UserErrorException(f"{message[:1].upper()}{message[1:]}.", self._more())


def make(name: str, line: str, words: list[str], doc: str) -> Parser:
    """A parser for the command ``name``; ``words`` tell whether help will be shown."""
    text = doc.strip().partition("\n")[2].strip()
    if _asked(words):
        text = "\n\n".join(map(_refilled, text.split("\n\n")))
    return Parser(
        prog=f"scriptrun {name}",
        description=f"{line}.",
        epilog=text or None,
        allow_abbrev=False,
        formatter_class=_formatter(words),
    )


def _asked(words: list[str]) -> bool:
    return "-h" in words or "--help" in words


def _refilled(paragraph: str) -> str:
    """Prose at the terminal's width, 100 at most; examples and tables as they stand."""
    if "  " in paragraph:
        return paragraph
    import shutil
    import textwrap

    columns = min(shutil.get_terminal_size().columns, 100)
    return textwrap.fill(paragraph, columns, break_long_words=False, break_on_hyphens=False)


def _formatter(words: list[str]) -> Any:
    if not _asked(words):
        return _unread
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return argparse.RawDescriptionHelpFormatter
    from rich_argparse import RawDescriptionRichHelpFormatter

    return RawDescriptionRichHelpFormatter


def _unread(prog: str) -> argparse.HelpFormatter:
    """A formatter for help that nobody asked for: argparse makes one for each argument.

    Without a width it would load shutil, 3 ms, to ask for the terminal's.
    """
    return argparse.RawDescriptionHelpFormatter(prog, width=80)
