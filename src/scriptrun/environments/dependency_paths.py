"""Why a package is installed: the requirement and the packages that depend on it.

Read from the metadata of the installed packages: ``Requires-Dist`` in METADATA (the core metadata
specification), ``depends`` in a prefix's ``conda-meta``. Markers are not evaluated: an installed
package counts as a dependency of every package that names it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from scriptrun.environments import site_packages
from scriptrun.runtime.files import read_json

_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w.-]+)['\"]")


def pulled_by(folders: Iterable[str], prefix: str = "") -> dict[str, list[str]]:
    """By the name of each installed package: the packages that require it, sorted.

    A package that requires it only for an extra is listed as ``name[extra]``.
    """
    asks = _from_metadata(folders)
    for name, wanted in _from_conda(prefix).items():
        asks.setdefault(name, set()).update(wanted)
    found: dict[str, set[str]] = {name: set() for name in asks}
    for name, wanted in asks.items():
        for each in wanted:
            package, _, extra = each.partition("[")
            if package in found and package != name:
                found[package].add(f"{name}[{extra}" if extra else name)
    return {name: sorted(parents) for name, parents in found.items()}


def chain(name: str, parents: Mapping[str, list[str]], asked: Iterable[str]) -> list[str]:
    """The shortest chain from one of ``asked`` (requirement lines) down to ``name``; [] if none.

    The chain of a package that was requested directly is its own name alone.
    """
    wanted = {requirement_name(each) for each in asked}
    ways, seen = [[name]], {name}
    for way in ways:
        if way[0] in wanted:
            return way
        for parent in parents.get(way[0], ()):
            bare = parent.partition("[")[0]
            if bare not in seen:
                seen.add(bare)
                ways.append([bare, *way])
    return []


def requirement_name(line: str) -> str:
    """The name in a requirement line or a conda specification (``numpy>=1``); "" for a URL."""
    found = _NAME.match(line.rpartition("::")[2])
    if found is None or "/" in line.partition("@")[0]:
        return ""
    return site_packages.normal(found[1])


def _from_metadata(folders: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for folder in folders:
        for entry in site_packages.names([folder]):
            parsed = site_packages.distribution(entry)
            if parsed is not None:
                found.setdefault(parsed[0], set()).update(_wanted(os.path.join(folder, entry)))
    return found


def _wanted(folder: str) -> set[str]:
    """The requirements in the METADATA of the dist-info ``folder``."""
    try:
        with open(os.path.join(folder, "METADATA"), encoding="utf-8", errors="replace") as handle:
            head = handle.read().partition("\n\n")[0]
    except OSError:
        return set()
    found = set()
    for line in head.splitlines():
        if line.startswith("Requires-Dist:"):
            text = line.partition(":")[2]
            name, extra = requirement_name(text), _EXTRA.search(text)
            found.add(f"{name}[{extra[1]}]" if extra else name)
    return found - {""}


def _from_conda(prefix: str) -> dict[str, set[str]]:
    folder = os.path.join(prefix, "conda-meta") if prefix else ""
    names = os.listdir(folder) if folder and os.path.isdir(folder) else []
    found = {}
    for name in names:
        record = read_json(os.path.join(folder, name)) if name.endswith(".json") else None
        if isinstance(record, dict):
            wanted = {requirement_name(each) for each in record.get("depends", ())}
            found[site_packages.normal(str(record.get("name", "")))] = wanted - {""}
    return found
