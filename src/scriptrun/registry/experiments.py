"""What a workspace keeps of an experiment beside its runs: one JSON file, made on first use."""

from __future__ import annotations

from pathlib import Path

from scriptrun.runtime import files
from scriptrun.spec import ids
from scriptrun.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scriptrun.registry.workspace_files import Home
    from scriptrun.runtime.hints import Json


def make(workspace: Home, name: str) -> None:
    """Write the experiment down unless that is done."""
    if not _path(workspace, name).exists():
        put(workspace, name, created=ids.now())


def read(workspace: Home, name: str) -> Json:
    """What is kept of the experiment; empty before its first use."""
    found: Json = files.read_json(str(_path(workspace, name))) or {}
    return found


def put(workspace: Home, name: str, **changes: Any) -> None:
    """Keep ``changes``, other facts stay. Raises WorkspaceException where that can't be written."""
    path = _path(workspace, name)
    try:
        path.parent.mkdir(exist_ok=True)
        files.write_atomic(str(path), files.to_json({**read(workspace, name), **changes}))
    except OSError as error:
        raise paths.not_writable(path, error) from error


def remove(workspace: Home, name: str) -> None:
    """Forget the experiment; nothing happens where there is none."""
    _path(workspace, name).unlink(missing_ok=True)


def _path(workspace: Home, name: str) -> Path:
    return workspace.directory / "experiments" / f"{name}.json"
