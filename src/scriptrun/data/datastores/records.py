"""The workspace's records of its datastores: one small YAML file each, without secrets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Protocol

from scriptrun.data.errors import DatastoreException
from scriptrun.spec import suggestion
from scriptrun.store.registry import NamedValues

#: the built-in datastores of every workspace, as in the SDK v1; the first is the default
DEFAULT, FILES = "workspaceblobstore", "workspacefilestore"
#: the runs' folders as a datastore, as in the SDK v1; not listed, so that nobody uploads there
RUNS = "workspaceartifactstore"
_SETTING = ".default"

Record = dict[str, Any]


class Home(Protocol):
    """What datastores and datasets need of a workspace: its name, ID and directory."""

    directory: Path

    @property
    def name(self) -> str:
        """The workspace's name."""

    @property
    def id(self) -> str:
        """The workspace's unique ID."""


def names(home: Home) -> list[str]:
    """The names of all datastores, the built-in ones first."""
    kept = [name for name in _shelf(home).names() if not name.startswith(".")]
    return [DEFAULT, FILES, *(name for name in kept if name not in (DEFAULT, FILES))]


def get(home: Home, name: str) -> Record:
    """The record of a datastore. Raises DatastoreException if there is none."""
    if name == RUNS:
        return {"class": "Local", "path": str(home.directory / "runs")}
    own = name in (DEFAULT, FILES)
    record = _shelf(home).get(name) if own or is_name(name) else None
    if record is not None:
        return record
    if own:
        return {"class": "Local", "path": str(home.directory / "datastores" / name)}
    raise DatastoreException(
        f"Datastore {name!r} not found in workspace {home.name!r}.",
        f"{suggestion.question(name, names(home))}Datastores: {', '.join(names(home))}. "
        "To add one, run `scriptrun datastore add`.",
    )


def file_of(home: Home, name: str) -> Path:
    """Where the record of a datastore is kept, if it has one."""
    return _shelf(home).file_of(name)


def put(home: Home, name: str, record: Record, overwrite: bool) -> None:
    """Store ``record`` as ``name`` after ``check``."""
    check(home, name, record, overwrite)
    _shelf(home).put(name, record)


def check(home: Home, name: str, record: Record, overwrite: bool) -> None:
    """Raise DatastoreException for an invalid name, or one that is taken.

    An existing datastore with different settings is replaced only with ``overwrite``.
    """
    if not is_name(name):
        raise DatastoreException(
            f"Invalid datastore name {name!r}.",
            "Use 1 to 255 letters, digits and underscores.",
        )
    there = get(home, name) if name in (*names(home), RUNS) else None
    if there is not None and there != record and not overwrite:
        raise DatastoreException(
            f"Datastore {name!r} already exists with different settings.",
            "Use another name or overwrite=True.",
        )


def remove(home: Home, name: str) -> None:
    """Remove the datastore; its files are kept. The built-in ones cannot be removed."""
    get(home, name)
    if name in (DEFAULT, FILES, RUNS):
        raise DatastoreException(
            f"{name!r} is the workspace's built-in datastore and cannot be removed."
        )
    if default(home) == name:
        _shelf(home).remove(_SETTING)
    _shelf(home).remove(name)


def default(home: Home) -> str:
    """The name of the default datastore."""
    setting = _shelf(home).get(_SETTING) or {}
    return str(setting.get("name", DEFAULT))


def set_default(home: Home, name: str) -> None:
    """Set the default datastore."""
    get(home, name)
    _shelf(home).put(_SETTING, {"name": name})


def is_name(name: object) -> bool:
    """Whether ``name`` is a valid datastore name: jobs use it in a variable's name."""
    return isinstance(name, str) and bool(re.fullmatch(r"[A-Za-z0-9_]{1,255}", name))


def _shelf(home: Home) -> NamedValues:
    return NamedValues(home.directory / "datastores")
