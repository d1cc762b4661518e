"""The streams of the command line: everything printed is cleaned of control characters."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from scriptrun.spec.control_characters import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO, TypeVar

    S = TypeVar("S")


class CleanStream:
    """A text stream that escapes control characters in what is written to it.

    Only sequences that begin with ``mark`` pass as escape sequences: no stored text can contain it,
    because it is random.
    """

    def __init__(self, raw_stream: TextIO) -> None:
        self.raw_stream = raw_stream
        self.mark = f"\x1b{os.urandom(8).hex()}"

    def write(self, text: str) -> int:
        """Write ``text``, cleaned."""
        self.raw_stream.write("\x1b".join(map(escape, text.split(self.mark))))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write all ``lines``, cleaned."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self.raw_stream, name)


@contextlib.contextmanager
def cleaned_output() -> Iterator[None]:
    """Clean what is printed to stdout and stderr within the block."""
    streams = sys.stdout, sys.stderr
    clean = [stream and CleanStream(raw(stream)) for stream in streams]
    # print() needs no more of a stream than these methods
    sys.stdout, sys.stderr = clean
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams


@contextlib.contextmanager
def raw_output() -> Iterator[None]:
    """Print what others' code prints within the block as it is."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = raw(sys.stdout), raw(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams


def raw(stream: S) -> S:
    """The stream to which ``stream`` writes what it has cleaned; else ``stream`` itself."""
    raw_stream: S = getattr(stream, "raw_stream", stream)
    return raw_stream


def escape_mark(stream: TextIO) -> str:
    """What begins an escape sequence of scriptrun's own on ``stream``."""
    return str(getattr(stream, "mark", "\x1b"))


def show_status(text: str) -> None:
    """Replace the status line, the terminal's last one, by ``text``; "" clears it."""
    stream = raw(sys.stderr)
    stream.write(f"\r\x1b[K{escape(text)}")
    stream.flush()
