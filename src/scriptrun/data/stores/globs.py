"""Patterns over paths of a store: ``*`` stays within a name, ``**`` spans folders; no more."""

from __future__ import annotations

import re


def is_pattern(path: str) -> bool:
    """Whether ``path`` stands for several."""
    return "*" in path


def folder_of(pattern: str) -> str:
    """The folder that holds all that ``pattern`` can match: what stands before its first ``*``."""
    return pattern.partition("*")[0].rpartition("/")[0]


def compiled(pattern: str) -> re.Pattern[str]:
    """``pattern`` as an expression for ``fullmatch``; ``a/**/b`` matches ``a/b`` too."""
    made = ""
    for piece in re.split(r"(\*\*/|\*+)", pattern):
        if piece == "**/" and made.endswith(("", "/")):
            made += "(?:.*/)?"
        elif piece.startswith("**"):
            made += ".*" + re.escape(piece.lstrip("*"))
        elif piece == "*":
            made += "[^/]*"
        else:
            made += re.escape(piece)
    return re.compile(made, re.DOTALL)
