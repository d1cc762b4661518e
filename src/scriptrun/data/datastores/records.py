"""The workspace's records of its datastores: one small YAML file each, without secrets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Protocol

from scriptrun.data.errors import DatastoreException
from scriptrun.spec import suggestion
from scriptrun.store.records import Shape
from scriptrun.store.registry import NamedValues

#: the built-in datastores of every workspace, as in the SDK v1; the first is the default
DEFAULT, FILES = "workspaceblobstore", "workspacefilestore"
#: the runs' folders as a datastore, as in the SDK v1; not listed, so that nobody uploads there
RUNS = "workspaceartifactstore"
_SETTING = ".default"

Record = dict[str, Any]


class WorkspaceLike(Protocol):
    """What datastores and datasets need of a workspace: its name, ID and directory."""

    directory: Path

    @property
    def name(self) -> str:
        """The workspace's name."""

    @property
    def id(self) -> str:
        """The workspace's unique ID."""


def names(workspace: WorkspaceLike) -> list[str]:
    """The names of all datastores, the built-in ones first."""
    stored = [name for name in _open_records(workspace).names() if not name.startswith(".")]
    return [DEFAULT, FILES, *(name for name in stored if name not in (DEFAULT, FILES))]


def get(workspace: WorkspaceLike, name: str) -> Record:
    """The record of a datastore. Raises DatastoreException if there is none."""
    if name == RUNS:
        return {"class": "Local", "path": str(workspace.directory / "runs")}
    is_builtin = name in (DEFAULT, FILES)
    record = _open_records(workspace).get(name) if is_builtin or is_name(name) else None
    if record is not None:
        return record
    if is_builtin:
        return {"class": "Local", "path": str(workspace.directory / "datastores" / name)}
    raise DatastoreException(
        f"Datastore {name!r} not found in workspace {workspace.name!r}.",
        suggestion.hint(name, names(workspace), "Datastores")
        + " To add one, run `scriptrun datastore add`.",
    )


def file_of(home: WorkspaceLike, name: str) -> Path:
    """Where the record of a datastore is kept, if it has one."""
    return _open_records(home).file_of(name)


def put(workspace: WorkspaceLike, name: str, record: Record, overwrite: bool) -> None:
    """Store ``record`` as ``name`` after ``check``."""
    check(workspace, name, record, overwrite)
    _open_records(workspace).put(name, record)


def check(workspace: WorkspaceLike, name: str, record: Record, overwrite: bool) -> None:
    """Raise DatastoreException for an invalid name, or one that is taken.

    An existing datastore with different settings is replaced only with ``overwrite``.
    """
    if not is_name(name):
        raise DatastoreException(
            f"Invalid datastore name {name!r}.",
            "Use 1 to 255 letters, digits and underscores.",
        )
    existing = get(workspace, name) if name in (*names(workspace), RUNS) else None
    if existing is not None and existing != record and not overwrite:
        raise DatastoreException(
            f"Datastore {name!r} already exists with different settings.",
            "Use another name or overwrite=True.",
        )


def remove(workspace: WorkspaceLike, name: str) -> None:
    """Remove the datastore; its files are kept. The built-in ones cannot be removed."""
    get(workspace, name)
    if name in (DEFAULT, FILES, RUNS):
        raise DatastoreException(
            f"{name!r} is the workspace's built-in datastore and cannot be removed.",
            "To use other storage by default, call set_as_default() on it.",
        )
    if default(workspace) == name:
        _open_records(workspace).remove(_SETTING)
    _open_records(workspace).remove(name)


def default(workspace: WorkspaceLike) -> str:
    """The name of the default datastore."""
    setting = _open_records(workspace).get(_SETTING) or {}
    return str(setting.get("name", DEFAULT))


def set_default(workspace: WorkspaceLike, name: str) -> None:
    """Set the default datastore."""
    get(workspace, name)
    _open_records(workspace).put(_SETTING, {"name": name})


def is_name(name: object) -> bool:
    """Whether ``name`` is a valid datastore name: jobs use it in a variable's name."""
    return isinstance(name, str) and bool(re.fullmatch(r"[A-Za-z0-9_]{1,255}", name))


def _open_records(workspace: WorkspaceLike) -> NamedValues:
    return NamedValues(workspace.directory / "datastores", Shape({"class": "str"}, ("class",)))
