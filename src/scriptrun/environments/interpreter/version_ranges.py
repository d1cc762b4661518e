"""Conditions on a Python version, as in ``requires-python`` and conda: ``>=3.9,<3.12``.

The clauses are the subset of
https://packaging.python.org/en/latest/specifications/version-specifiers/ that Python versions need:
numbers, without pre-releases.
"""

from __future__ import annotations

import operator
import re

Clause = tuple[str, tuple[int, ...], bool]
Version = tuple[int, ...]

_CLAUSE = re.compile(r"(~=|===?|!=|<=|>=|<|>|=)\s*(\d{1,9}(?:\.\d{1,9}){0,2})(\.\*)?")
_COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def parse(text: str) -> tuple[Clause, ...] | None:
    """The clauses of ``text``: sign, numbers and whether ``.*`` follows; None for anything else."""
    matches = [_CLAUSE.fullmatch(part.strip()) for part in text.split(",") if part.strip()]
    if not matches or None in matches:
        return None
    clauses = [match for match in matches if match is not None]
    return tuple((m[1], tuple(map(int, m[2].split("."))), bool(m[3])) for m in clauses)


def fits(version: Version, clauses: tuple[Clause, ...]) -> bool:
    """Whether ``version`` (three numbers) satisfies all ``clauses``."""
    return all(_meets(version, *clause) for clause in clauses)


def _meets(version: Version, sign: str, numbers: Version, wildcard: bool) -> bool:
    if sign in _COMPARISONS:
        return bool(_COMPARISONS[sign](version, _pad(numbers)))
    if sign == "~=":
        return version >= _pad(numbers) and _starts_with(version, numbers[:-1])
    # conda's "=3.8" means any 3.8, and so does a user's "==3.8" for a Python
    equal = _starts_with(version, numbers) if wildcard or len(numbers) < 3 else version == numbers
    return not equal if sign == "!=" else equal


def _starts_with(version: Version, numbers: Version) -> bool:
    return version[: len(numbers)] == numbers


def _pad(numbers: Version) -> Version:
    return (*numbers, 0, 0)[:3]
