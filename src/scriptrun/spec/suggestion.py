"""Suggest the closest valid name for a mistyped one in errors."""

from __future__ import annotations

from collections.abc import Iterable

from scriptrun.spec.control_characters import one_line

#: how much of a name has to be the same, from 0 to 1
LIKENESS = 0.6


def nearest(
    name: str, known: Iterable[str], count: int = 1, likeness: float = LIKENESS
) -> list[str]:
    """At most ``count`` of the known names that look like ``name``, the nearest first.

    ``likeness`` is how much of them has to be the same. Upper and lower case count as equal.
    """
    import difflib

    by_lower = {candidate.lower(): candidate for candidate in sorted(known)}
    matches = difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=likeness)
    return [by_lower[match] for match in matches]


def question(name: str, known: Iterable[str], count: int = 1) -> str:
    """``Did you mean 'x'? ``, to begin a hint with; "" where no known name is near."""
    names = nearest(name, known, count)
    return f"Did you mean {' or '.join(map(repr, names))}? " if names else ""


def hint(name: str, known: Iterable[str], label: str) -> str:
    """``Did you mean 'x'? LABEL: x, y.``: the nearest known name, if any, and all of them."""
    known = list(known)
    return f"{question(name, known)}{label}: {', '.join(map(one_line, known)) or 'none'}."


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?``, to end a sentence with; the valid names where none is near."""
    known = sorted(known)
    suggestion = question(name, known, 2).strip()
    if suggestion:
        return f"; {suggestion[0].lower()}{suggestion[1:]}"
    return f"; valid names: {', '.join(known)}." if known else "."
