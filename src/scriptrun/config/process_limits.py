"""Limits of the system on arguments and environment variables (execve(2))."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Linux's MAX_ARG_STRLEN, less the NUL at a text's end
LONGEST = 128 * 1024 - 1
#: what Linux takes of a process's arguments and variables together, however large its stack
_MOST = 6 << 20
#: of each text, its NUL and its pointer
_OVERHEAD = 9


def argument_problems(name: str, text: str) -> list[str]:
    """Why the argument ``text``, called ``name``, exceeds a limit: at most one sentence."""
    problem = _problem(text, LONGEST)
    return [f"{name} {problem}"] if problem else []


def variable_problems(variables: Mapping[str, object]) -> list[str]:
    """Why ``variables`` exceed a limit: a sentence for each of them."""
    problems = []
    for name, value in variables.items():
        if not isinstance(name, str):
            continue
        problem = _problem(name, LONGEST) or _problem(str(value), LONGEST - _size(name) - 1)
        problems += [f"environment variable {name[:50]!r} {problem}"] if problem else []
    return problems


def total_problems(arguments: Iterable[str], variables: Mapping[str, str]) -> list[str]:
    """Why a process cannot be given all of these, which are valid one by one."""
    environ = {**os.environ, **variables}
    texts = [*arguments, *environ, *environ.values()]
    total, most = sum(_size(text) + _OVERHEAD for text in texts), _most()
    if total <= most:
        return []
    return [
        f"the arguments and environment variables have {total:,} bytes in total, more than "
        f"the limit of {most:,}; write them to a file, and pass its path"
    ]


def _most() -> int:
    try:
        most = os.sysconf("SC_ARG_MAX")
    except (AttributeError, OSError, ValueError):  # no POSIX system
        return _MOST
    return min(most, _MOST) if most > 0 else _MOST


def _problem(text: str, longest: int) -> str | None:
    if "\0" in text:
        return "contains a NUL character, which the system does not allow"
    try:
        size = _size(text)
    except UnicodeEncodeError as error:
        character = text[error.start]
        return f"contains the lone surrogate {character!r}, which the system does not allow"
    if size > longest:
        return (
            f"has {size:,} bytes, more than the limit of {longest:,}; "
            "write it to a file, and pass the file's path"
        )
    return None


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(os.fsencode(text))
