"""The contents of site-packages folders, read without starting an interpreter."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

_METADATA = (".dist-info", ".egg-info")


def find_folders(prefix: str, *, windows: bool = os.name == "nt") -> tuple[str, ...]:
    """The site-packages directories of an environment made by venv, virtualenv, uv or conda."""
    if windows:
        candidates = [os.path.join(prefix, "Lib", "site-packages")]
    else:
        candidates = [
            folder
            for lib in ("lib", "lib64")
            for folder in _children(os.path.join(prefix, lib), "python")
        ]
        candidates = [os.path.join(folder, "site-packages") for folder in candidates]
    unique = {os.path.realpath(path): path for path in reversed(candidates) if os.path.isdir(path)}
    return tuple(sorted(unique.values()))


def _children(folder: str, beginning: str) -> list[str]:
    """The paths in ``folder`` whose names start with ``beginning``, sorted; [] if it is missing."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names if name.startswith(beginning)]


def names(sites: Iterable[str]) -> list[str]:
    """The names of all entries of ``sites``, sorted, without bytecode folders."""
    entries: set[str] = set()
    for site in sites:
        try:
            entries.update(os.listdir(site))
        except OSError:
            continue
    entries.discard("__pycache__")
    return sorted(entries)


def distributions(sites: Iterable[str]) -> list[str]:
    """The installed distributions as ``name==version``, sorted; the first folder wins."""
    versions: dict[str, str] = {}
    for site in sites:
        for entry in names([site]):
            parsed = distribution(entry)
            if parsed is not None:
                versions.setdefault(*parsed)
    return [f"{name}=={version}" for name, version in sorted(versions.items())]


def distribution(entry: str) -> tuple[str, str] | None:
    """Name and version from the name of a metadata folder (``six-1.0.dist-info``), or None."""
    stem, suffix = os.path.splitext(entry)
    if suffix not in _METADATA or "-" not in stem or stem.startswith("~"):
        return None
    name, version = stem.split("-")[:2]
    return normal(name), version


def emptied(sites: Iterable[str]) -> list[str]:
    """The distributions with files that are empty, though their RECORD says otherwise; sorted.

    uv's cache holds such files if the power was cut while it was filled.
    """
    found: set[str] = set()
    for site in sites:
        for entry in names([site]):
            parsed = distribution(entry)
            if parsed is not None and _has_emptied_files(site, os.path.join(site, entry, "RECORD")):
                found.add(parsed[0])
    return sorted(found)


def _has_emptied_files(site: str, record: str) -> bool:
    try:
        with open(record, encoding="utf-8") as lines:
            rows = [line.rstrip("\n").rsplit(",", 2) for line in lines]
    except (OSError, ValueError):
        return False  # no wheel
    sizes = [(row[0].strip('"'), row[2]) for row in rows if len(row) == 3]
    return not rows or any(size.strip("0") and _is_empty(site, path) for path, size in sizes)


def _is_empty(site: str, path: str) -> bool:
    try:
        return os.stat(os.path.join(site, path)).st_size == 0
    except OSError:
        return False


def normal(name: str) -> str:
    """A distribution's name normalized by PEP 503: lower case, dashes."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_metadata(entry: str) -> bool:
    """Whether ``entry`` is the metadata of an installed distribution."""
    return distribution(entry) is not None
