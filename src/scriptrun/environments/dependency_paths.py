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
from scriptrun.runtime.files import read_object

_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w.-]+)['\"]")


def reverse_dependencies(folders: Iterable[str], prefix: str = "") -> dict[str, list[str]]:
    """By the name of each installed package: the packages that require it, sorted.

    A package that requires it only for an extra is listed as ``name[extra]``.
    """
    requirements = _requirements_from_metadata(folders)
    for name, required in _requirements_from_conda(prefix).items():
        requirements.setdefault(name, set()).update(required)
    required_by: dict[str, set[str]] = {name: set() for name in requirements}
    for name, required in requirements.items():
        for requirement in required:
            package, _, extra = requirement.partition("[")
            if package in required_by and package != name:
                required_by[package].add(f"{name}[{extra}" if extra else name)
    return {name: sorted(parents) for name, parents in required_by.items()}


def shortest_chain(
    name: str, parents: Mapping[str, list[str]], requested: Iterable[str]
) -> list[str]:
    """The shortest chain from one of ``requested`` (requirement lines) to ``name``; [] if none.

    The chain of a package that was requested directly is its own name alone.
    """
    roots = {requirement_name(line) for line in requested}
    chains, visited = [[name]], {name}
    for links in chains:
        if links[0] in roots:
            return links
        for parent in parents.get(links[0], ()):
            parent_name = parent.partition("[")[0]
            if parent_name not in visited:
                visited.add(parent_name)
                chains.append([parent_name, *links])
    return []


def requirement_name(line: str) -> str:
    """The name in a requirement line or a conda specification (``numpy>=1``); "" for a URL."""
    match = _NAME.match(line.rpartition("::")[2])
    if match is None or "/" in line.partition("@")[0]:
        return ""
    return site_packages.normal(match[1])


def _requirements_from_metadata(folders: Iterable[str]) -> dict[str, set[str]]:
    requirements: dict[str, set[str]] = {}
    for folder in folders:
        for entry in site_packages.names([folder]):
            parsed = site_packages.distribution(entry)
            if parsed is not None:
                requirements.setdefault(parsed[0], set()).update(
                    _read_requires_dist(os.path.join(folder, entry))
                )
    return requirements


def _read_requires_dist(folder: str) -> set[str]:
    """The requirements in the METADATA of the dist-info ``folder``."""
    try:
        with open(os.path.join(folder, "METADATA"), encoding="utf-8", errors="replace") as handle:
            headers = handle.read().partition("\n\n")[0]
    except OSError:
        return set()
    names = set()
    for line in headers.splitlines():
        if line.startswith("Requires-Dist:"):
            text = line.partition(":")[2]
            name, extra = requirement_name(text), _EXTRA.search(text)
            names.add(f"{name}[{extra[1]}]" if extra else name)
    return names - {""}


def _requirements_from_conda(prefix: str) -> dict[str, set[str]]:
    folder = os.path.join(prefix, "conda-meta") if prefix else ""
    filenames = os.listdir(folder) if folder and os.path.isdir(folder) else []
    requirements = {}
    for name in filenames:
        record = read_object(os.path.join(folder, name)) if name.endswith(".json") else None
        if record is not None and isinstance(record.get("depends", []), list):
            required = {requirement_name(str(spec)) for spec in record.get("depends", ())}
            requirements[site_packages.normal(str(record.get("name", "")))] = required - {""}
    return requirements
