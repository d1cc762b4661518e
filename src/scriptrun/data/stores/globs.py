"""Patterns over a store's paths: ``*`` matches within a name, ``**`` across folders."""

from __future__ import annotations

import re

from scriptrun.store import wildcards
from scriptrun.store.wildcards import ANY, FOLDERS, STAR, Piece


def is_pattern(path: str) -> bool:
    """Whether ``path`` contains a wildcard."""
    return "*" in path


def folder_of(pattern: str) -> str:
    """The folder of everything that ``pattern`` can match: the part before its first ``*``."""
    return pattern.partition("*")[0].rpartition("/")[0]


def compile_glob(pattern: str) -> re.Pattern[str]:
    """Compile ``pattern`` to a regex for ``fullmatch``; ``a/**/b`` matches ``a/b`` too."""
    pieces: list[Piece] = []
    for text in re.split(r"(\*\*/|\*+)", pattern):
        if text == "**/":
            pieces.append((FOLDERS, ""))
        elif text.startswith("**"):
            pieces.append((ANY, ""))
        elif text == "*":
            pieces.append((STAR, ""))
        else:
            pieces.append(("", re.escape(text)))
    return re.compile(wildcards.regex_of(pieces), re.DOTALL)
