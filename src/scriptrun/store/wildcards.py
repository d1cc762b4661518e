"""Wildcards as regular expressions that match in polynomial time, whatever the pattern.

``*a*a*a*b`` as ``.*a.*a.*a.*b`` tries every way to spread the text over the stars. Here each part
between two stars matches at its first place and is not tried again (an atomic group): a later place
would leave the rest of the pattern less text, and no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

#: any text without a slash; any folders; any text
STAR, FOLDERS, ANY = "*", "**/", "**"
#: a wildcard (STAR, FOLDERS, ANY), or "" and an expression of a fixed length
Piece = tuple[str, str]

_SPANS = {"": "", FOLDERS: "(?:.*?/)??", ANY: ".*?"}


def regex_of(pieces: Sequence[Piece]) -> str:
    """The regular expression, for ``fullmatch`` with DOTALL, of a pattern's ``pieces``."""
    units = list(_units(pieces))
    regexes = [_SPANS[span] + _unit_regex(unit, last=False) for span, unit in units[:-1]]
    span, unit = units[-1]
    return (
        "".join(f"(?>{regex})" for regex in regexes) + _SPANS[span] + _unit_regex(unit, last=True)
    )


def _units(pieces: Sequence[Piece]) -> Iterator[tuple[str, list[Piece]]]:
    """The pieces between two wildcards that span folders, with the one before them."""
    span: str = ""
    unit: list[Piece] = []
    for kind, regex in pieces:
        if kind in (FOLDERS, ANY):
            yield span, unit
            span, unit = kind, []
        else:
            unit.append((kind, regex))
    yield span, unit


def _unit_regex(unit: Sequence[Piece], last: bool) -> str:
    parts = [""]
    for kind, regex in unit:
        if kind == STAR:
            parts.append("")
        else:
            parts[-1] += regex
    first, *others = parts
    if not others:
        return first
    *inner, end = others
    end_regex = f"[^/]*{end}" if last else f"(?>[^/]*?{end})"
    return first + "".join(f"(?>[^/]*?{part})" for part in inner) + end_regex
