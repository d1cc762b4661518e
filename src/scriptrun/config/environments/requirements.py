"""Requirement lines: their names, and reading requirement files."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Iterator

from scriptrun.spec.errors import UserErrorException
from scriptrun.store import document_limits
from scriptrun.store.document_limits import LimitExceeded

_COMMENT = r"(^|\s)#.*$"
_NESTED = ("-r", "--requirement")
_CONSTRAINT = ("-c", "--constraint")
_EDITABLE = ("-e", "--editable")
_FIND_LINKS = ("-f", "--find-links")


def split_name(text: str, marks: str = "._-") -> tuple[str, str]:
    """The letters, digits and ``marks`` that ``text`` begins with, and the rest.

    (Compiling regular expressions would slow down every submission.)
    """
    text = text.strip()
    end = next((i for i, c in enumerate(text) if not (c.isalnum() or c in marks)), len(text))
    return text[:end], text[end:].strip()


def requirement_name(line: str) -> str:
    """The distribution's name, normalized as in PEP 503, or the whole line for a URL or path."""
    name, rest = split_name(line)
    if not name[:1].isalnum() or rest.startswith(("/", ":", "\\", "+")):
        return line.strip()
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


def is_option(line: str) -> bool:
    """Whether ``line`` is a pip option and not a requirement (``-e ...`` is a requirement)."""
    return line.lstrip().startswith("-") and split_option(line)[0] not in _EDITABLE


def split_option(line: str) -> tuple[str, str]:
    """An option's name and value: ``--index-url=X`` and ``--index-url X`` give the same."""
    line = line.strip()
    if not line.startswith("--"):
        return line[:2], line[2:].lstrip(" =")
    name, rest = split_name(line, "-")
    return name, rest.removeprefix("=").strip()


def read_requirements(path: str | os.PathLike[str]) -> list[str]:
    """The requirements and options of a requirements file, including nested ``-r`` files.

    Comments and blank lines are dropped, continued lines are joined, and relative paths
    (``-e ./lib``, ``./wheels/x.whl``, ``--find-links wheels``) are resolved against their own file.
    Raises UserErrorException for a file that is missing, unreadable or includes itself.
    """
    return list(_read_file(os.path.abspath(os.fspath(path)), (), itertools.count(1)))


def expand_lines(lines: Iterable[str], path: str | os.PathLike[str]) -> list[str]:
    """Expand ``lines`` of the file ``path`` as ``read_requirements`` does."""
    file_path = os.path.abspath(os.fspath(path))
    number = itertools.count(1)
    return [
        expanded
        for line in lines
        for expanded in _expand_line(line, file_path, (file_path,), number)
    ]


#: how many files a requirements file may include, each as often as it is named, and how deeply
_MOST_FILES, _MOST_LEVELS = 1000, 50


def _read_file(path: str, parents: tuple[str, ...], number: Iterator[int]) -> Iterator[str]:
    """The lines of a file; ``number`` counts the files."""
    if path in parents:
        raise UserErrorException(f"Requirements file {str(path)!r} includes itself.")
    if len(parents) > _MOST_LEVELS or next(number) > _MOST_FILES:
        raise UserErrorException(
            f"Requirements file {parents[0]!r} includes too many files.",
            f"It may include {_MOST_FILES} files, nested {_MOST_LEVELS} levels deep.",
        )
    for line in _logical_lines(_file_text(path, parents)):
        yield from _expand_line(line, path, (*parents, path), number)


def _expand_line(
    line: str, path: str, parents: tuple[str, ...], number: Iterator[int]
) -> Iterator[str]:
    if not line.lstrip().startswith("-"):
        yield _with_absolute_path(line, path)
        return
    name, value = split_option(line)
    if name in _NESTED:
        yield from _read_file(_resolve_path(path, value), parents, number)
    elif name in (*_CONSTRAINT, *_EDITABLE, *_FIND_LINKS):
        yield f"{name} {_absolute(value, path)}"
    else:
        yield line


def _file_text(path: str, parents: tuple[str, ...]) -> str:
    try:
        return document_limits.read_text(path)
    except LimitExceeded as error:
        raise UserErrorException(f"Requirements file {str(path)!r}: {error}.") from None
    except UnicodeDecodeError:
        raise UserErrorException(f"Requirements file {str(path)!r} is not UTF-8 text.") from None
    except OSError as error:
        included_by = f" (included by {str(parents[-1])!r})" if parents else ""
        reason = error.strerror or str(error)
        raise UserErrorException(
            f"Cannot read requirements file {str(path)!r}{included_by}: {reason}.",
            "Give the path of a file in pip's requirements format.",
        ) from None


def _logical_lines(text: str) -> Iterator[str]:
    parts: list[str] = []
    for raw in text.splitlines():
        is_comment = raw.lstrip().startswith("#")
        if raw.endswith("\\") and not is_comment:
            parts.append(raw[:-1])
            continue
        line = "" if is_comment else "".join([*parts, raw])
        parts = []
        line = re.sub(_COMMENT, "", line).strip()
        if line:
            yield re.sub(r"\s+", " ", line)
    if "".join(parts).strip():
        yield "".join(parts).strip()


def _resolve_path(path: str, value: str) -> str:
    return os.path.normpath(os.path.join(os.path.dirname(path), value))


def _absolute(value: str, path: str) -> str:
    if "://" in value or value.startswith(("git+", "${")):
        return value
    return value if os.path.isabs(value) else _resolve_path(path, value)


def _with_absolute_path(line: str, path: str) -> str:
    first_word = line.split(" ", 1)[0]
    is_path = first_word.startswith((".", "~")) or (
        first_word.endswith((".whl", ".tar.gz", ".zip")) and "@" not in first_word
    )
    return _absolute(line, path) if is_path else line
