"""When the minor versions of common packages were released, for indexes that do not tell.

``release_dates.json`` holds, by name, each minor version with the day of its first upload to PyPI.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Container

from scriptrun.environments import site_packages


def date_of(name: str, version: str) -> str:
    """The day on which the minor version of ``version`` was released; "" if it is not known."""
    return _dates().get(site_packages.normal(name), {}).get(_minor(version), "")


def bounds(day: str, exclude: Container[str] = ()) -> list[str]:
    """Constraints (``numpy<1.21``) against versions of common packages released after ``day``."""
    lines = []
    for name, versions in _dates().items():
        later = [version for version, released in versions.items() if released > day]
        if later and name not in exclude:
            lines.append(f"{name}<{min(later, key=_numbers)}")
    return lines


@functools.cache
def _dates() -> dict[str, dict[str, str]]:
    path = os.path.join(os.path.dirname(__file__), "release_dates.json")
    with open(path, encoding="utf-8") as handle:
        dates: dict[str, dict[str, str]] = json.load(handle)
    return dates


def _minor(version: str) -> str:
    return ".".join(map(str, (*_numbers(version), 0)[:2]))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
