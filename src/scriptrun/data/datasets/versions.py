"""Registered datasets: ``datasets/<name>/<version>.yaml`` and their tags in the workspace."""

from __future__ import annotations

import time
import uuid

from scriptrun.data.datastores.records import Home
from scriptrun.data.errors import DatasetValidationError
from scriptrun.spec import suggestion
from scriptrun.spec.errors import UserErrorException
from scriptrun.store import yaml_file
from scriptrun.store.versions import VersionRecord, VersionStore


def add(home: Home, name: str, head: VersionRecord, create_new_version: bool) -> VersionRecord:
    """Store ``head`` as the next version of ``name``, unless it equals the latest version.

    Raises UserErrorException if the name is taken and ``create_new_version`` is false. Returns the
    head with ``name``, ``version`` and ``id``.
    """
    if not isinstance(name, str) or not name.strip():
        raise UserErrorException(f"A dataset name must be a string, not {name!r}.")
    shelf = _shelf(home)
    latest = max(shelf.versions(name), default=0)
    if latest and not create_new_version:
        raise UserErrorException(
            f"Dataset {name!r} already exists in version {latest}.",
            "Use create_new_version=True or another name.",
        )
    if latest and _same(shelf.original(name, latest), head):
        return get(home, name, latest)
    made = {"id": str(uuid.uuid4()), **head, "created": _now()}
    number = shelf.add(name, made)
    return get(home, name, number)


def _same(there: VersionRecord, head: VersionRecord) -> bool:
    """Whether a stored version has the same values as ``head``."""
    made = yaml_file.plain(head)
    return {key: there.get(key) for key in made} == made


def get(home: Home, name: str, version: int | None = None) -> VersionRecord:
    """The head of a version (default: the latest), with its current tags.

    Raises UserErrorException, which lists the alternatives, for an unknown name or version.
    """
    found = _shelf(home).versions(name) if isinstance(name, str) and name else []
    if not found:
        known = _some(names(home)) or "none"
        raise UserErrorException(
            f"Dataset {name!r} not found in workspace {home.name!r}.",
            f"{suggestion.question(str(name), names(home))}Datasets: {known}.",
        )
    number = found[-1] if version is None else version
    if number not in found:
        raise UserErrorException(
            f"Dataset {name!r} has no version {version}.",
            f"Versions: {', '.join(map(str, found))}.",
        )
    return {"description": None, "tags": {}, **_shelf(home).get(name, number)}


def _some(names: list[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def by_id(home: Home, dataset_id: str) -> VersionRecord:
    """The version with this ID. Raises UserErrorException if there is none."""
    for name in names(home):
        for number in reversed(_shelf(home).versions(name)):
            if _shelf(home).original(name, number).get("id") == dataset_id:
                return get(home, name, number)
    raise UserErrorException(
        f"Dataset with ID {dataset_id!r} not found in workspace {home.name!r}."
    )


def names(home: Home) -> list[str]:
    """The names of all registered datasets."""
    return _shelf(home).names()


def numbers(home: Home, name: str) -> list[int]:
    """The version numbers of ``name``, the latest last."""
    return _shelf(home).versions(name)


def change(home: Home, head: VersionRecord, words: VersionRecord) -> VersionRecord:
    """Set the ``description`` or ``tags`` of a version; nothing else of it can change."""
    name, number = head["name"], head["version"]
    _shelf(home).change(name, number, words)
    return get(home, name, number)


def remove(home: Home, name: str) -> None:
    """Remove all versions of ``name``. The data itself is kept."""
    get(home, name)
    for number in _shelf(home).versions(name):
        _shelf(home).remove(name, number)


def as_number(version: object) -> int | None:
    """Parse a version as v1 writes it: 3, "3", "latest" or None."""
    if version is None or version == "latest":
        return None
    if isinstance(version, int) or (isinstance(version, str) and version.isdigit()):
        return int(version)
    raise DatasetValidationError(f"A version must be a number or 'latest', not {version!r}.")


def _shelf(home: Home) -> VersionStore:
    return VersionStore(home.directory / "datasets")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
