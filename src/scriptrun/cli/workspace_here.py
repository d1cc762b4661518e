"""The workspace of a command: an existing one, or the one that the first run creates."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from scriptrun.core.workspace import Workspace
from scriptrun.spec.errors import WorkspaceException
from scriptrun.store import paths


def current() -> Workspace:
    """Return the workspace of the current directory, else one that is yet to be created.

    Writes nothing: ``exists`` distinguishes the two, and ``create_if_missing`` creates the second.
    Raises WorkspaceException for an unreadable workspace.
    """
    configured = os.environ.get("SCRIPTRUN_WORKSPACE")
    if configured:
        root = Path(configured).absolute()
        return Workspace(root) if is_workspace(root) else Workspace.to_be(root)
    start = _cwd()
    workspace = Workspace.search(start)
    return workspace if workspace is not None else Workspace.to_be(Workspace.root_for(start))


def _cwd() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise WorkspaceException(
            "The current directory no longer exists.", "Change to an existing directory."
        ) from None


def require() -> Workspace:
    """Return the workspace of the current directory. Raises WorkspaceException if none exists."""
    workspace = current()
    if exists(workspace):
        return workspace
    raise WorkspaceException(
        f"No workspace found in {str(workspace.root if named_by_variable() else Path.cwd())!r}"
        + ("." if named_by_variable() else " or its parents."),
        "Run `scriptrun init`, or start a first run: scriptrun run train.py",
    )


def create_if_missing(workspace: Workspace) -> Workspace:
    """Return the workspace; create it first, with a message, if it does not exist yet."""
    if exists(workspace):
        return workspace
    paths.runtime_root()  # what cannot be submitted leaves no workspace behind
    created = Workspace.create(workspace.name, path=workspace.root, exist_ok=True)
    print(f"Created workspace {created.name!r} in {created.directory}", file=sys.stderr)
    return created


def exists(workspace: Workspace) -> bool:
    """Whether the workspace exists, as opposed to one that is yet to be created."""
    return bool(workspace.id)


def is_workspace(root: Path) -> bool:
    """Whether ``root`` contains a workspace."""
    return os.path.lexists(root / ".scriptrun" / "workspace.json")


def named_by_variable() -> bool:
    """Whether SCRIPTRUN_WORKSPACE selects the workspace."""
    return bool(os.environ.get("SCRIPTRUN_WORKSPACE"))
