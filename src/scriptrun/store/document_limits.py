"""Limits for files that others wrote: none may exhaust memory, time or the stack."""

from __future__ import annotations

import codecs
import errno
import io
import os

from scriptrun.runtime import files
from scriptrun.spec.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from io import BufferedReader


class Limits(Value):
    """How large a file's text, and how large and deeply nested its value may be."""

    characters: int
    values: int
    depth: int = 100


#: for configuration and job files
CONFIGURATION = Limits(4 << 20, 100_000)
#: for the records of a workspace
RECORD = Limits(64 << 20, 1_000_000)
#: for files that programs write, such as notebooks and lockfiles
DATA = Limits(512 << 20, 5_000_000)


class MalformedDocument(ValueError):
    """An invalid document: the problem, and its line and column from 1 (0: unknown)."""

    def __init__(self, problem: str, line: int = 0, column: int = 0) -> None:
        position = f"line {line}, column {column}: " if line else ""
        super().__init__(f"{position}{problem}")
        self.problem, self.line, self.column = problem, line, column


class LimitExceeded(MalformedDocument):
    """A document that exceeds a limit, whatever its syntax."""


def read_text(
    path: str | os.PathLike[str], limits: Limits = CONFIGURATION, encoding: str | None = None
) -> str:
    """The text of the file ``path``: by default in UTF-8, or as its byte order mark says.

    Raises LimitExceeded, OSError or UnicodeDecodeError.
    """
    with open_document(path) as document:
        encoding = encoding or marked_encoding(document.peek(4)) or "utf-8"
        text = io.TextIOWrapper(document, encoding=encoding).read(limits.characters + 1)
    check_size(text, limits)
    return text


def reason_of(error: Exception) -> str:
    """Why ``read_text`` failed, as the end of a sentence."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return getattr(error, "strerror", None) or str(error)


def marked_encoding(data: bytes) -> str | None:
    """The encoding, which drops the mark, if ``data`` begins with a byte order mark."""
    return next((name for mark, name in _MARKS if data.startswith(mark)), None)


#: UTF-16's marks begin as UTF-32's do
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _can_be_a_path(path: str) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Whether ``path`` is what the shell makes of ``<(command)``, or standard input."""
    return os.path.dirname(path) in _STREAM_FOLDERS or os.fspath(path) == "/dev/stdin"


_STREAM_FOLDERS = ("/dev/fd", "/proc/self/fd")


def open_document(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a file that others may have put there: a pipe or a device is not waited for.

    What the shell made of a command (``/dev/fd/63``) is. Raises OSError.
    """
    if not _can_be_a_path(os.fspath(path)):
        raise OSError(errno.EINVAL, "No file can have this name", os.fspath(path))
    if is_stream(path):
        return open(path, "rb")
    try:
        return files.open_record(path)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise OSError(error.errno, "it is a pipe or a device", os.fspath(path)) from None


def check_size(text: str | bytes, limits: Limits) -> None:
    """Raise LimitExceeded if ``text`` is too long."""
    if len(text) > limits.characters:
        raise LimitExceeded(f"it is larger than {limits.characters >> 20} MiB")


def check_value(value: object, limits: Limits) -> None:
    """Raise LimitExceeded if the parsed ``value`` has too many values or levels."""
    count = depth = 0
    level: list[object] = [value]
    while level:
        count += len(level)
        if count > limits.values:
            raise too_many(limits)
        if depth > limits.depth:
            raise too_deep(limits)
        level = [inner for outer in level for inner in _values_in(outer)]
        depth += 1


def _values_in(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def too_many(limits: Limits, line: int = 0, column: int = 0) -> LimitExceeded:
    """The error for a document with too many values."""
    return LimitExceeded(f"it has more than {limits.values:,} values", line, column)


def too_deep(limits: Limits, line: int = 0, column: int = 0) -> LimitExceeded:
    """The error for a document that is nested too deeply."""
    return LimitExceeded(f"it is nested more than {limits.depth} levels deep", line, column)
