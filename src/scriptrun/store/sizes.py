"""Parses sizes and ages as people write them."""

from __future__ import annotations

import re

from scriptrun.spec.errors import UserErrorException

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "": 86400}


def size(text: str, option: str) -> int:
    """A number of bytes: ``5000000``, ``50GB`` (10^9), ``50GiB`` (2^30).

    ``option`` is the option that it is the value of. Raises UserErrorException if invalid.
    """
    match = re.fullmatch(r"\s*([0-9.]+)\s*([kKmMgGtT]?)(i?)[bB]?\s*", text)
    try:
        assert match is not None
        return int(float(match[1]) * (_BINARY if match[3] else _UNITS)[match[2].lower()])
    except (AssertionError, ValueError):
        raise UserErrorException(
            f"Invalid size {option}={text!r}.", "Use e.g. 50GB or 200GiB."
        ) from None


def age(text: str, option: str) -> float:
    """A number of seconds: ``90s``, ``20min``, ``12h``, ``30d``, ``4w``; days without a unit.

    ``option`` is the option that it is the value of. Raises UserErrorException if invalid.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(s|min|m|h|d|w|)\s*", text)
    if match is None:
        raise UserErrorException(
            f"Invalid age {option}={text!r}.", "Write, for example, 12h, 30d or 4w."
        )
    return float(match[1]) * _SECONDS[match[2]]
