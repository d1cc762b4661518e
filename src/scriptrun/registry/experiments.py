"""An experiment's metadata in the workspace: one JSON file, created on first use."""

from __future__ import annotations

import re
from pathlib import Path

from scriptrun.runtime import files
from scriptrun.spec import ids
from scriptrun.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.registry.workspace_files import WorkspaceFiles
    from scriptrun.runtime.hints import Json


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


def name_problem(name: object) -> str:
    """Why ``name`` is not a valid experiment name; "" if it is."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return ""
    shown = repr(name) if len(repr(name)) <= 100 else f"{repr(name)[:97]}..."
    return (
        f"invalid experiment name {shown}; use letters, digits, '_', '-' and '.', "
        "starting with a letter or digit"
    )


def make(workspace: WorkspaceFiles, name: str) -> None:
    """Record the experiment unless it exists."""
    if not _path(workspace, name).exists():
        put(workspace, name, created=ids.now())


def read(workspace: WorkspaceFiles, name: str) -> Json:
    """The experiment's metadata; empty before its first use, and if it cannot be read."""
    return files.read_object(_path(workspace, name)) or {}


def put(workspace: WorkspaceFiles, name: str, **changes: object) -> None:
    """Update the metadata with ``changes``. Raises WorkspaceException if that can't be written."""
    path = _path(workspace, name)
    try:
        path.parent.mkdir(exist_ok=True)
        files.sync_folder(path.parent.parent)
        files.write_atomic(str(path), files.to_json({**read(workspace, name), **changes}))
    except OSError as error:
        raise paths.not_writable(path, error) from error


def remove(workspace: WorkspaceFiles, name: str) -> None:
    """Remove the experiment's metadata if it exists."""
    _path(workspace, name).unlink(missing_ok=True)


def _path(workspace: WorkspaceFiles, name: str) -> Path:
    return workspace.directory / "experiments" / f"{name}.json"
