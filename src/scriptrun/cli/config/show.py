"""``scriptrun config list``, ``get`` and ``path``."""

from __future__ import annotations

import argparse
from pathlib import Path

from scriptrun.cli.terminal import attach, output
from scriptrun.core.workspace import Workspace
from scriptrun.registry.settings import files, reader, writer
from scriptrun.registry.settings.reader import Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.cli.common_arguments import VerbResult


def list_all(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """The settings in effect, or those of one level."""
    found = _found(workspace, args)
    value = {
        key: {"value": each.value, "level": each.level, "origin": each.origin}
        for key, each in sorted(found.items())
    }
    if not found:
        return {"settings": {}}, "No settings. To set one, run: scriptrun config set SETTING VALUE"
    rows = [[key, _text(each.value)] for key, each in sorted(found.items())]
    titles = ["SETTING", "VALUE"]
    if getattr(args, "show_origin", False):
        titles += ["LEVEL", "ORIGIN"]
        rows = [[*row, found[row[0]].level, found[row[0]].origin] for row in rows]
    return {"settings": value}, lambda: output.print_table(titles, rows)


def get(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """One setting in effect; None if it is not set, or has entries but none of that name."""
    setting, name = writer.setting_of(args.key)
    found = _found(workspace, args)
    each = found.get(args.key)
    if each is None and not name:
        entries = {
            key.partition(".")[2]: value
            for key, value in found.items()
            if key.startswith(f"{setting.key}.")
        }
        lines = "\n".join(f"{key}={_text(entry.value)}" for key, entry in entries.items())
        values = {key: entry.value for key, entry in entries.items()} or None
        return {"key": args.key, "value": values}, lines
    value = None if each is None else each.value
    return {"key": args.key, "value": value}, "" if each is None else _text(value)


def path(workspace: Workspace, args: argparse.Namespace) -> VerbResult:
    """The paths of the settings files, whether they exist or not."""
    paths = {"user": files.user_path(), "project": writer.project_path(Path.cwd(), workspace)}
    value = {level: {"path": str(each), "exists": each.is_file()} for level, each in paths.items()}
    if args.user or args.project:
        level = "user" if args.user else "project"
        return {level: value[level]}, str(paths[level])
    lines = [
        f"{level:<8}{each}{'' if each.is_file() else '  (missing)'}"
        for level, each in paths.items()
    ]
    return value, "\n".join(lines)


def _found(workspace: Workspace, args: argparse.Namespace) -> dict[str, Found]:
    """The settings in effect, or those of --user or --project; warnings go to stderr."""
    level = "user" if getattr(args, "user", False) else "project"
    is_one_level = getattr(args, "user", False) or getattr(args, "project", False)
    settings = reader.read(Path.cwd(), workspace, (level,) if is_one_level else reader.LEVELS)
    for message in settings.warnings:
        attach.warn(message)
    return settings.found


def _text(value: object) -> str:
    import shlex

    return shlex.join(map(str, value)) if isinstance(value, list) else str(value)
