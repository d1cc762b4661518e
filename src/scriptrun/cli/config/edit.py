"""``scriptrun config set``, ``unset`` and ``edit``."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path

from scriptrun.cli.terminal import attach
from scriptrun.core.workspace import Workspace
from scriptrun.registry import trust
from scriptrun.registry.settings import files, reader, writer
from scriptrun.registry.settings.files import PROJECT, USER
from scriptrun.spec.errors import ScriptrunError, UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.common_arguments import VerbResult


def set(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Set a setting in the user's or the project's file."""
    setting, name = writer.setting_of(args.key)
    if not args.value:
        raise UserErrorException(
            f"{args.key!r} has no value.", f"Use: scriptrun config set {args.key} VALUE"
        )
    value = writer.value_of(setting, name, args.value)
    path, level = _file(workspace, args)
    writer.put(path, level, args.key, value)
    if level == PROJECT and setting.is_restricted and not trust.is_trusted(path.parent):
        folder = shlex.quote(str(path.parent))
        attach.warn(f"{args.key} is ignored until you run: scriptrun trust {folder}")
    _warn_if_hidden(workspace, args.key, level)
    return {"key": args.key, "value": value, "path": str(path)}, f"Set {args.key} in {path}"


def _warn_if_hidden(workspace: Workspace, key: str, level: str) -> None:
    """Say which setting of a higher level counts instead."""
    try:
        found = reader.read(Path.cwd(), workspace).get(key)
    except ScriptrunError:
        return  # another file is invalid
    if found is not None and reader.LEVELS.index(found.level) < reader.LEVELS.index(level):
        value = shlex.join(found.value) if isinstance(found.value, list) else found.value
        attach.warn(f"here {key} is {value!r}, from {found.origin}")


def unset(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """Remove a setting from the user's or the project's file."""
    path, level = _file(workspace, args)
    is_removed = writer.remove(path, level, args.key)
    text = f"Removed {args.key} from {path}" if is_removed else f"{args.key} is not set in {path}."
    return {"key": args.key, "removed": is_removed, "path": str(path)}, text


def edit(workspace: Workspace, args: argparse.Namespace) -> None:
    """Open a settings file in the user's editor, and check it afterwards."""
    import subprocess

    path, level = _file(workspace, args)
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if level == USER else 0o777)
    try:
        code = subprocess.run([*shlex.split(editor), str(path)]).returncode
    except OSError as error:
        raise UserErrorException(
            f"Cannot start the editor {editor!r}: {error.strerror}.", "Set EDITOR to another one."
        ) from None
    if code:
        raise UserErrorException(
            f"The editor {editor!r} failed with exit code {code}.", "Set EDITOR to another one."
        )
    reader.read(Path.cwd(), workspace, (level,))


def _file(workspace: Workspace, args: argparse.Namespace) -> tuple[Path, str]:
    if args.project:
        return writer.project_path(Path.cwd(), workspace), PROJECT
    return files.user_path(), USER
