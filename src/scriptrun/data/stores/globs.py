"""Patterns over a store's paths: ``*`` matches within a name, ``**`` across folders."""

from __future__ import annotations

import re


def is_pattern(path: str) -> bool:
    """Whether ``path`` contains a wildcard."""
    return "*" in path


def folder_of(pattern: str) -> str:
    """The folder of everything that ``pattern`` can match: the part before its first ``*``."""
    return pattern.partition("*")[0].rpartition("/")[0]


def compile_glob(pattern: str) -> re.Pattern[str]:
    """Compile ``pattern`` to a regex for ``fullmatch``; ``a/**/b`` matches ``a/b`` too."""
    regex = ""
    for piece in re.split(r"(\*\*/|\*+)", pattern):
        if piece == "**/" and regex.endswith(("", "/")):
            regex += "(?:.*/)?"
        elif piece.startswith("**"):
            regex += ".*" + re.escape(piece.lstrip("*"))
        elif piece == "*":
            regex += "[^/]*"
        else:
            regex += re.escape(piece)
    return re.compile(regex, re.DOTALL)
